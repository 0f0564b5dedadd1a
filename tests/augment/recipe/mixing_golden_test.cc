// Mixed batches against those of torchvision, timm and others (goldens/mixing.txt): the renderer
// and the functions on targets, given partners, lambdas and smoothing.

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "augment/plan/box_sampler.h"
#include "augment/target/target.h"
#include "tests/augment/recipe/golden_file.h"
#include "tests/augment/recipe/mixed_batch.h"

namespace mixfeed {
namespace {

using testing::GoldenCase;
using testing::MixedBatch;
using testing::ReadGoldens;
using testing::ReadMixedBatch;

std::vector<float> SmoothedLabel(const MixedBatch& batch, int image) {
  std::vector<float> row(static_cast<size_t>(batch.classes));
  OneHot(batch.image_labels.at(static_cast<size_t>(image)), row);
  const auto kept = static_cast<float>(1 - batch.smoothing);
  const auto spread = static_cast<float>(batch.smoothing / batch.classes);
  for (float& value : row) value = kept * value + spread;
  return row;
}

std::vector<float> Targets(const MixedBatch& batch, size_t row) {
  std::vector<float> mixed = SmoothedLabel(batch, batch.rows[row].a.image);
  if (batch.own_targets) return mixed;
  const std::vector<float> partner = SmoothedLabel(batch, batch.rows[row].b.image);
  MixTargets(batch.lambda[row], mixed, partner, mixed);
  return mixed;
}

TEST(MixingGoldenTest, BlendsPixelsAsTheReferences) {
  int blended = 0;
  for (const GoldenCase& golden : ReadGoldens("mixing.txt", "mixing")) {
    if (HasBoxes(golden)) continue;
    testing::ExpectRendersAsGolden(golden);
    ++blended;
  }
  EXPECT_GE(blended, 15);
}

TEST(MixingGoldenTest, CutsBoxesAsTheReferences) {
  int cut = 0;
  for (const GoldenCase& golden : ReadGoldens("mixing.txt", "mixing")) {
    if (!HasBoxes(golden)) continue;
    testing::ExpectRendersAsGolden(golden);
    ++cut;
  }
  EXPECT_GE(cut, 10);
}

// Lines of lambda, centre y, centre x, then the box and the lambda that its area leaves.
TEST(MixingGoldenTest, ClipsBoxesAsTheReferences) {
  constexpr size_t kNumbers = 8;
  int boxes = 0;
  for (const GoldenCase& golden : ReadGoldens("boxes.txt", "box")) {
    const ImageShape shape = {3, golden.integer("height"), golden.integer("width")};
    const std::vector<double> numbers = golden.numbers("box");
    ASSERT_EQ(numbers.size() % kNumbers, 0u) << golden.name();
    for (size_t at = 0; at < numbers.size(); at += kNumbers) {
      const auto integer = [&](size_t i) { return static_cast<int>(numbers[at + i]); };
      const Box box = ClippedBox(shape, numbers[at], integer(1), integer(2));
      const auto message = [&] { return golden.name() + ", box " + std::to_string(at / kNumbers); };
      const double left = 1 - static_cast<double>(box.area()) / (shape.height * shape.width);
      EXPECT_NEAR(left, numbers[at + 7], 1e-6) << message();
      if (left == 1) continue;  // where an empty box lies makes no difference
      EXPECT_EQ(box.y0, integer(3)) << message();
      EXPECT_EQ(box.x0, integer(4)) << message();
      EXPECT_EQ(box.y1, integer(5)) << message();
      EXPECT_EQ(box.x1, integer(6)) << message();
      ++boxes;
    }
  }
  EXPECT_GE(boxes, 150);
}

TEST(MixingGoldenTest, MixesAndSmoothsTargetsAsTheReferences) {
  for (const GoldenCase& golden : ReadGoldens("mixing.txt", "mixing")) {
    const MixedBatch batch = ReadMixedBatch(golden);
    const auto classes = static_cast<size_t>(batch.classes);
    ASSERT_EQ(batch.labels.size(), batch.rows.size() * classes);
    for (size_t row = 0; row < batch.rows.size(); ++row) {
      const std::vector<float> targets = Targets(batch, row);
      for (size_t c = 0; c < classes; ++c) {
        EXPECT_NEAR(targets[c], batch.labels[row * classes + c], 1e-6f)
            << golden.name() << ", row " << row << ", class " << c;
      }
    }
  }
}

}  // namespace
}  // namespace mixfeed
