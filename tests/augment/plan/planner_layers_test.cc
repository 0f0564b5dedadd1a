// Hidden layers, parts of a step that consumers share, and more than two sources.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "tests/augment/plan/plan_testing.h"
#include "tests/augment/plan/statistics.h"
#include "tests/augment/recipe/golden_file.h"
#include "tests/augment/recipe/golden_statistics.h"
#include "tests/augment/recipe/reference_mixmode.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::FirstPlans;
using ::mixfeed::testing::MakePlanner;
using ::mixfeed::testing::PresetSpec;

// --- layers ---

// Trap 32: hidden layers are the trainer's to mix; it gets the layer, the partners and lambda.
TEST(LayersTest, LayersAreDrawnAsTheReferencesDrawThem) {
  const struct {
    const char* preset;
    size_t layers;
    const char* golden;
  } references[] = {{"manifold", 3, "manifold-layer"},
                    {"manifold/resnet18", 5, "souvik3333-layer"}};
  for (const auto& [preset, layers, golden] : references) {
    std::vector<int64_t> counts(layers);
    for (const Plan& plan : FirstPlans(PresetSpec(preset, 4), 9000)) {
      ++counts.at(static_cast<size_t>(plan.layer));
    }
    EXPECT_TRUE(testing::LooksLikeGolden(
        counts, testing::ReadGolden("distributions.txt", "counts", golden)))
        << preset;
  }
}

TEST(LayersTest, ALayerOfAnyNumberIsDrawnFromTheList) {
  FeedSpec spec = PresetSpec("manifold", 4);
  spec.recipe.mix.layers = {kMaxLayer};
  for (const Plan& plan : FirstPlans(spec, 20)) EXPECT_EQ(plan.layer, kMaxLayer);
  spec.recipe.mix.layers = {};
  for (const Plan& plan : FirstPlans(spec, 20)) EXPECT_EQ(plan.layer, 0);
}

TEST(LayersTest, TheLayerChangesNothingElseForOneConsumer) {
  FeedSpec spec = PresetSpec("manifold", 8);
  const std::vector<Plan> plans = FirstPlans(spec, 20);
  spec.recipe.mix.layers = {};
  const std::vector<Plan> of_input = FirstPlans(spec, 20);
  for (size_t step = 0; step < plans.size(); ++step) {
    Plan plan = plans[step];
    plan.layer = 0;
    EXPECT_EQ(plan, of_input[step]);
  }
}

// The part of `world` that a row is in: of each group of rows, equal runs.
int PartOf(const Plan& plan, int32_t row, int world) {
  if (row < plan.labelled_rows) return row * world / plan.labelled_rows;
  return (row - plan.labelled_rows) % plan.unlabelled_rows * world / plan.unlabelled_rows;
}

void ExpectClosedParts(const Plan& plan, int world) {
  for (int32_t row = 0; row < plan.size(); ++row) {
    EXPECT_EQ(PartOf(plan, plan.partner[static_cast<size_t>(row)], world), PartOf(plan, row, world))
        << "row " << row << " of " << world << " parts, step " << plan.step;
  }
}

std::vector<FeedSpec> HiddenSpecs() {
  std::vector<FeedSpec> specs;
  for (const Pairing pairing :
       {Pairing::kPermutation, Pairing::kReversed, Pairing::kRolled, Pairing::kHalves}) {
    FeedSpec mixmatch = PresetSpec("mixmatch", 8);
    mixmatch.recipe.mix.pairing = pairing;
    mixmatch.recipe.mix.layers = {3};
    for (const MixMode mode : {MixMode::kXxyYxy, MixMode::kXxYy, MixMode::kXxYx, MixMode::kYxy}) {
      mixmatch.recipe.mix.mode = mode;
      specs.push_back(mixmatch);
    }
    FeedSpec mixup = PresetSpec("manifold", 8);
    mixup.recipe.mix.pairing = pairing;
    mixup.recipe.mix.layers = {3};
    specs.push_back(mixup);
  }
  for (const PartnerClass classes : {PartnerClass::kSame, PartnerClass::kOther}) {
    FeedSpec by_class = PresetSpec("manifold", 8);
    by_class.recipe.mix.layers = {3};
    by_class.recipe.mix.partner.classes = classes;
    specs.push_back(by_class);
  }
  return specs;
}

