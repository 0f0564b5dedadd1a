// CutMix's boxes against those of clovaai, torchvision and timm (goldens/distributions.txt), and
// one by one against the rule.

#include "augment/plan/box_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/augment/plan/statistics.h"
#include "tests/augment/recipe/golden_file.h"
#include "tests/augment/recipe/golden_statistics.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::LooksLikeGolden;
using ::mixfeed::testing::ReadGolden;

constexpr ImageShape kSquare = {3, 32, 32};
constexpr ImageShape kTall = {3, 28, 20};

std::vector<DrawnBox> Boxes(const CutMixSpec& spec, const ImageShape& shape, size_t count = 50000) {
  std::vector<PhiloxStream> streams;
  for (size_t i = 0; i < count; ++i) streams.emplace_back(9, Purpose::kBox, i);
  std::vector<DrawnBox> boxes(count);
  BoxSampler(spec, shape).Draw(streams, boxes);
  return boxes;
}

// The cells that make_distribution_goldens.py, write_boxes, counts.
struct Cells {
  std::vector<int64_t> area = std::vector<int64_t>(18), place = std::vector<int64_t>(16);
  std::vector<int64_t> top, height, left, width;
};

Cells CellsOf(const std::vector<DrawnBox>& boxes, const ImageShape& shape) {
  const auto rows = static_cast<size_t>(shape.height), columns = static_cast<size_t>(shape.width);
  Cells cells;
  cells.top.resize(rows);
  cells.height.resize(rows + 1);
  cells.left.resize(columns);
  cells.width.resize(columns + 1);
  for (const auto& [box, lambda] : boxes) {
    const auto area = static_cast<size_t>(box.area());
    ++cells.area[area == 0 ? 0 : 1 + 16 * area / (rows * columns)];
    if (area == 0) continue;
    const auto y0 = static_cast<size_t>(box.y0), y1 = static_cast<size_t>(box.y1);
    const auto x0 = static_cast<size_t>(box.x0), x1 = static_cast<size_t>(box.x1);
    ++cells.top[y0];
    ++cells.height[y1 - y0];
    ++cells.left[x0];
    ++cells.width[x1 - x0];
    ++cells.place[4 * (2 * (y0 + y1) / rows) + 2 * (x0 + x1) / columns];
  }
  return cells;
}

void ExpectLikeGolden(const CutMixSpec& spec, const ImageShape& shape, const std::string& name) {
  const Cells cells = CellsOf(Boxes(spec, shape), shape);
  const std::pair<const char*, const std::vector<int64_t>*> counts[] = {
      {"-area", &cells.area}, {"-top", &cells.top},     {"-height", &cells.height},
      {"-left", &cells.left}, {"-width", &cells.width}, {"-place", &cells.place}};
  for (const auto& [what, counted] : counts) {
    EXPECT_TRUE(LooksLikeGolden(*counted, ReadGolden("distributions.txt", "counts", name + what)))
        << name << what;
  }
}

TEST(BoxSamplerTest, ClippedBoxesAreDistributedAsTheReferences) {
  ExpectLikeGolden({}, kSquare, "clovaai-32x32");
  ExpectLikeGolden({}, kSquare, "torchvision-32x32");
  ExpectLikeGolden({}, kSquare, "timm-32x32");
  ExpectLikeGolden({}, kTall, "timm-28x20");
}

TEST(BoxSamplerTest, MinMaxBoxesAreDistributedAsTimms) {
  ExpectLikeGolden({.box = BoxRule::kMinMax}, kSquare, "timm-minmax-32x32");
  ExpectLikeGolden({.box = BoxRule::kMinMax}, kTall, "timm-minmax-28x20");
}

// Whether 0 <= begin <= end <= side are the ends of a span of half-length `half` about some pixel.
bool IsClippedSpan(int begin, int end, int half, int side) {
  for (int centre = 0; centre < side; ++centre) {
    if (begin == std::max(centre - half, 0) && end == std::min(centre + half, side)) return true;
  }
  return false;
}

// lambda is drawn first and shows where it is not corrected.
TEST(BoxSamplerTest, EveryBoxFollowsFromItsLambdaAndACentre) {
  for (const DrawnBox& drawn : Boxes({.alpha = 0.5, .beta = 0.5, .correct_lambda = false}, kTall)) {
    if (drawn.box.empty()) continue;
    const double share = std::sqrt(1 - drawn.lambda);
    EXPECT_TRUE(IsClippedSpan(drawn.box.y0, drawn.box.y1, static_cast<int>(28 * share) / 2, 28));
    EXPECT_TRUE(IsClippedSpan(drawn.box.x0, drawn.box.x1, static_cast<int>(20 * share) / 2, 20));
  }
}

