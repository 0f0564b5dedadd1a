// Mirrors and crops of single views, and what of them a feed's epochs repeat.

#include "augment/plan/view_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "tests/augment/plan/plan_testing.h"
#include "tests/augment/plan/statistics.h"
#include "tests/augment/recipe/golden_file.h"
#include "tests/augment/recipe/golden_statistics.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::FirstPlans;
using ::mixfeed::testing::LooksLikeGolden;
using ::mixfeed::testing::LooksLikeRate;
using ::mixfeed::testing::PresetSpec;
using ::mixfeed::testing::ReadGolden;

constexpr int kDraws = 20000;
constexpr ImageShape kShape = {3, 32, 32};

std::vector<ViewPlan> Views(const ViewSpec& spec, int count = kDraws) {
  const ViewSampler sampler(spec, kShape, 5);
  std::vector<ViewEffects> effects;
  std::vector<ViewPlan> views;
  for (int step = 0; step < count; ++step) {
    views.push_back(sampler.Draw({.step = step}, PoolId::kLabelled, {}, &effects));
  }
  return views;
}

ViewSpec WithoutLast(ViewOrder order) {
  ViewSpec spec;
  spec.crop_range = CropRange::kWithoutLast;
  spec.order = order;
  return spec;
}

// Where the crop begins in the padded image as it was before mirroring.
int CropBeforeMirror(const ViewPlan& view, int pad) {
  return view.flip == 1 ? 2 * pad - view.crop_x : view.crop_x;
}

// Trap 11: YU1ut's randint(0, 8) never draws 8. It crops first, so that its offsets are those of
// the image as it is.
TEST(ViewSamplerTest, CropsWithoutTheLastAreYu1uts) {
  std::vector<int64_t> y(9), x(9);
  for (const ViewPlan& view : Views(WithoutLast(ViewOrder::kCropFirst))) {
    ++y.at(static_cast<size_t>(view.crop_y));
    ++x.at(static_cast<size_t>(CropBeforeMirror(view, 4)));
  }
  EXPECT_EQ(y[8] + x[8], 0);
  const auto golden = ReadGolden("distributions.txt", "counts", "yu1ut-crop");
  EXPECT_TRUE(LooksLikeGolden(y, golden));
  EXPECT_TRUE(LooksLikeGolden(x, golden));
}

// Trap 12: mirrored first, the missing offset is that of the mirrored image, so that images shift
// to one side: what is not drawn is 8 of plain views and, of mirrored ones, 0 of the image as it
// is.
TEST(ViewSamplerTest, MirroredFirstTheMissingOffsetIsOnTheOtherSide) {
  for (const ViewPlan& view : Views(WithoutLast(ViewOrder::kFlipFirst))) {
    EXPECT_LE(view.crop_x, 7);
    EXPECT_NE(CropBeforeMirror(view, 4), view.flip == 1 ? 0 : 8);
  }
}

TEST(ViewSamplerTest, CroppedFirstAMirroredViewHasTheOffsetFromTheOtherEnd) {
  const std::vector<ViewPlan> flipped_first = Views(WithoutLast(ViewOrder::kFlipFirst), 200);
  const std::vector<ViewPlan> cropped_first = Views(WithoutLast(ViewOrder::kCropFirst), 200);
  for (size_t i = 0; i < flipped_first.size(); ++i) {
    const ViewPlan& view = flipped_first[i];
    EXPECT_EQ(cropped_first[i].crop_y, view.crop_y);
    EXPECT_EQ(cropped_first[i].crop_x, view.flip == 1 ? 8 - view.crop_x : view.crop_x);
  }
}

TEST(ViewSamplerTest, AllCropsAreTorchvisionsInEitherOrder) {
  std::vector<int64_t> y(9), x(9);
  for (const ViewPlan& view : Views(ViewSpec())) {
    ++y.at(static_cast<size_t>(view.crop_y));
    ++x.at(static_cast<size_t>(view.crop_x));
  }
  const auto golden = ReadGolden("distributions.txt", "counts", "torchvision-crop");
  EXPECT_TRUE(LooksLikeGolden(y, golden));
  EXPECT_TRUE(LooksLikeGolden(x, golden));
}

