#include "augment/figure/vicinity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::kMaxKsDistance;
using testing::KsDistance;
using testing::LooksLikeRate;
using testing::LooksUniform;

constexpr int kDraws = 20000;

// Point 0 in the origin, the others at distances 1, 2, 3, ... in directions that tell them apart.
// Classes take turns.
std::vector<ToyPoint> Star(int count) {
  std::vector<ToyPoint> points = {{{0, 0}, 0}};
  for (int i = 1; i < count; ++i) {
    const double angle = 2 * M_PI * i / count;
    points.push_back({{i * std::cos(angle), i * std::sin(angle)}, i % 2});
  }
  return points;
}

// Which point of the star a mixture of point 0 with it is of; 0 for point 0 itself.
int PartnerOf(const SoftPoint& mixed, int count) {
  if (std::hypot(mixed.at.x, mixed.at.y) < 1e-12) return 0;
  double turn = std::atan2(mixed.at.y, mixed.at.x) / (2 * M_PI);
  if (turn < 0) turn += 1;
  return static_cast<int>(std::lround(turn * count)) % count;
}

std::vector<SoftPoint> Draw(const std::vector<ToyPoint>& points, VicinityOptions options) {
  options.labelled = options.labelled == 0 ? static_cast<int>(points.size()) : options.labelled;
  options.draws = kDraws;
  const auto drawn = DrawVicinity(points, options);
  EXPECT_TRUE(drawn.ok()) << drawn.status();
  return drawn.ok() ? *drawn : std::vector<SoftPoint>();
}

// How often each point was point 0's partner. Lambdas far from 0 and 1, so that it is seen.
std::vector<int64_t> PartnerCounts(int count, VicinityOptions options) {
  options.point = 0;
  options.alpha = kMaxAlpha;
  std::vector<int64_t> counts(static_cast<size_t>(count));
  for (const SoftPoint& point : Draw(Star(count), options)) {
    ++counts[static_cast<size_t>(PartnerOf(point, count))];
  }
  return counts;
}

TEST(VicinityTest, NoneIsThePointsInTurn) {
  const std::vector<ToyPoint> points = Star(5);
  const auto drawn = Draw(points, {.rule = VicinityRule::kNone});
  for (size_t i = 0; i < drawn.size(); ++i) {
    EXPECT_NEAR(drawn[i].at.x, points[i % 5].at.x, 1e-12);
    EXPECT_NEAR(drawn[i].at.y, points[i % 5].at.y, 1e-12);
    EXPECT_NEAR(drawn[i].second, points[i % 5].label, 1e-12);
  }
}

TEST(VicinityTest, MixupTakesAllPartnersAlike) {
  EXPECT_TRUE(LooksUniform(PartnerCounts(7, {.rule = VicinityRule::kMixup})));
}

TEST(VicinityTest, MixupTakesLabelledPartnersOnly) {
  const auto counts = PartnerCounts(7, {.rule = VicinityRule::kMixup, .labelled = 3});
  EXPECT_TRUE(LooksUniform({counts.begin(), counts.begin() + 3}));
  EXPECT_THAT(std::vector<int64_t>(counts.begin() + 3, counts.end()), ::testing::Each(0));
}

TEST(VicinityTest, SameClassTakesItsOwnClassAlike) {
  const auto counts = PartnerCounts(7, {.rule = VicinityRule::kSameClass});
  EXPECT_TRUE(LooksUniform({counts[0], counts[2], counts[4], counts[6]}));
  EXPECT_EQ(counts[1] + counts[3] + counts[5], 0);
}

TEST(VicinityTest, NearestTakesTheKNearestOthersAlike) {
  const auto counts = PartnerCounts(7, {.rule = VicinityRule::kNearest, .neighbours = 3});
  EXPECT_TRUE(LooksUniform({counts[1], counts[2], counts[3]}));
  EXPECT_EQ(counts[0] + counts[4] + counts[5] + counts[6], 0);
}

TEST(VicinityTest, NearestBreaksTiesByPlace) {
  const std::vector<ToyPoint> points = {{{0, 0}, 0}, {{1, 0}, 0}, {{-1, 0}, 0}, {{0, 1}, 0}};
  for (const SoftPoint& point :
       Draw(points, {.rule = VicinityRule::kNearest, .neighbours = 2, .point = 0})) {
    EXPECT_EQ(point.at.y, 0);
  }
}

TEST(VicinityTest, LabelPreservingTakesUnlabelledPartnersToo) {
  const auto counts = PartnerCounts(7, {.rule = VicinityRule::kLabelPreserving, .labelled = 1});
  EXPECT_TRUE(LooksUniform(counts));
}

// Where a point of class 0 in the origin goes on the way to its only neighbour, one of class 1 at
// 1, is 1 - lambda.
std::vector<double> WayOut(VicinityOptions options) {
  const std::vector<ToyPoint> points = {{{0, 0}, 0}, {{1, 0}, 1}};
  options.neighbours = 1;
  options.point = 0;
  std::vector<double> way;
  for (const SoftPoint& point : Draw(points, options)) {
    EXPECT_EQ(point.at.y, 0);
    EXPECT_EQ(point.second, options.rule == VicinityRule::kNearest ? point.at.x : 0);
    // A label-preserving partner may be the point itself.
    if (point.at.x > 0) way.push_back(point.at.x);
  }
  return way;
}

