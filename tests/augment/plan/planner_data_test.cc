// Data that do not fit a spec are refused before anything is drawn.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/augment/plan/plan_testing.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::PresetSpec;
using ::mixfeed::testing::SmallData;

std::string RefusalOf(const FeedSpec& spec, PlannerData data) {
  const absl::Status status = Planner::Create(spec, std::move(data)).status();
  if (!status.ok()) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  }
  return std::string(status.message());
}

PlannerData ImagesOf(int height, int width) {
  PlannerData data = SmallData();
  data.shape = {3, height, width};
  return data;
}

TEST(PlannerDataTest, ACutoutLargerThanTheImagesIsRefused) {
  FeedSpec spec = PresetSpec("cutout", 8);  // of 16 pixels
  EXPECT_EQ(RefusalOf(spec, ImagesOf(15, 32)),
            "recipe.view.cutout.size is 16; allowed: 0..15 on images of 15x32");
  EXPECT_EQ(RefusalOf(spec, ImagesOf(32, 8)),
            "recipe.view.cutout.size is 16; allowed: 0..8 on images of 32x8");
  EXPECT_EQ(RefusalOf(spec, ImagesOf(16, 16)), "");
  spec.recipe.view.cutout.size = 1;
  EXPECT_EQ(RefusalOf(spec, ImagesOf(1, 1)),
            "recipe.view.cutout.size is 1; allowed: 0..0 on images of 1x1");
  spec.recipe.view.cutout.size = 0;
  EXPECT_EQ(RefusalOf(spec, ImagesOf(1, 1)), "");
}

TEST(PlannerDataTest, BoxesAndWarpsNeedTwoPixelsASide) {
  EXPECT_EQ(RefusalOf(PresetSpec("cutmix", 8), ImagesOf(1, 8)),
            "recipe.mix.cutmix.probability is 1; allowed: 0 on images of 1x8");
  EXPECT_EQ(RefusalOf(PresetSpec("cutmix", 8), ImagesOf(2, 2)), "");
  EXPECT_EQ(RefusalOf(PresetSpec("mixmatch/fastai", 8), ImagesOf(8, 1)),
            "recipe.view.warp.max_rotation is 10; allowed: 0 on images of 8x1");
  EXPECT_EQ(RefusalOf(PresetSpec("mixmatch/fastai", 8), ImagesOf(2, 2)), "");
}

TEST(PlannerDataTest, BoxesOfMinMaxNeedAPixel) {
  FeedSpec spec = PresetSpec("cutmix/minmax", 8);
  spec.recipe.mix.cutmix.min_side = 0.1;
  spec.recipe.mix.cutmix.max_side = 0.24;
  EXPECT_EQ(
      RefusalOf(spec, ImagesOf(8, 8)),
      "recipe.mix.cutmix.max_side is 0.24; allowed: 0.25..1, for boxes of a pixel and more on "
      "images of 8x8");
  spec.recipe.mix.cutmix.max_side = 0.25;
  EXPECT_EQ(RefusalOf(spec, ImagesOf(8, 8)), "");
  // Of equal ends the one length is drawn.
  spec.recipe.mix.cutmix.min_side = spec.recipe.mix.cutmix.max_side = 0.125;
  EXPECT_EQ(RefusalOf(spec, ImagesOf(8, 8)), "");
}

TEST(PlannerDataTest, AnotherClassMustBeThere) {
  PlannerData data = SmallData();
  std::vector<int16_t> labels(data.labels.size(), 3);
  data.labels = labels;
  EXPECT_EQ(RefusalOf(PresetSpec("mixup/other-class", 8), data),
            "recipe.mix.partner.classes is other; allowed: any or same where all labelled images "
            "are of one class");
  EXPECT_EQ(RefusalOf(PresetSpec("mixup/same-class", 8), data), "");
  labels[static_cast<size_t>(data.split.labelled[1])] = 4;
  EXPECT_EQ(RefusalOf(PresetSpec("mixup/other-class", 8), data), "");
}

TEST(PlannerDataTest, ToneAloneNeedsNoSize) {
  FeedSpec spec = PresetSpec("mixup", 8);
  spec.recipe.view.warp.max_lighting = 0.2;
  EXPECT_EQ(RefusalOf(spec, ImagesOf(1, 1)), "");
}

TEST(PlannerDataTest, ClassesNeedLabels) {
  for (const char* preset : {"mixup/same-class", "mixup/other-class"}) {
    PlannerData data = SmallData();
    data.labels = {};
    EXPECT_EQ(RefusalOf(PresetSpec(preset, 8), data),
              "labels: needed when partners depend on classes");
  }
  PlannerData data = SmallData();
  data.labels = {};
  EXPECT_EQ(RefusalOf(PresetSpec("mixup", 8), data), "");
}

PlannerData WithNeighbours(int k, size_t points) {
  PlannerData data = SmallData();
  data.neighbours = std::make_shared<const NeighbourIndex>(
      k, std::vector<int32_t>(static_cast<size_t>(k) * points, 0));
  return data;
}

TEST(PlannerDataTest, NeighboursNeedAnIndexOfTheLabelledList) {
  constexpr char kRefusal[] =
      "neighbours: an index of the labelled list with as many neighbours as the recipe has is "
      "needed exactly when it has any";
  FeedSpec spec = PresetSpec("mixup/neighbours", 8);
  spec.recipe.mix.partner.neighbours = 3;
  EXPECT_EQ(RefusalOf(spec, SmallData()), kRefusal);
  EXPECT_EQ(RefusalOf(spec, WithNeighbours(3, 39)), kRefusal);
  EXPECT_EQ(RefusalOf(spec, WithNeighbours(4, 40)), kRefusal);
  EXPECT_EQ(RefusalOf(spec, WithNeighbours(3, 40)), "");
  EXPECT_EQ(RefusalOf(PresetSpec("mixup", 8), WithNeighbours(3, 40)), kRefusal);
}

TEST(PlannerDataTest, NeighboursAreTheOnlyPartners) {
  FeedSpec spec = PresetSpec("mixup/neighbours", 8);
  spec.recipe.mix.partner.neighbours = 1;
  std::vector<int32_t> next(40);  // of each place the next one
  for (size_t i = 0; i < next.size(); ++i) next[i] = static_cast<int32_t>((i + 1) % 40);
  PlannerData data = SmallData();
  data.neighbours = std::make_shared<const NeighbourIndex>(1, next);
  const auto planner = Planner::Create(spec, data).value();
  for (int64_t step = 0; step < 20; ++step) {
    const Plan plan = planner->MakePlan(step).value();
    for (size_t row = 0; row < 8; ++row) {
      // SmallSplit's labelled images are 100..139.
      EXPECT_EQ(plan.rows[row + 8].sample, 100 + (plan.rows[row].sample - 100 + 1) % 40);
    }
  }
}

TEST(PlannerDataTest, AnEmptyPoolOfPartnersIsRefused) {
  Split split = testing::SmallSplit();
  split.unlabelled.clear();
  const absl::Status status =
      Planner::Create(PresetSpec("label-preserving/unlabelled", 8), SmallData(split)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(status.message()),
            "split.labelled is 250; allowed: those with which the unlabelled pool of dataset "
            "\"small\", which the recipe draws from, has 1..2147483647 images; it has 0");
}

}  // namespace
}  // namespace mixfeed