// Feeds that differ in the order alone have one id where it makes no difference: so they must have
// one plan.
TEST(ViewSamplerTest, TheOrderDoesNotShowWhereAllOffsetsAreDrawn) {
  ViewSpec spec;
  const std::vector<ViewPlan> flipped_first = Views(spec, 200);
  spec.order = ViewOrder::kCropFirst;
  EXPECT_EQ(Views(spec, 200), flipped_first);
}

TEST(ViewSamplerTest, WithoutPaddingThereIsOneCrop) {
  ViewSpec spec;
  spec.pad = 0;
  for (const ViewPlan& view : Views(spec, 200)) EXPECT_EQ(view.crop_y + view.crop_x, 0);
}

TEST(ViewSamplerTest, PlainViewsHaveNoEffects) {
  for (const ViewPlan& view : Views(ViewSpec(), 200)) EXPECT_EQ(view.effects, -1);
}

// --- alternating flips ---

FeedSpec Alternating(const char* preset, int batch) {
  FeedSpec spec = PresetSpec(preset, batch);
  spec.recipe.view.flip_rule = FlipRule::kAlternating;
  return spec;
}

// 40 images in batches of 16: an epoch ends inside a batch.
TEST(AlternatingFlipsTest, EveryImageIsMirroredEveryOtherEpoch) {
  std::map<int32_t, int> first;
  int64_t drawn = 0;
  for (const Plan& plan : FirstPlans(Alternating("supervised", 16), 25)) {
    for (const ViewPlan& row : plan.rows) {
      const auto epoch = drawn++ / 40;
      const auto [known, is_first] = first.emplace(row.sample, row.flip);
      EXPECT_EQ(is_first, epoch == 0);
      EXPECT_EQ(row.flip, (known->second + epoch) % 2) << "epoch " << epoch;
    }
  }
  EXPECT_EQ(drawn, 400);
}

TEST(AlternatingFlipsTest, EveryViewOfAnUnlabelledImageAlternatesByItself) {
  FeedSpec spec = Alternating("mixmatch", 13);
  spec.recipe.views = 3;
  std::map<std::pair<int32_t, int>, int> first;
  for (const Plan& plan : FirstPlans(spec, 40)) {
    for (size_t row = 13; row < plan.rows.size(); ++row) {
      const ViewPlan& view = plan.rows[row];
      const auto known = first.emplace(std::pair(view.sample, view.view), view.flip).first;
      EXPECT_EQ(view.flip, (known->second + plan.step / 10) % 2);  // 130 images, 10 steps an epoch
    }
  }
  EXPECT_EQ(first.size(), 3u * 130);
  int64_t same = 0;
  for (const auto& [key, flip] : first) same += flip == first.at({key.first, 0}) ? 1 : 0;
  EXPECT_TRUE(LooksLikeRate(same - 130, 2 * 130, 0.5)) << same;
}

TEST(AlternatingFlipsTest, TheFirstEpochIsRandomWithTheFlipsProbability) {
  Split many;
  for (int32_t i = 0; i < 5000; ++i) many.labelled.push_back(i);
  for (const double probability : {0.0, 0.25, 1.0}) {
    FeedSpec spec = Alternating("supervised", 500);
    spec.recipe.view.flip_probability = probability;
    int64_t flips = 0;
    for (const Plan& plan : FirstPlans(spec, 10, many)) {
      for (const ViewPlan& row : plan.rows) flips += row.flip;
    }
    EXPECT_TRUE(LooksLikeRate(flips, 5000, probability)) << flips;
  }
}

TEST(AlternatingFlipsTest, ImagesKeepTheirFirstFlipUnderAnotherBatchSize) {
  const auto flips = [](int batch, int64_t steps) {
    std::map<int32_t, int> of_sample;
    for (const Plan& plan : FirstPlans(Alternating("supervised", batch), steps)) {
      for (const ViewPlan& row : plan.rows) of_sample.emplace(row.sample, row.flip);
    }
    return of_sample;
  };
  EXPECT_EQ(flips(8, 5), flips(40, 1));
}

}  // namespace
}  // namespace mixfeed
