// What the plans of many steps must be distributed like. "Trap" numbers are those of the table
// in augment/recipe/README.md.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "tests/augment/plan/plan_testing.h"
#include "tests/augment/plan/statistics.h"
#include "tests/augment/recipe/golden_file.h"
#include "tests/augment/recipe/golden_statistics.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::FirstPlans;
using ::mixfeed::testing::LooksLikeRate;
using ::mixfeed::testing::LooksUniform;
using ::mixfeed::testing::MakePlanner;
using ::mixfeed::testing::PresetSpec;
using ::mixfeed::testing::SmallSplit;

std::vector<ViewPlan> AllRows(const std::vector<Plan>& plans) {
  std::vector<ViewPlan> rows;
  for (const Plan& plan : plans) rows.insert(rows.end(), plan.rows.begin(), plan.rows.end());
  return rows;
}

TEST(PlannerStatisticsTest, FlipsHaveTheirProbability) {
  for (const double probability : {0.0, 0.2, 0.5, 1.0}) {
    FeedSpec spec = PresetSpec("mixmatch");
    spec.recipe.view.flip_probability = probability;
    const std::vector<ViewPlan> rows = AllRows(FirstPlans(spec, 300));
    const auto flips =
        std::count_if(rows.begin(), rows.end(), [](const ViewPlan& row) { return row.flip == 1; });
    EXPECT_TRUE(LooksLikeRate(flips, static_cast<int64_t>(rows.size()), probability)) << flips;
  }
}

TEST(PlannerStatisticsTest, FlipsAreAsOftenAsTheReferences) {
  std::vector<int64_t> counts(2);
  for (const ViewPlan& row : AllRows(FirstPlans(PresetSpec("mixmatch/fastai"), 300))) {
    ++counts.at(static_cast<size_t>(row.flip));
  }
  EXPECT_TRUE(testing::LooksLikeGolden(
      counts, testing::ReadGolden("distributions.txt", "counts", "fastai-flip_lr-run")));
}

// Trap 11: offsets are 0..2 pad, both ends included, in each direction.
TEST(PlannerStatisticsTest, CropOffsetsAreUniformBothEndsIncluded) {
  for (const int pad : {1, 2, 4, 64}) {
    FeedSpec spec = PresetSpec("mixmatch");
    spec.recipe.view.pad = pad;
    const auto offsets = static_cast<size_t>(2 * pad + 1);
    std::vector<int64_t> y(offsets);
    std::vector<int64_t> x(offsets);
    std::vector<int64_t> both(offsets * offsets);
    for (const ViewPlan& row : AllRows(FirstPlans(spec, 600))) {
      ++y.at(static_cast<size_t>(row.crop_y));
      ++x.at(static_cast<size_t>(row.crop_x));
      ++both.at(static_cast<size_t>(row.crop_y) * offsets + static_cast<size_t>(row.crop_x));
    }
    EXPECT_TRUE(LooksUniform(y)) << pad;
    EXPECT_TRUE(LooksUniform(x)) << pad;
    if (pad <= 4) {
      EXPECT_TRUE(LooksUniform(both)) << pad;
    }
  }
}

// Trap 13: every view draws its own flip and crop; neighbouring rows and steps too.
TEST(PlannerStatisticsTest, ViewsOfAnImageAreIndependent) {
  constexpr int kBatch = 16;
  const auto same_crop_rate = [](const std::vector<Plan>& plans, int first, int second, int shift) {
    int64_t same_crop = 0;
    int64_t same_flip = 0;
    int64_t pairs = 0;
    for (size_t i = static_cast<size_t>(shift); i < plans.size(); ++i) {
      for (size_t row = 0; row + 1 < kBatch; ++row, ++pairs) {
        const ViewPlan& a = plans[i].rows[static_cast<size_t>(first) + row];
        const ViewPlan& b =
            plans[i - static_cast<size_t>(shift)].rows[static_cast<size_t>(second) + row];
        same_crop += a.crop_y == b.crop_y && a.crop_x == b.crop_x ? 1 : 0;
        same_flip += a.flip == b.flip ? 1 : 0;
      }
    }
    return LooksLikeRate(same_crop, pairs, 1.0 / 81) && LooksLikeRate(same_flip, pairs, 0.5);
  };
  const std::vector<Plan> plans = FirstPlans(PresetSpec("mixmatch", kBatch), 1000);
  EXPECT_TRUE(same_crop_rate(plans, kBatch, 2 * kBatch, 0)) << "views of one image";
  EXPECT_TRUE(same_crop_rate(plans, 0, kBatch, 0)) << "a labelled and an unlabelled image";
  EXPECT_TRUE(same_crop_rate(plans, 0, 1, 0)) << "neighbouring rows";
  EXPECT_TRUE(same_crop_rate(plans, kBatch, kBatch, 1)) << "consecutive steps";
}