TEST(BoxSamplerTest, LambdaIsWhatTheBoxLeaves) {
  for (const BoxRule rule : {BoxRule::kClipped, BoxRule::kMinMax}) {
    for (const DrawnBox& drawn : Boxes({.box = rule}, kTall, 2000)) {
      int shown = 0;
      for (int y = 0; y < 28; ++y) {
        for (int x = 0; x < 20; ++x) {
          const bool inside =
              y >= drawn.box.y0 && y < drawn.box.y1 && x >= drawn.box.x0 && x < drawn.box.x1;
          shown += inside ? 0 : 1;
        }
      }
      EXPECT_NEAR(drawn.lambda, shown / 560.0, 1e-12);
    }
  }
}

TEST(BoxSamplerTest, OffTheCorrectionLambdaIsTheDrawnOne) {
  const std::vector<DrawnBox> corrected = Boxes({}, kSquare, 20000);
  const std::vector<DrawnBox> drawn = Boxes({.correct_lambda = false}, kSquare, 20000);
  std::vector<double> lambdas;
  for (size_t i = 0; i < drawn.size(); ++i) {
    EXPECT_EQ(drawn[i].box, corrected[i].box);
    if (drawn[i].box.empty()) {
      EXPECT_EQ(drawn[i].lambda, 1);
    } else {
      lambdas.push_back(drawn[i].lambda);
    }
  }
  // Beta(1, 1), of which boxes of less than two pixels a side, lambda above 1 - 1/256, are empty.
  const auto cdf = [](double x) { return x / (1 - 1.0 / 256); };
  EXPECT_LT(testing::KsDistance(lambdas, cdf, 1), testing::kMaxKsDistance);
}

TEST(BoxSamplerTest, MinMaxSidesEndBeforeTheLargest) {
  const CutMixSpec spec = {.box = BoxRule::kMinMax, .min_side = 0.2, .max_side = 0.8};
  int shortest = 32, longest = 0;
  for (const DrawnBox& drawn : Boxes(spec, kSquare, 5000)) {
    shortest = std::min(shortest, drawn.box.y1 - drawn.box.y0);
    longest = std::max(longest, drawn.box.x1 - drawn.box.x0);
    EXPECT_LE(drawn.box.y1, 32);
    EXPECT_LE(drawn.box.x1, 32);
  }
  EXPECT_EQ(shortest, 6);  // int(0.2 * 32)
  EXPECT_EQ(longest, 24);  // randint does not draw int(0.8 * 32)
}

TEST(BoxSamplerTest, EqualMinAndMaxAreThatSide) {
  const auto boxes_of = [](double side) {
    return Boxes({.box = BoxRule::kMinMax, .min_side = side, .max_side = side}, kSquare, 500);
  };
  for (const DrawnBox& drawn : boxes_of(0.5)) EXPECT_EQ(drawn.box.area(), 16 * 16);
  for (const DrawnBox& drawn : boxes_of(0)) EXPECT_EQ(drawn.lambda, 1);
  for (const DrawnBox& drawn : boxes_of(1)) {
    EXPECT_EQ(drawn.box, (Box{0, 0, 32, 32}));
    EXPECT_EQ(drawn.lambda, 0);
  }
}

TEST(BoxSamplerTest, ExtremeLambdasGiveNoBoxOrHalfASideAboutTheCentre) {
  for (const DrawnBox& drawn : Boxes({.alpha = 0.01, .beta = 101}, kSquare, 300)) {
    EXPECT_GE(drawn.box.area(), 15 * 15);  // lambda of about 0
  }
  for (const DrawnBox& drawn : Boxes({.alpha = 101, .beta = 0.01}, kSquare, 300)) {
    EXPECT_LE(drawn.box.area(), 64);
  }
}

TEST(BoxSamplerTest, EachBoxDependsOnItsOwnStreamOnly) {
  const std::vector<DrawnBox> together = Boxes({}, kSquare, 50);
  for (size_t i = 0; i < together.size(); ++i) {
    std::vector<PhiloxStream> stream = {PhiloxStream(9, Purpose::kBox, i)};
    DrawnBox alone;
    BoxSampler({}, kSquare).Draw(stream, std::span(&alone, 1));
    EXPECT_EQ(alone.box, together[i].box);
    EXPECT_EQ(alone.lambda, together[i].lambda);
  }
}

}  // namespace
}  // namespace mixfeed
