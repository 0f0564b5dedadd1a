// Batches of every preset: what they hold, and that they are the same whoever makes them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "augment/recipe/presets.h"
#include "tests/augment/batch/expected_batch.h"
#include "tests/augment/batch/feed_kit.h"
#include "tests/testing/largest_difference.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::ContentsOf;
using ::mixfeed::testing::ExpectedBatch;
using ::mixfeed::testing::FeedKit;
using ::mixfeed::testing::FeedKitOptions;

constexpr int kClasses = 10;
constexpr int kSteps = 3;

// Large enough for every preset's cutout, and with sides that differ.
FeedKitOptions KitOptions(int threads = 2) { return {.shape = {3, 20, 18}, .threads = threads}; }

std::shared_ptr<const Batch> Made(const BatchMaker& maker, int64_t step,
                                  const BatchFormat& format) {
  absl::StatusOr<std::shared_ptr<const Batch>> batch = maker.Make(step, format, {});
  EXPECT_TRUE(batch.ok()) << batch.status();
  return batch.ok() ? *batch : std::make_shared<Batch>();
}

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const Preset& preset : Presets()) names.emplace_back(preset.name);
  return names;
}

class EveryPresetBatchTest : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryPresetBatchTest, PixelsAreThoseOfTheNaiveRenderer) {
  FeedKit kit(KitOptions());
  const auto maker = kit.Maker(kit.Spec(GetParam()));
  const PixelFormat format = {PixelType::kFloat32, PixelLayout::kNchw,
                              *FindNormalisation((*FindPresetEntry(GetParam()))->normalisation)};
  // Noise of 255 levels from pixel to pixel, at coordinates in float32.
  const double tolerance = maker->spec().recipe.view.warp.resamples() ? 2e-3 : 4e-6;
  for (int64_t step = 0; step < kSteps; ++step) {
    const auto batch = Made(*maker, step, format);
    const Plan plan = *maker->MakePlan(step);
    const std::vector<double> expected =
        ExpectedBatch{maker->dataset(), maker->spec().recipe, plan, {}}.Pixels(
            batch->row_index, format.normalisation);
    const std::span<const float> pixels(reinterpret_cast<const float*>(batch->pixels.data()),
                                        batch->pixels.size() / sizeof(float));
    EXPECT_LE(testing::LargestDifference(pixels, expected), tolerance) << "step " << step;
  }
}

TEST_P(EveryPresetBatchTest, TargetsAreTheWeightedSumOfAllSources) {
  FeedKit kit(KitOptions());
  const auto maker = kit.Maker(kit.Spec(GetParam()));
  for (int64_t step = 0; step < kSteps; ++step) {
    const auto batch = Made(*maker, step, {});
    const Plan plan = *maker->MakePlan(step);
    std::vector<float> guess;
    if (maker->spec().recipe.guesses()) guess = (*kit.journal->Find("feed", step))->probabilities;
    const ExpectedBatch expected = {maker->dataset(), maker->spec().recipe, plan, guess};
    for (size_t r = 0; r < batch->rows.size(); ++r) {
      const auto target = batch->targets.subspan(r * kClasses, kClasses);
      const std::vector<double> want = expected.Target(batch->row_index[r]);
      for (size_t c = 0; c < kClasses; ++c) EXPECT_NEAR(target[c], want[c], 1e-6) << r;
      EXPECT_NEAR(std::accumulate(target.begin(), target.end(), 0.0), 1, 1e-6);
      EXPECT_GE(*std::min_element(target.begin(), target.end()), 0);
    }
  }
}

// Not only the pixels: also what the header says of every row.
std::string AllOf(const Batch& batch) {
  std::string all = ContentsOf(batch) + std::to_string(batch.layer);
  const auto append = [&all](const auto& values) {
    for (const auto value : values) all += " " + std::to_string(value);
  };
  append(batch.more_partners);
  append(batch.more_weights);
  for (const Box& box : batch.box) append(std::vector<int>{box.y0, box.x0, box.y1, box.x1});
  return all;
}

TEST_P(EveryPresetBatchTest, SameBytesOnOneThreadOnThreeAndFromAFreshMaker) {
  FeedKit one(KitOptions(1)), three(KitOptions(3));
  const FeedSpec spec = one.Spec(GetParam());
  const auto first = one.Maker(spec);
  const auto fresh = one.Maker(spec, "another feed");
  const auto other = three.Maker(spec);
  std::string before;
  for (int64_t step = 0; step < kSteps; ++step) {
    const std::string expected = AllOf(*Made(*first, step, {}));
    EXPECT_EQ(AllOf(*Made(*fresh, step, {})), expected);
    EXPECT_EQ(AllOf(*Made(*other, step, {})), expected);
    EXPECT_EQ(AllOf(*Made(*first, step, {})), expected);
    EXPECT_NE(expected, before);
    before = expected;
  }
}

TEST_P(EveryPresetBatchTest, SharesHoldEveryRowOnce) {
  FeedKit kit(KitOptions());
  const auto maker = kit.Maker(kit.Spec(GetParam()));
  std::vector<int32_t> rows;
  for (int rank = 0; rank < 2; ++rank) {
    const absl::StatusOr<std::shared_ptr<const Batch>> part = maker->Make(1, {}, {rank, 2});
    ASSERT_TRUE(part.ok()) << part.status();
    rows.insert(rows.end(), (*part)->row_index.begin(), (*part)->row_index.end());
  }
  std::sort(rows.begin(), rows.end());
  std::vector<int32_t> all(static_cast<size_t>(maker->MakePlan(1)->size()));
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(rows, all);
}

TEST_P(EveryPresetBatchTest, PairsAreLabelsAndTheWeightOfTheFirst) {
  FeedKit kit(KitOptions());
  const auto maker = kit.Maker(kit.Spec(GetParam()));
  const Recipe& recipe = maker->spec().recipe;
  const BatchFormat pairs(PixelFormat(), TargetForm::kPairs);
  if (recipe.guesses() || recipe.mix.label_smoothing > 0 || recipe.mix.sources > 2) {
    EXPECT_EQ(std::string(maker->Make(0, pairs, {}).status().message()),
              "targets is pairs; allowed: soft when the recipe guesses, smooths labels or mixes "
              "more than two images");
    return;
  }
  const auto batch = Made(*maker, 1, pairs);
  const auto soft = Made(*maker, 1, {});
  for (size_t r = 0; r < batch->rows.size(); ++r) {
    const auto pair = batch->targets.subspan(r * 3, 3);
    std::vector<double> target(kClasses, 0.0);
    target.at(static_cast<size_t>(pair[0])) += pair[2];
    target.at(static_cast<size_t>(pair[1])) += 1 - pair[2];
    for (size_t c = 0; c < kClasses; ++c) {
      EXPECT_NEAR(target[c], soft->targets[r * kClasses + c], 1e-6) << r;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, EveryPresetBatchTest, ::testing::ValuesIn(PresetNames()),
                         [](const auto& preset) {
                           std::string name = preset.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

}  // namespace
}  // namespace mixfeed