TEST(PlannerStatisticsTest, FlipsAndCropsAreIndependent) {
  std::vector<int64_t> counts(18);
  for (const ViewPlan& row : AllRows(FirstPlans(PresetSpec("mixmatch"), 600))) {
    ++counts.at(static_cast<size_t>(row.crop_y * 2 + row.flip));
  }
  EXPECT_TRUE(LooksUniform(counts));
}

TEST(PlannerStatisticsTest, EverySampleOnceAnEpochInBothStreams) {
  const std::vector<Plan> plans = FirstPlans(PresetSpec("mixmatch", 10), 39);
  std::map<int32_t, int> counts;
  for (const Plan& plan : plans) {
    for (size_t row = 0; row < 20; ++row) ++counts[plan.rows[row].sample];
  }
  // 390 rows of each stream: 9.75 epochs of 40, 3 epochs of 130.
  for (const int32_t sample : SmallSplit().labelled) {
    EXPECT_TRUE(counts[sample] == 9 || counts[sample] == 10) << sample;
  }
  for (const int32_t sample : SmallSplit().unlabelled) EXPECT_EQ(counts[sample], 3) << sample;
}

// Trap 1: the official code draws lambda per row; trap 2: and takes the larger part.
TEST(PlannerStatisticsTest, MixMatchLambdasDifferByRowAndAreAtLeastHalf) {
  double sum = 0;
  int64_t count = 0;
  FeedSpec spec = PresetSpec("mixmatch", 64);
  spec.recipe.labelled_sampling = Sampling::kTiled;
  for (const Plan& plan : FirstPlans(spec, 300)) {
    const std::set<float> distinct(plan.lambda.begin(), plan.lambda.end());
    EXPECT_GT(distinct.size(), 180u);
    for (const float lambda : plan.lambda) {
      EXPECT_GE(lambda, 0.5f);
      EXPECT_LE(lambda, 1.0f);
      sum += static_cast<double>(lambda);
      ++count;
    }
  }
  EXPECT_NEAR(sum / static_cast<double>(count), 0.778, 0.004);  // E[max(l, 1 - l)] at 0.75
}

TEST(PlannerStatisticsTest, MixupHasOneLambdaABatchWithoutFloor) {
  std::vector<double> lambdas;
  for (const Plan& plan : FirstPlans(PresetSpec("mixup", 16), 4000)) {
    EXPECT_EQ(std::count(plan.lambda.begin(), plan.lambda.end(), plan.lambda[0]), 16);
    lambdas.push_back(static_cast<double>(plan.lambda[0]));
  }
  // Beta(1, 1) is uniform.
  EXPECT_LT(testing::KsDistance(
                lambdas, [](double x) { return x; }, 1),
            testing::kMaxKsDistance);
}

TEST(PlannerStatisticsTest, TheFloorIsTheOnlyThingThatItChanges) {
  FeedSpec spec = PresetSpec("mixmatch");
  const Plan floored = MakePlanner(spec)->MakePlan(3).value();
  spec.recipe.mix.lambda_floor = false;
  const Plan plain = MakePlanner(spec)->MakePlan(3).value();
  EXPECT_EQ(floored.partner, plain.partner);
  int below = 0;
  for (size_t row = 0; row < plain.lambda.size(); ++row) {
    EXPECT_NEAR(floored.lambda[row], std::max(plain.lambda[row], 1 - plain.lambda[row]), 1e-7);
    below += plain.lambda[row] < 0.5f ? 1 : 0;
  }
  EXPECT_GT(below, 0);
}

// One permutation over labelled rows and all K views, so partners of labelled rows are
// unlabelled K times of K + 1.
TEST(PlannerStatisticsTest, Trap5LabelledRowsMeetUnlabelledOnesByTheirShare) {
  for (const int views : {1, 2, 8}) {
    FeedSpec spec = PresetSpec("mixmatch", 16);
    spec.recipe.views = views;
    int64_t unlabelled = 0;
    int64_t rows = 0;
    for (const Plan& plan : FirstPlans(spec, 1000)) {
      for (size_t row = 0; row < 16; ++row, ++rows) unlabelled += plan.partner[row] >= 16 ? 1 : 0;
    }
    EXPECT_TRUE(LooksLikeRate(unlabelled, rows, views / (views + 1.0))) << views;
  }
}

// Rows that meet themselves stay.
TEST(PlannerStatisticsTest, Trap19RowsMeetThemselvesAtTheExpectedRate) {
  int64_t self = 0;
  int64_t rows = 0;
  for (const Plan& plan : FirstPlans(PresetSpec("mixmatch", 16), 3000)) {
    for (size_t row = 0; row < plan.partner.size(); ++row, ++rows) {
      self += plan.partner[row] == static_cast<int32_t>(row) ? 1 : 0;
    }
  }
  EXPECT_TRUE(LooksLikeRate(self, rows, 1.0 / 48)) << self;
}

}  // namespace
}  // namespace mixfeed