double Arcsine(double x) { return 2 / M_PI * std::asin(std::sqrt(x)); }  // Beta(1/2, 1/2)

TEST(VicinityTest, LambdaIsBetaOfAlphaTwice) {
  const std::pair<double, std::function<double(double)>> laws[] = {
      {0.5, Arcsine},
      {1, [](double x) { return x; }},
      {2, [](double x) { return x * x * (3 - 2 * x); }},
  };
  for (const auto& [alpha, law] : laws) {
    const auto way = WayOut({.rule = VicinityRule::kNearest, .alpha = alpha});
    EXPECT_GT(way.size(), 0.99 * kDraws);
    EXPECT_LT(KsDistance(way, law, 1), kMaxKsDistance) << alpha;
  }
}

TEST(VicinityTest, LabelPreservingLambdaIsSkewedAndTheLabelItsOwn) {
  const VicinityOptions options{.rule = VicinityRule::kLabelPreserving, .alpha = 1};
  const auto way = WayOut(options);
  EXPECT_TRUE(LooksLikeRate(static_cast<int64_t>(way.size()), kDraws, 0.5));
  // lambda ~ Beta(2, 1), whose distribution is lambda^2.
  EXPECT_LT(KsDistance(
                way, [](double x) { return 1 - (1 - x) * (1 - x); }, 1),
            kMaxKsDistance);
  for (const SoftPoint& point : Draw(Star(4), options)) {
    EXPECT_TRUE(point.second == 0 || point.second == 1);
  }
}

TEST(VicinityTest, AlphaFallsWithTheDistanceOfAPair) {
  // exp(-1 / scale) is 1/2.
  const VicinityOptions halved{
      .rule = VicinityRule::kNearest, .alpha = 1, .distance_scale = 1 / std::log(2.0)};
  EXPECT_LT(KsDistance(WayOut(halved), Arcsine, 1), kMaxKsDistance);
}

TEST(VicinityTest, AlphaNeverFallsBelowItsLeastValue) {
  const VicinityOptions far{.rule = VicinityRule::kNearest, .distance_scale = 1e-6};
  const VicinityOptions least{.rule = VicinityRule::kNearest, .alpha = kMinAlpha};
  EXPECT_EQ(WayOut(far), WayOut(least));
}

TEST(VicinityTest, TheFirstDrawsDoNotDependOnTheirNumber) {
  const std::vector<ToyPoint> points = Star(6);
  VicinityOptions options{.labelled = 6, .draws = 10};
  const auto few = DrawVicinity(points, options);
  options.draws = 20;
  const auto many = DrawVicinity(points, options);
  for (size_t i = 0; i < few->size(); ++i) EXPECT_EQ((*few)[i].at, (*many)[i].at);
  options.seed = 1;
  EXPECT_NE((*DrawVicinity(points, options))[0].at, (*many)[0].at);
}

struct Wrong {
  std::function<void(VicinityOptions*)> break_it;
  const char* message;
};

TEST(VicinityTest, WrongOptionsAreNamed) {
  const Wrong cases[] = {
      {[](auto* o) { o->rule = static_cast<VicinityRule>(5); }, "rule is 5"},
      {[](auto* o) { o->alpha = 0.009; }, "alpha is 0.009; allowed: 0.01..100"},
      {[](auto* o) { o->alpha = 101; }, "alpha is 101"},
      {[](auto* o) { o->distance_scale = -1; }, "distance_scale is -1"},
      {[](auto* o) { o->distance_scale = INFINITY; }, "distance_scale is inf"},
      {[](auto* o) { o->labelled = 0; }, "labelled is 0; allowed: 1..6"},
      {[](auto* o) { o->labelled = 7; }, "labelled is 7"},
      {[](auto* o) { o->draws = 0; }, "draws is 0"},
      {[](auto* o) { o->draws = 10'000'001; }, "draws is 10000001"},
      {[](auto* o) { o->point = -1; }, "point is -1"},
      {[](auto* o) { o->point = 4; }, "point is 4; allowed: 0..3"},
      {[](auto* o) { o->neighbours = 0; }, "neighbours is 0"},
      {[](auto* o) { o->neighbours = 4; }, "neighbours is 4; allowed: 1..3"},
  };
  for (const Wrong& wrong : cases) {
    VicinityOptions options{.rule = VicinityRule::kNearest, .neighbours = 3, .labelled = 4};
    wrong.break_it(&options);
    const absl::Status status = DrawVicinity(Star(6), options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong.message;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(wrong.message), HasSubstr("allowed")));
  }
}

TEST(VicinityTest, NeighboursMatterToNearestOnly) {
  EXPECT_TRUE(DrawVicinity(Star(3), {.neighbours = 99, .labelled = 3, .draws = 1}).ok());
}

}  // namespace
}  // namespace mixfeed
