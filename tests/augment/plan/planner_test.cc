#include "augment/plan/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>
#include <type_traits>
#include <vector>

#include "tests/augment/plan/plan_testing.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::kTestImages;
using ::mixfeed::testing::MakePlanner;
using ::mixfeed::testing::PresetSpec;
using ::mixfeed::testing::SmallSplit;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int32_t> Samples(const Plan& plan) {
  std::vector<int32_t> samples;
  for (const ViewPlan& row : plan.rows) samples.push_back(row.sample);
  return samples;
}

std::vector<ViewPlan> WithoutSamples(const Plan& plan) {
  std::vector<ViewPlan> rows = plan.rows;
  for (ViewPlan& row : rows) row.sample = 0;
  return rows;
}

std::vector<ViewPlan> Rows(const Plan& plan, int begin, int end) {
  return {plan.rows.begin() + begin, plan.rows.begin() + end};
}

// --- layout ---

static_assert(!std::is_copy_constructible_v<Planner> && !std::is_copy_assignable_v<Planner>);

TEST(PlannerTest, MixMatchRowsAreLabelledThenUnlabelledViewByView) {
  FeedSpec spec = PresetSpec("mixmatch", 16);
  spec.recipe.views = 3;
  const Plan plan = MakePlanner(spec)->MakePlan(5).value();
  EXPECT_EQ(plan.step, 5);
  EXPECT_EQ(plan.labelled_rows, 16);
  EXPECT_EQ(plan.unlabelled_rows, 16);
  EXPECT_EQ(plan.views, 3);
  ASSERT_EQ(plan.size(), 64);
  EXPECT_EQ(plan.partner.size(), 64u);
  EXPECT_EQ(plan.lambda.size(), 64u);
  for (int row = 0; row < 64; ++row) {
    const ViewPlan& view = plan.rows[static_cast<size_t>(row)];
    EXPECT_EQ(view.pool, row < 16 ? PoolId::kLabelled : PoolId::kUnlabelled);
    EXPECT_EQ(view.view, row < 16 ? 0 : (row - 16) / 16);
    EXPECT_EQ(view.sample / 1000, row < 16 ? 0 : 1);
    if (row >= 32) {
      EXPECT_EQ(view.sample, plan.rows[static_cast<size_t>(row - 16)].sample);
    }
  }
}

TEST(PlannerTest, MixupHasLabelledRowsOnly) {
  const Plan plan = MakePlanner(PresetSpec("mixup", 16))->MakePlan(0).value();
  EXPECT_EQ(plan.size(), 16);
  EXPECT_EQ(plan.labelled_rows, 16);
  EXPECT_EQ(plan.unlabelled_rows, 0);
  EXPECT_EQ(plan.views, 0);
  for (const ViewPlan& row : plan.rows) EXPECT_EQ(row.pool, PoolId::kLabelled);
}

