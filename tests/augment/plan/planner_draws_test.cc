// What is drawn once for what: lambdas, boxes, whether a row is mixed, by row, batch and pair.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
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
using ::mixfeed::testing::LooksUniform;
using ::mixfeed::testing::MakePlanner;
using ::mixfeed::testing::PresetSpec;
using ::mixfeed::testing::ReadGolden;

// Rows of a batch of 8, reversed: no row is its own partner, so that it shows who is mixed.
FeedSpec ReversedSpec(int batch = 8) {
  FeedSpec spec = PresetSpec("mixup", batch);
  spec.recipe.mix.pairing = Pairing::kReversed;
  return spec;
}

bool IsMixed(const Plan& plan, size_t row) {
  return plan.partner[row] != static_cast<int32_t>(row);
}

// A box of less than two pixels a side is empty, and leaves lambda 1.
bool IsCut(const Plan& plan, size_t row) {
  return IsMixed(plan, row) && !plan.box.empty() &&
         (!plan.box[row].empty() || plan.lambda[row] == 1);
}

// --- scopes ---

TEST(DrawScopeTest, LambdasAreDrawnForRowsBatchesAndPairs) {
  for (const DrawScope scope : {DrawScope::kPerRow, DrawScope::kPerBatch, DrawScope::kPerPair}) {
    FeedSpec spec = ReversedSpec();
    spec.recipe.mix.lambda_scope = scope;
    const size_t draws = scope == DrawScope::kPerRow ? 8 : scope == DrawScope::kPerPair ? 4 : 1;
    std::vector<double> first;
    for (const Plan& plan : FirstPlans(spec, 2000)) {
      EXPECT_EQ(std::set<float>(plan.lambda.begin(), plan.lambda.end()).size(), draws);
      for (size_t row = 0; row < 8 && scope == DrawScope::kPerPair; ++row) {
        EXPECT_EQ(plan.lambda[row], plan.lambda[7 - row]);
      }
      first.push_back(static_cast<double>(plan.lambda[3]));
    }
    EXPECT_LT(testing::KsDistance(
                  first, [](double x) { return x; }, 1),
              testing::kMaxKsDistance);
  }
}

TEST(DrawScopeTest, BoxesAreDrawnForRowsBatchesAndPairs) {
  for (const DrawScope scope : {DrawScope::kPerRow, DrawScope::kPerBatch, DrawScope::kPerPair}) {
    FeedSpec spec = ReversedSpec();
    spec.recipe.mix.lambda_scope = scope;
    spec.recipe.mix.cutmix.probability = 1;
    for (const Plan& plan : FirstPlans(spec, 50)) {
      ASSERT_EQ(plan.box.size(), 8u);
      size_t same_as_first = 0;
      for (size_t row = 0; row < 8; ++row) {
        same_as_first += plan.box[row] == plan.box[0] ? 1 : 0;
        if (scope == DrawScope::kPerPair) {
          EXPECT_EQ(plan.box[row], plan.box[7 - row]);
        }
      }
      if (scope == DrawScope::kPerBatch) {
        EXPECT_EQ(same_as_first, 8u);
      }
      if (scope == DrawScope::kPerRow) {
        EXPECT_LT(same_as_first, 8u);
      }
    }
  }
}

// ffcv's do: it seeds them by the index of the batch's last image.
TEST(DrawScopeTest, Trap17LambdasDoNotDependOnTheSamples) {
  Split other = testing::SmallSplit();
  std::reverse(other.labelled.begin(), other.labelled.end());
  const std::vector<Plan> plans = FirstPlans(ReversedSpec(), 20);
  const std::vector<Plan> of_other = FirstPlans(ReversedSpec(), 20, other);
  std::set<float> lambdas;
  for (size_t step = 0; step < plans.size(); ++step) {
    EXPECT_EQ(plans[step].lambda, of_other[step].lambda);
    lambdas.insert(plans[step].lambda[0]);
  }
  EXPECT_EQ(lambdas.size(), 20u);
}

// --- chance ---

// timm with prob 0.6 and switch_prob 0.3, alphas 0.8 and 1.
FeedSpec TimmSpec(DrawScope scope) {
  FeedSpec spec = ReversedSpec();
  MixSpec& mix = spec.recipe.mix;
  mix.alpha = mix.beta = 0.8;
  mix.lambda_scope = mix.probability_scope = scope;
  mix.probability = 0.6;
  mix.cutmix.probability = 0.3;
  return spec;
}