// A trainer has the activations of its part only.
TEST(HiddenPartsTest, PartnersStayInThePartOfEachConsumer) {
  for (const FeedSpec& spec : HiddenSpecs()) {
    const auto planner = MakePlanner(spec);
    for (const int world : {1, 2, 4, 8}) {
      for (int64_t step = 0; step < 10; ++step) {
        ExpectClosedParts(planner->MakePlan(step, world).value(), world);
      }
    }
  }
}

TEST(HiddenPartsTest, ViewsLambdasAndLayersAreThoseOfOneConsumer) {
  for (const FeedSpec& spec : HiddenSpecs()) {
    const auto planner = MakePlanner(spec);
    Plan plan = planner->MakePlan(5, 4).value();
    const Plan whole = planner->MakePlan(5, 1).value();
    plan.partner = whole.partner;
    plan.lambda = whole.lambda;  // of a row that is its own partner it is drawn all the same
    EXPECT_EQ(plan, whole);
  }
}

TEST(HiddenPartsTest, EachPartIsAnOutcomeOfTheMode) {
  FeedSpec spec = PresetSpec("mixmatch", 8);
  spec.recipe.mix.layers = {1};
  for (const MixMode mode : {MixMode::kXxyYxy, MixMode::kXxYy, MixMode::kXxYxy, MixMode::kXxYx}) {
    spec.recipe.mix.mode = mode;
    const Plan plan = MakePlanner(spec)->MakePlan(7, 4).value();
    for (int part = 0; part < 4; ++part) {
      std::vector<int32_t> rows;
      for (int32_t row = 0; row < plan.size(); ++row) {
        if (PartOf(plan, row, 4) == part) rows.push_back(row);
      }
      std::vector<int32_t> partner;  // counted in the part
      for (const int32_t row : rows) {
        const auto at = std::find(rows.begin(), rows.end(), plan.partner[static_cast<size_t>(row)]);
        partner.push_back(static_cast<int32_t>(at - rows.begin()));
      }
      EXPECT_TRUE(testing::IsOutcomeOf(mode, {2, 2, 2}, partner)) << static_cast<int>(mode);
    }
  }
}

TEST(HiddenPartsTest, PartsArePairedByThemselves) {
  FeedSpec spec = PresetSpec("manifold", 24);
  spec.recipe.mix.layers = {3};
  int same = 0;
  const auto planner = MakePlanner(spec);
  for (int64_t step = 0; step < 100; ++step) {
    const std::vector<int32_t> partner = planner->MakePlan(step, 2)->partner;
    int here = 0;
    for (size_t row = 0; row < 12; ++row) here += partner[row] + 12 == partner[row + 12] ? 1 : 0;
    same += here == 12 ? 1 : 0;
  }
  EXPECT_EQ(same, 0);
}

TEST(HiddenPartsTest, TheInputIsMixedOverAllParts) {
  for (const char* preset : {"mixmatch", "mixup", "mixup/multiway"}) {
    const auto planner = MakePlanner(PresetSpec(preset, 8));
    EXPECT_EQ(planner->MakePlan(5, 4).value(), planner->MakePlan(5, 1).value());
  }
}

// --- more than two sources ---

FeedSpec MultiWay(int sources, int batch = 8) {
  FeedSpec spec = PresetSpec("mixup/multiway", batch);
  spec.recipe.mix.sources = sources;
  return spec;
}

// [source], of row `row`; the first partner has what the others leave.
std::vector<double> WeightsOf(const Plan& plan, size_t row) {
  std::vector<double> weights = {static_cast<double>(plan.lambda[row]), 1};
  const auto sent = static_cast<size_t>(plan.size());
  for (size_t at = row; at < plan.more_weights.size(); at += sent) {
    weights.push_back(static_cast<double>(plan.more_weights[at]));
  }
  for (size_t source = 0; source < weights.size(); ++source) {
    if (source != 1) weights[1] -= weights[source];
  }
  return weights;
}