TEST(PlannerTest, UnmixedRowsStandAlone) {
  for (const char* preset : {"supervised", "eval"}) {
    const Plan plan = MakePlanner(PresetSpec(preset, 4))->MakePlan(0).value();
    EXPECT_THAT(plan.partner, ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(plan.lambda, Each(1.0f));
  }
}

TEST(PlannerTest, BatchesOfOneAndOfTheMostRowsWork) {
  FeedSpec spec = PresetSpec("mixmatch", 1);
  EXPECT_EQ(MakePlanner(spec)->MakePlan(0)->size(), 3);
  spec.batch = kMaxBatch;
  spec.recipe.labelled_sampling = spec.recipe.unlabelled_sampling = Sampling::kTiled;
  spec.recipe.views = kMaxViews;
  const Plan plan = MakePlanner(spec)->MakePlan(0).value();
  EXPECT_EQ(plan.size(), 36864);
  EXPECT_EQ(*std::max_element(plan.partner.begin(), plan.partner.end()), 36863);
}

TEST(PlannerTest, ReversedAndRolledPartnersAreUsed) {
  FeedSpec spec = PresetSpec("mixup", 4);
  spec.recipe.mix.pairing = Pairing::kReversed;
  EXPECT_THAT(MakePlanner(spec)->MakePlan(3)->partner, ElementsAre(3, 2, 1, 0));
  spec.recipe.mix.pairing = Pairing::kRolled;
  EXPECT_THAT(MakePlanner(spec)->MakePlan(3)->partner, ElementsAre(3, 0, 1, 2));
}

// --- purity ---

TEST(PlannerTest, SameStepSamePlanOnAnyThreadCount) {
  constexpr int kSteps = 40;
  const auto planner = MakePlanner(PresetSpec("mixmatch"));
  std::vector<Plan> expected;
  for (int step = 0; step < kSteps; ++step) expected.push_back(planner->MakePlan(step).value());
  std::vector<std::thread> threads;
  for (int t = 0; t < 5; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kSteps; ++i) {
        const int step = (t % 2 == 0 ? i : kSteps - 1 - i) * (t + 1) % kSteps;
        EXPECT_TRUE(planner->MakePlan(step).value() == expected[static_cast<size_t>(step)]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(PlannerTest, AnotherPlannerOfTheSameSpecAgrees) {
  const FeedSpec spec = PresetSpec("mixmatch");
  for (const int64_t step : {int64_t{0}, int64_t{77}, kMaxStep}) {
    EXPECT_TRUE(MakePlanner(spec)->MakePlan(step).value() ==
                MakePlanner(spec)->MakePlan(step).value());
  }
}

TEST(PlannerTest, StepsAndSeedsGiveDifferentPlans) {
  const FeedSpec spec = PresetSpec("mixmatch");
  FeedSpec other = spec;
  other.seed = spec.seed + 1;
  const Plan plan = MakePlanner(spec)->MakePlan(3).value();
  for (const Plan& different :
       {MakePlanner(spec)->MakePlan(4).value(), MakePlanner(other)->MakePlan(3).value()}) {
    EXPECT_NE(Samples(plan), Samples(different));
    EXPECT_FALSE(WithoutSamples(plan) == WithoutSamples(different));
    EXPECT_NE(plan.partner, different.partner);
    EXPECT_NE(plan.lambda, different.lambda);
  }
}

// --- what depends on what ---

TEST(PlannerTest, AnotherSplitChangesTheSamplesOnly) {
  const FeedSpec spec = PresetSpec("mixmatch");
  Split other = SmallSplit();
  std::reverse(other.labelled.begin(), other.labelled.end());
  std::reverse(other.unlabelled.begin(), other.unlabelled.end());
  const Plan plan = MakePlanner(spec)->MakePlan(3).value();
  const Plan with_other = MakePlanner(spec, other)->MakePlan(3).value();
  EXPECT_NE(Samples(plan), Samples(with_other));
  EXPECT_EQ(WithoutSamples(plan), WithoutSamples(with_other));
  EXPECT_EQ(plan.partner, with_other.partner);
  EXPECT_EQ(plan.lambda, with_other.lambda);
}

TEST(PlannerTest, TheSplitSeedItselfIsNotDrawnWith) {
  FeedSpec spec = PresetSpec("mixmatch");
  const Plan plan = MakePlanner(spec)->MakePlan(3).value();
  spec.split.seed = 5;
  EXPECT_TRUE(MakePlanner(spec)->MakePlan(3).value() == plan);
}

TEST(PlannerTest, LabelledRowsDoNotDependOnUnlabelledSettings) {
  const FeedSpec spec = PresetSpec("mixmatch", 16);
  const std::vector<ViewPlan> labelled = Rows(MakePlanner(spec)->MakePlan(9).value(), 0, 16);

  FeedSpec changed = spec;
  changed.recipe.views = 5;
  changed.recipe.unlabelled_sampling = Sampling::kWithReplacement;
  Split fewer = SmallSplit();
  fewer.unlabelled.resize(7);
  EXPECT_EQ(Rows(MakePlanner(changed, fewer)->MakePlan(9).value(), 0, 16), labelled);

  changed.recipe = FindPreset("supervised").value();
  EXPECT_EQ(Rows(MakePlanner(changed, fewer)->MakePlan(9).value(), 0, 16), labelled);
}

TEST(PlannerTest, UnlabelledRowsDoNotDependOnLabelledSettings) {
  const FeedSpec spec = PresetSpec("mixmatch", 16);
  FeedSpec changed = spec;
  changed.recipe.labelled_sampling = Sampling::kWithReplacement;
  Split fewer = SmallSplit();
  fewer.labelled.resize(7);
  EXPECT_EQ(Rows(MakePlanner(changed, fewer)->MakePlan(9).value(), 16, 48),
            Rows(MakePlanner(spec)->MakePlan(9).value(), 16, 48));
}

TEST(PlannerTest, AFurtherViewLeavesTheOthersAsTheyWere) {
  FeedSpec spec = PresetSpec("mixmatch", 16);
  const std::vector<ViewPlan> two = Rows(MakePlanner(spec)->MakePlan(9).value(), 0, 48);
  spec.recipe.views = 3;
  EXPECT_EQ(Rows(MakePlanner(spec)->MakePlan(9).value(), 0, 48), two);
}

TEST(PlannerTest, PaddingChangesTheCropsOnly) {
  FeedSpec spec = PresetSpec("mixmatch", 16);
  const Plan plan = MakePlanner(spec)->MakePlan(9).value();
  spec.recipe.view.pad = 0;
  Plan unpadded = MakePlanner(spec)->MakePlan(9).value();
  for (size_t row = 0; row < unpadded.rows.size(); ++row) {
    EXPECT_EQ(unpadded.rows[row].crop_y, 0);
    EXPECT_EQ(unpadded.rows[row].crop_x, 0);
    unpadded.rows[row].crop_y = plan.rows[row].crop_y;
    unpadded.rows[row].crop_x = plan.rows[row].crop_x;
  }
  EXPECT_TRUE(unpadded == plan);
}

// --- ordered feeds ---

// The official split's unlabelled list follows the classes, which trainers must not see.
TEST(PlannerTest, TheOrderOfTheUnlabelledListDoesNotShow) {
  Split reversed = SmallSplit();
  std::reverse(reversed.unlabelled.begin(), reversed.unlabelled.end());
  FeedSpec eval = PresetSpec("eval");
  eval.recipe.ordered_pool = PoolId::kUnlabelled;
  for (const FeedSpec& spec : {PresetSpec("mixmatch"), eval}) {
    EXPECT_TRUE(MakePlanner(spec, reversed)->MakePlan(3).value() ==
                MakePlanner(spec)->MakePlan(3).value());
  }
}

TEST(PlannerTest, OrderedFeedsPassOnceInOrderWithAShortLastBatch) {
  FeedSpec spec = PresetSpec("eval", 16);
  const Split split = SmallSplit();
  std::vector<int32_t> test(kTestImages);
  std::iota(test.begin(), test.end(), 0);
  const std::pair<PoolId, std::vector<int32_t>> pools[] = {{PoolId::kTest, test},
                                                           {PoolId::kLabelled, split.labelled},
                                                           {PoolId::kUnlabelled, split.unlabelled},
                                                           {PoolId::kValidation, split.validation}};
  for (const auto& [pool, expected] : pools) {
    spec.recipe.ordered_pool = pool;
    const auto planner = MakePlanner(spec);
    std::vector<int32_t> samples;
    for (int64_t step = 0; step < planner->steps().value(); ++step) {
      const Plan plan = planner->MakePlan(step).value();
      EXPECT_EQ(plan.labelled_rows, plan.size());
      for (const ViewPlan& row : plan.rows) {
        EXPECT_EQ(row.pool, pool);
        EXPECT_EQ(row.flip + row.crop_y + row.crop_x + row.view, 0);
        samples.push_back(row.sample);
      }
    }
    EXPECT_EQ(samples, expected);
  }
}

TEST(PlannerTest, OrderedFeedsCountTheirSteps) {
  EXPECT_EQ(MakePlanner(PresetSpec("eval", 16))->steps(), 4);
  EXPECT_EQ(MakePlanner(PresetSpec("eval", 16))->MakePlan(3)->size(), 2);
  EXPECT_EQ(MakePlanner(PresetSpec("eval", 25))->steps(), 2);
  EXPECT_EQ(MakePlanner(PresetSpec("eval", 25))->MakePlan(1)->size(), 25);
  EXPECT_EQ(MakePlanner(PresetSpec("eval", 64))->steps(), 1);
  EXPECT_EQ(MakePlanner(PresetSpec("eval", 64))->MakePlan(0)->size(), 50);
  EXPECT_EQ(MakePlanner(PresetSpec("mixmatch"))->steps(), std::nullopt);
}

// --- errors ---

TEST(PlannerTest, RefusesStepsOutOfRange) {
  const auto endless = MakePlanner(PresetSpec("mixup"));
  const auto ordered = MakePlanner(PresetSpec("eval", 16));
  EXPECT_TRUE(endless->MakePlan(kMaxStep).ok());
  for (const absl::Status& status :
       {endless->MakePlan(-1).status(), endless->MakePlan(kMaxStep + 1).status(),
        endless->MakePlan(std::numeric_limits<int64_t>::max()).status(),
        ordered->MakePlan(-1).status(), ordered->MakePlan(4).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange) << status;
  }
  EXPECT_EQ(ordered->MakePlan(4).status().message(), "step is 4; allowed: 0..3");
}

TEST(PlannerTest, RefusesAnInvalidSpec) {
  FeedSpec spec = PresetSpec("mixmatch");
  spec.batch = 0;
  EXPECT_EQ(Planner::Create(spec, testing::SmallData()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

struct EmptyPool {
  const char* preset;
  PoolId pool;
};

class PlannerEmptyPoolTest : public ::testing::TestWithParam<EmptyPool> {};

TEST_P(PlannerEmptyPoolTest, IsRefusedExactlyWhenTheRecipeDrawsFromIt) {
  const auto& [preset, pool] = GetParam();
  Split split = SmallSplit();
  int64_t test_count = kTestImages;
  FeedSpec spec = PresetSpec(preset);
  if (spec.recipe.rows == RowSource::kOrdered) spec.recipe.ordered_pool = pool;
  if (pool == PoolId::kLabelled) split.labelled.clear();
  if (pool == PoolId::kUnlabelled) split.unlabelled.clear();
  if (pool == PoolId::kValidation) split.validation.clear();
  if (pool == PoolId::kTest) test_count = 0;
  const absl::Status status =
      Planner::Create(spec, {.split = split, .test_count = test_count}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("; allowed: those with which the "));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(" pool of dataset \"small\", which the recipe draws from, has "
                        "1..2147483647 images; it has 0"));
}

INSTANTIATE_TEST_SUITE_P(Pools, PlannerEmptyPoolTest,
                         ::testing::Values(EmptyPool{"mixmatch", PoolId::kLabelled},
                                           EmptyPool{"mixmatch", PoolId::kUnlabelled},
                                           EmptyPool{"mixup", PoolId::kLabelled},
                                           EmptyPool{"eval", PoolId::kLabelled},
                                           EmptyPool{"eval", PoolId::kUnlabelled},
                                           EmptyPool{"eval", PoolId::kValidation},
                                           EmptyPool{"eval", PoolId::kTest}));

TEST(PlannerTest, PoolsThatARecipeDoesNotReadMayBeEmpty) {
  Split split = SmallSplit();
  split.unlabelled.clear();
  split.validation.clear();
  EXPECT_TRUE(Planner::Create(PresetSpec("mixup"), {.split = split}).ok());
  EXPECT_TRUE(Planner::Create(PresetSpec("eval"), {.test_count = 1}).ok());
}

TEST(PlannerTest, RefusesMoreTestImagesThanASampleIndexHolds) {
  const absl::Status status =
      Planner::Create(PresetSpec("eval"), {.test_count = int64_t{1} << 31}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace mixfeed