struct ChanceCounts {
  std::vector<int64_t> mixed, cut;
};

// Of the first `units` rows of each step, how many are mixed and how many of these are cut.
ChanceCounts CountsOf(const FeedSpec& spec, size_t units) {
  ChanceCounts counts = {std::vector<int64_t>(units + 1), std::vector<int64_t>(units + 1)};
  for (const Plan& plan : FirstPlans(spec, 20000)) {
    size_t mixed = 0, cut = 0;
    for (size_t row = 0; row < units; ++row) {
      mixed += IsMixed(plan, row) ? 1 : 0;
      cut += IsCut(plan, row) ? 1 : 0;
    }
    ++counts.mixed[mixed];
    ++counts.cut[cut];
  }
  return counts;
}

TEST(MixingChanceTest, RowsAndPairsAreMixedAndCutAsTimmsAre) {
  const ChanceCounts rows = CountsOf(TimmSpec(DrawScope::kPerRow), 8);
  EXPECT_TRUE(
      LooksLikeGolden(rows.mixed, ReadGolden("distributions.txt", "counts", "timm-elem-mixed")));
  EXPECT_TRUE(
      LooksLikeGolden(rows.cut, ReadGolden("distributions.txt", "counts", "timm-elem-cut")));
  const ChanceCounts pairs = CountsOf(TimmSpec(DrawScope::kPerPair), 4);
  EXPECT_TRUE(
      LooksLikeGolden(pairs.mixed, ReadGolden("distributions.txt", "counts", "timm-pair-mixed")));
  EXPECT_TRUE(
      LooksLikeGolden(pairs.cut, ReadGolden("distributions.txt", "counts", "timm-pair-cut")));
}

TEST(MixingChanceTest, BatchesAreMixedAndCutAsTimmsAre) {
  const ChanceCounts batches = CountsOf(TimmSpec(DrawScope::kPerBatch), 1);
  EXPECT_TRUE(LooksLikeGolden(batches.mixed,
                              ReadGolden("distributions.txt", "counts", "timm-batch-mixed")));
  // The golden counts cuts among mixed batches only.
  EXPECT_TRUE(LooksLikeGolden({batches.mixed[1] - batches.cut[1], batches.cut[1]},
                              ReadGolden("distributions.txt", "counts", "timm-batch-cut")));
}

TEST(MixingChanceTest, PairsAndBatchesShareTheChoice) {
  for (const Plan& plan : FirstPlans(TimmSpec(DrawScope::kPerPair), 200)) {
    for (size_t row = 0; row < 8; ++row) EXPECT_EQ(IsMixed(plan, row), IsMixed(plan, 7 - row));
  }
  for (const Plan& plan : FirstPlans(TimmSpec(DrawScope::kPerBatch), 200)) {
    for (size_t row = 0; row < 8; ++row) EXPECT_EQ(IsMixed(plan, row), IsMixed(plan, 0));
  }
}

TEST(MixingChanceTest, ARowThatIsNotMixedStandsAlone) {
  for (const Plan& plan : FirstPlans(TimmSpec(DrawScope::kPerRow), 200)) {
    for (size_t row = 0; row < 8; ++row) {
      if (IsMixed(plan, row)) continue;
      EXPECT_EQ(plan.lambda[row], 1);
      if (!plan.box.empty()) {
        EXPECT_TRUE(plan.box[row].empty());
      }
    }
  }
}

TEST(MixingChanceTest, NothingOrEverythingIsMixedAtTheEnds) {
  for (const double probability : {0.0, 1.0}) {
    FeedSpec spec = TimmSpec(DrawScope::kPerRow);
    spec.recipe.mix.probability = probability;
    for (const Plan& plan : FirstPlans(spec, 50)) {
      for (size_t row = 0; row < 8; ++row) EXPECT_EQ(IsMixed(plan, row), probability == 1);
    }
  }
}

// --- share ---

struct ShareCount {
  double share;
  size_t mixed;  // of 8 rows
};