TEST(MultiWayTest, EverySourceHasAPermutationAndADirichletWeight) {
  std::vector<double> weights[3];
  for (const Plan& plan : FirstPlans(MultiWay(3), 4000)) {
    ASSERT_EQ(plan.more_partners.size(), 8u);
    ASSERT_EQ(plan.more_weights.size(), 8u);
    EXPECT_TRUE(testing::IsOutcomeOf(MixMode::kXxyYxy, {8, 0, 0}, plan.partner));
    EXPECT_TRUE(testing::IsOutcomeOf(MixMode::kXxyYxy, {8, 0, 0}, plan.more_partners));
    const std::vector<double> of_row = WeightsOf(plan, 5);
    for (size_t source = 0; source < 3; ++source) weights[source].push_back(of_row[source]);
  }
  // Of Dirichlet(1, 1, 1) each weight is Beta(1, 2).
  const auto cdf = [](double x) { return 1 - (1 - x) * (1 - x); };
  for (const std::vector<double>& of_source : weights) {
    EXPECT_LT(testing::KsDistance(of_source, cdf, 1), testing::kMaxKsDistance);
  }
}

TEST(MultiWayTest, PermutationsOfTheSourcesAreIndependent) {
  int64_t same = 0, rows = 0;
  for (const Plan& plan : FirstPlans(MultiWay(4), 3000)) {
    for (size_t row = 0; row < 8; ++row, ++rows) {
      same += plan.partner[row] == plan.more_partners[row] ? 1 : 0;
      same += plan.partner[row] == plan.more_partners[8 + row] ? 1 : 0;
      same += plan.more_partners[row] == plan.more_partners[8 + row] ? 1 : 0;
    }
  }
  EXPECT_TRUE(testing::LooksLikeRate(same, 3 * rows, 1.0 / 8)) << same;
}

TEST(MultiWayTest, WeightsAreOfARowOrOfTheBatch) {
  FeedSpec spec = MultiWay(3);
  spec.recipe.mix.lambda_scope = DrawScope::kPerBatch;
  for (const Plan& plan : FirstPlans(spec, 20)) {
    EXPECT_THAT(plan.lambda, ::testing::Each(plan.lambda[0]));
    EXPECT_THAT(plan.more_weights, ::testing::Each(plan.more_weights[0]));
  }
  spec.recipe.mix.lambda_scope = DrawScope::kPerRow;
  const Plan plan = MakePlanner(spec)->MakePlan(3).value();
  EXPECT_EQ(std::set<float>(plan.lambda.begin(), plan.lambda.end()).size(), 8u);
}

// At small shapes most of the weight is one source's: rounding must not leave another less than 0.
TEST(MultiWayTest, WeightsAreNotNegativeAtAnyShape) {
  for (const double alpha : {kMinBetaShape, 0.1, 1.0, kMaxBetaShape}) {
    FeedSpec spec = MultiWay(kMaxSources, 32);
    spec.recipe.mix.lambda_scope = DrawScope::kPerRow;
    spec.recipe.mix.alpha = alpha;
    for (const Plan& plan : FirstPlans(spec, 100)) {
      for (size_t row = 0; row < 32; ++row) {
        for (const double weight : WeightsOf(plan, row)) EXPECT_GE(weight, 0) << alpha;
      }
    }
  }
}

TEST(MultiWayTest, RowsThatAreNotMixedStandAlone) {
  FeedSpec spec = MultiWay(3);
  spec.recipe.mix.share = 0.5;
  for (const Plan& plan : FirstPlans(spec, 50)) {
    int alone = 0;
    for (size_t row = 0; row < 8; ++row) {
      if (plan.more_weights[row] != 0) continue;
      ++alone;
      EXPECT_EQ(plan.partner[row], static_cast<int32_t>(row));
      EXPECT_EQ(plan.more_partners[row], static_cast<int32_t>(row));
      EXPECT_EQ(plan.lambda[row], 1);
    }
    EXPECT_EQ(alone, 4);
  }
}

TEST(MultiWayTest, MixMatchMayHaveMoreSourcesToo) {
  FeedSpec spec = PresetSpec("mixmatch", 8);
  spec.recipe.mix.sources = 3;
  spec.recipe.mix.lambda_floor = false;
  spec.recipe.mix.mode = MixMode::kXxYy;
  for (const Plan& plan : FirstPlans(spec, 20)) {
    EXPECT_TRUE(testing::IsOutcomeOf(MixMode::kXxYy, {8, 8, 2}, plan.partner));
    EXPECT_TRUE(testing::IsOutcomeOf(MixMode::kXxYy, {8, 8, 2}, plan.more_partners));
  }
}

}  // namespace
}  // namespace mixfeed