TEST(MixedShareTest, ExactlyThatManyRowsAreMixed) {
  for (const auto& [share, mixed] : {ShareCount{0, 0}, ShareCount{0.1, 1}, ShareCount{0.5, 4},
                                     ShareCount{0.8, 6}, ShareCount{1, 8}}) {
    FeedSpec spec = ReversedSpec();
    spec.recipe.mix.share = share;
    std::vector<int64_t> by_row(8);
    for (const Plan& plan : FirstPlans(spec, 1000)) {
      size_t here = 0;
      for (size_t row = 0; row < 8; ++row) {
        here += IsMixed(plan, row) ? 1 : 0;
        by_row[row] += IsMixed(plan, row) ? 1 : 0;
        if (!IsMixed(plan, row)) {
          EXPECT_EQ(plan.lambda[row], 1);
        }
      }
      EXPECT_EQ(here, mixed) << share;
    }
    for (const int64_t count : by_row)
      EXPECT_TRUE(LooksLikeRate(count, 1000, static_cast<double>(mixed) / 8)) << count;
  }
}

TEST(MixedShareTest, OfHalfABatchItIsOfTheRowsThatAreSent) {
  FeedSpec spec = ReversedSpec(16);
  spec.recipe.mix.half = true;
  spec.recipe.mix.share = 0.5;
  for (const Plan& plan : FirstPlans(spec, 200)) {
    EXPECT_EQ(std::count(plan.lambda.begin(), plan.lambda.end(), 1.0f), 4);
  }
}

// --- CutMix ---

// The area of the clipped box counts. Half of the nominal boxes' area is .50 on average,
// that of what is left in the image .30.
TEST(CutMixPlanTest, Trap20LambdaIsWhatTheClippedBoxLeaves) {
  FeedSpec spec = PresetSpec("cutmix/per-row", 32);
  double area = 0;
  int64_t rows = 0;
  for (const Plan& plan : FirstPlans(spec, 600)) {
    ASSERT_EQ(plan.box.size(), 32u);
    for (size_t row = 0; row < 32; ++row, ++rows) {
      const Box& box = plan.box[row];
      const int inside = box.empty() ? 0 : (box.y1 - box.y0) * (box.x1 - box.x0);
      EXPECT_TRUE(box.y0 >= 0 && box.x0 >= 0 && box.y1 <= 32 && box.x1 <= 32);
      if (IsMixed(plan, row)) {
        EXPECT_NEAR(plan.lambda[row], 1 - inside / 1024.0, 1e-7);
      }
      area += inside / 1024.0;
    }
  }
  // A row in 32 meets itself, with its box all the same.
  EXPECT_NEAR(area / static_cast<double>(rows), 0.30, 0.01);
}

TEST(CutMixPlanTest, BlendsAndBoxesAreChosenByChance) {
  FeedSpec spec = PresetSpec("mixup-cutmix", 8);
  int64_t cut = 0;
  for (const Plan& plan : FirstPlans(spec, 3000)) {
    EXPECT_TRUE(plan.box.empty() || plan.box.size() == 8u);
    cut += plan.box.empty() ? 0 : 1;
  }
  EXPECT_TRUE(LooksLikeRate(cut, 3000, 0.5)) << cut;
}

TEST(CutMixPlanTest, ABlendedRowBesideBoxesHasAnEmptyOne) {
  FeedSpec spec = PresetSpec("mixup-cutmix/elem", 8);
  int64_t blended = 0, rows = 0;
  for (const Plan& plan : FirstPlans(spec, 500)) {
    for (size_t row = 0; row < 8; ++row, ++rows) blended += IsCut(plan, row) ? 0 : 1;
  }
  EXPECT_TRUE(LooksLikeRate(blended, rows, 0.5)) << blended;
}

// The floor is of blends: a box's lambda is its area, whichever is larger.
TEST(CutMixPlanTest, BoxesHaveNoFloor) {
  FeedSpec spec = PresetSpec("cutmix/per-row", 32);
  spec.recipe.mix.lambda_floor = true;
  int below = 0;
  for (const Plan& plan : FirstPlans(spec, 100)) {
    below += static_cast<int>(std::count_if(plan.lambda.begin(), plan.lambda.end(),
                                            [](float lambda) { return lambda < 0.5f; }));
  }
  EXPECT_GT(below, 0);
}

TEST(CutMixPlanTest, TheBoxChangesNeitherViewsNorPartners) {
  FeedSpec spec = PresetSpec("mixup", 16);
  const Plan blended = MakePlanner(spec)->MakePlan(5).value();
  spec.recipe.mix.cutmix.probability = 1;
  const Plan cut = MakePlanner(spec)->MakePlan(5).value();
  EXPECT_EQ(cut.rows, blended.rows);
  EXPECT_EQ(cut.partner, blended.partner);
  EXPECT_TRUE(blended.box.empty());
}

}  // namespace
}  // namespace mixfeed
