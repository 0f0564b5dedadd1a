// Who is mixed with whom: pairings, the modes of MixMode, halves, classes, and partners of a pool.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "tests/augment/plan/plan_testing.h"
#include "tests/augment/plan/statistics.h"
#include "tests/augment/recipe/reference_mixmode.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::FirstPlans;
using ::mixfeed::testing::GroupSizes;
using ::mixfeed::testing::IsOutcomeOf;
using ::mixfeed::testing::LooksUniform;
using ::mixfeed::testing::MakePlanner;
using ::mixfeed::testing::PresetSpec;
using ::testing::Each;
using ::testing::ElementsAre;

constexpr MixMode kModes[] = {MixMode::kXxyYxy, MixMode::kXxYy, MixMode::kXxYxy,
                              MixMode::kXxYx,   MixMode::kXx,   MixMode::kYy,
                              MixMode::kXxy,    MixMode::kYxy,  MixMode::kNone};

FeedSpec ModeSpec(MixMode mode, int batch, int views) {
  FeedSpec spec = PresetSpec("mixmatch", batch);
  spec.recipe.views = views;
  spec.recipe.mix.mode = mode;
  return spec;
}

// --- modes ---

TEST(MixModePlanTest, EveryModeIsThatOfTheReference) {
  for (const MixMode mode : kModes) {
    for (const int views : {1, 2, 3}) {
      for (const Plan& plan : FirstPlans(ModeSpec(mode, 7, views), 20)) {
        EXPECT_TRUE(IsOutcomeOf(mode, {7, 7, views}, plan.partner))
            << static_cast<int>(mode) << ", step " << plan.step;
      }
    }
  }
}

TEST(MixModePlanTest, GroupsMayBeLargerThanTheLabelledRows) {
  for (const MixMode mode : kModes) {
    if (mode == MixMode::kXxYx) continue;  // needs groups of one size
    FeedSpec spec = ModeSpec(mode, 6, 2);
    spec.recipe.unlabelled_ratio = 3;
    for (const Plan& plan : FirstPlans(spec, 20)) {
      EXPECT_TRUE(IsOutcomeOf(mode, {6, 18, 2}, plan.partner)) << static_cast<int>(mode);
    }
  }
}

// Which rows a mode leaves alone, from its name: before the dot x, behind it y.
TEST(MixModePlanTest, RowsThatAModeDoesNotMixStandAlone) {
  const std::map<MixMode, std::pair<bool, bool>> mixes = {{MixMode::kXx, {true, false}},
                                                          {MixMode::kXxy, {true, false}},
                                                          {MixMode::kYy, {false, true}},
                                                          {MixMode::kYxy, {false, true}},
                                                          {MixMode::kNone, {false, false}}};
  for (const auto& [mode, mixed] : mixes) {
    const Plan plan = MakePlanner(ModeSpec(mode, 8, 2))->MakePlan(3).value();
    for (size_t row = 0; row < 24; ++row) {
      if (row < 8 ? mixed.first : mixed.second) {
        EXPECT_LT(plan.lambda[row], 1);
      } else {
        EXPECT_EQ(plan.lambda[row], 1);
        EXPECT_EQ(plan.partner[row], static_cast<int32_t>(row));
      }
    }
  }
}

// The rows that may be the partner of labelled row 1 and of unlabelled row 5 of 2 + 2 * 2, as the
// names say.
TEST(MixModePlanTest, PartnersAreUniformOverWhatAModeAllows) {
  struct Allowed {
    MixMode mode;
    std::vector<int32_t> of_labelled, of_unlabelled;
  };
  const std::vector<int32_t> all = {0, 1, 2, 3, 4, 5};
  const Allowed cases[] = {
      {MixMode::kXxyYxy, all, all},   {MixMode::kXxYy, {0, 1}, {2, 3, 4, 5}},
      {MixMode::kXxYxy, {0, 1}, all}, {MixMode::kXxYx, {0, 1}, {0, 1}},
      {MixMode::kXx, {0, 1}, {5}},    {MixMode::kYy, {1}, {2, 3, 4, 5}},
      {MixMode::kXxy, all, {5}},      {MixMode::kYxy, {1}, all},
  };
  for (const Allowed& allowed : cases) {
    std::map<int32_t, int64_t> of_labelled, of_unlabelled;
    for (const Plan& plan : FirstPlans(ModeSpec(allowed.mode, 2, 2), 3000)) {
      ++of_labelled[plan.partner[1]];
      ++of_unlabelled[plan.partner[5]];
    }
    for (const auto& [counts, rows] : {std::pair(of_labelled, allowed.of_labelled),
                                       std::pair(of_unlabelled, allowed.of_unlabelled)}) {
      std::vector<int32_t> seen;
      std::vector<int64_t> values;
      for (const auto& [row, count] : counts) {
        seen.push_back(row);
        values.push_back(count);
      }
      EXPECT_EQ(seen, rows) << static_cast<int>(allowed.mode);
      if (values.size() > 1) {
        EXPECT_TRUE(LooksUniform(values)) << static_cast<int>(allowed.mode);
      }
    }
  }
}

// "xx.yx" gives each group a permutation of its own.
TEST(MixModePlanTest, GroupsAreMixedWithLabelledRowsInOrdersOfTheirOwn) {
  int same = 0;
  for (const Plan& plan : FirstPlans(ModeSpec(MixMode::kXxYx, 4, 2), 2400)) {
    same += std::equal(plan.partner.begin() + 4, plan.partner.begin() + 8, plan.partner.begin() + 8)
                ? 1
                : 0;
  }
  EXPECT_TRUE(testing::LooksLikeRate(same, 2400, 1.0 / 24)) << same;
}

// mixup.py of google-research/mixmatch: x with the reversed x, y with the reversed y.
TEST(MixModePlanTest, ReversedGroupsAreReversedByThemselves) {
  FeedSpec spec = PresetSpec("ssl-mixup", 3);
  EXPECT_THAT(MakePlanner(spec)->MakePlan(2)->partner, ElementsAre(2, 1, 0, 5, 4, 3));
  spec.recipe.mix.mode = MixMode::kYy;
  EXPECT_THAT(MakePlanner(spec)->MakePlan(2)->partner, ElementsAre(0, 1, 2, 5, 4, 3));
}

// --- pairings of labelled rows ---

FeedSpec PairedSpec(Pairing pairing, int batch) {
  FeedSpec spec = PresetSpec("mixup", batch);
  spec.recipe.mix.pairing = pairing;
  return spec;
}

TEST(PairingPlanTest, HalvesMeetTheOtherHalf) {
  EXPECT_THAT(MakePlanner(PairedSpec(Pairing::kHalves, 6))->MakePlan(3)->partner,
              ElementsAre(3, 4, 5, 0, 1, 2));
  EXPECT_THAT(MakePlanner(PairedSpec(Pairing::kHalves, 5))->MakePlan(3)->partner,
              ElementsAre(2, 3, 0, 1, 4));
}

TEST(PairingPlanTest, OfHalfABatchTheRestIsPartners) {
  for (const auto& [pairing, partner] :
       {std::pair(Pairing::kHalves, std::vector<int32_t>{3, 4, 5}),
        std::pair(Pairing::kReversed, std::vector<int32_t>{5, 4, 3})}) {
    FeedSpec spec = PairedSpec(pairing, 6);
    const Plan whole = MakePlanner(spec)->MakePlan(3).value();
    spec.recipe.mix.half = true;
    const Plan plan = MakePlanner(spec)->MakePlan(3).value();
    EXPECT_EQ(plan.size(), 3);
    EXPECT_EQ(plan.labelled_rows, 3);
    EXPECT_EQ(plan.rows, whole.rows);
    EXPECT_EQ(plan.partner, partner);
    EXPECT_EQ(plan.lambda.size(), 3u);
  }
}

// Neighbours are mixed, so batches must be shuffled: they are, whatever the list's order.
TEST(PairingPlanTest, Trap18NeighbouringRowsAreOfRandomClasses) {
  Split sorted;  // of ten classes, one after another (SmallData: the class is the last digit)
  for (int32_t label = 0; label < 10; ++label) {
    for (int32_t i = 0; i < 20; ++i) sorted.labelled.push_back(10 * i + label);
  }
  for (const Pairing pairing : {Pairing::kRolled, Pairing::kReversed}) {
    int64_t same = 0, rows = 0;
    for (const Plan& plan : FirstPlans(PairedSpec(pairing, 20), 1000, sorted)) {
      for (size_t row = 0; row < 10; ++row, ++rows) {
        const auto partner = static_cast<size_t>(plan.partner[row]);
        same += plan.rows[row].sample % 10 == plan.rows[partner].sample % 10 ? 1 : 0;
      }
    }
    EXPECT_TRUE(testing::LooksLikeRate(same, rows, 19.0 / 199)) << same;
  }
}

TEST(PairingPlanTest, ReversedPairsRepeatAndAnOddBatchHasOneRowAlone) {
  const Plan plan = MakePlanner(PairedSpec(Pairing::kReversed, 5))->MakePlan(0).value();
  EXPECT_THAT(plan.partner, ElementsAre(4, 3, 2, 1, 0));
}

// --- by class, in the batch ---

FeedSpec ByClass(PartnerClass classes, int batch = 20) {
  FeedSpec spec = PresetSpec("mixup", batch);
  spec.recipe.mix.partner.classes = classes;
  return spec;
}

int ClassOf(const Plan& plan, int32_t row) {
  return plan.rows[static_cast<size_t>(row)].sample % 10;
}

TEST(PartnersByClassTest, SameIsAPermutationOfEachClass) {
  for (const Plan& plan : FirstPlans(ByClass(PartnerClass::kSame), 100)) {
    std::set<int32_t> partners;
    for (int32_t row = 0; row < 20; ++row) {
      const int32_t partner = plan.partner[static_cast<size_t>(row)];
      EXPECT_EQ(ClassOf(plan, partner), ClassOf(plan, row));
      EXPECT_TRUE(partners.insert(partner).second);
    }
  }
}

TEST(PartnersByClassTest, OtherIsUniformOverTheRowsOfOtherClasses) {
  std::map<int, std::vector<int64_t>> by_others;  // number of them -> which of them
  for (const Plan& plan : FirstPlans(ByClass(PartnerClass::kOther, 4), 6000)) {
    std::vector<int32_t> others;
    for (int32_t row = 1; row < 4; ++row) {
      if (ClassOf(plan, row) != ClassOf(plan, 0)) others.push_back(row);
    }
    if (others.empty()) continue;
    const auto found = std::find(others.begin(), others.end(), plan.partner[0]);
    ASSERT_NE(found, others.end());
    std::vector<int64_t>& counts = by_others[static_cast<int>(others.size())];
    counts.resize(others.size());
    ++counts[static_cast<size_t>(found - others.begin())];
  }
  EXPECT_TRUE(LooksUniform(by_others.at(3)));
  EXPECT_TRUE(LooksUniform(by_others.at(2)));
}

TEST(PartnersByClassTest, WhereNoOtherIsAllowedARowMeetsItself) {
  Split mostly_one_class, ten_classes;
  mostly_one_class.labelled.push_back(1);
  for (int32_t i = 0; i < 10; ++i) {
    mostly_one_class.labelled.push_back(10 * i);
    ten_classes.labelled.push_back(i);
  }
  const auto planner = MakePlanner(ByClass(PartnerClass::kOther, 4), mostly_one_class);
  int of_one_class = 0;
  for (int64_t step = 0; step < 10; ++step) {
    const Plan plan = *planner->MakePlan(step);
    const bool other = std::any_of(plan.rows.begin(), plan.rows.end(),
                                   [](const ViewPlan& row) { return row.sample == 1; });
    if (other) continue;
    ++of_one_class;
    EXPECT_THAT(plan.partner, ElementsAre(0, 1, 2, 3)) << step;
  }
  EXPECT_GT(of_one_class, 0);
  EXPECT_THAT(MakePlanner(ByClass(PartnerClass::kSame, 4), ten_classes)->MakePlan(0)->partner,
              ElementsAre(0, 1, 2, 3));
}

// --- of a pool ---

FeedSpec OfPool(PartnerSource source, int batch = 8) {
  FeedSpec spec = PresetSpec("mixup", batch);
  spec.recipe.mix.partner.source = source;
  if (source == PartnerSource::kUnlabelledPool) spec.recipe.mix.targets = TargetRule::kOwn;
  return spec;
}

TEST(PartnersOfAPoolTest, EveryRowHasOneOfItsOwnBehindTheRowsThatAreSent) {
  for (const auto& [source, pool] :
       {std::pair(PartnerSource::kLabelledPool, PoolId::kLabelled),
        std::pair(PartnerSource::kUnlabelledPool, PoolId::kUnlabelled)}) {
    const Plan plan = MakePlanner(OfPool(source))->MakePlan(3).value();
    EXPECT_EQ(plan.size(), 8);
    ASSERT_EQ(plan.rows.size(), 16u);
    EXPECT_THAT(plan.partner, ElementsAre(8, 9, 10, 11, 12, 13, 14, 15));
    for (size_t row = 0; row < 8; ++row) {
      EXPECT_EQ(plan.rows[row].pool, PoolId::kLabelled);
      EXPECT_EQ(plan.rows[row + 8].pool, pool);
    }
  }
}

TEST(PartnersOfAPoolTest, PartnersAreUniformOverThePool) {
  for (const PartnerSource source :
       {PartnerSource::kLabelledPool, PartnerSource::kUnlabelledPool}) {
    const Split split = testing::SmallSplit();
    const std::vector<int32_t>& pool =
        source == PartnerSource::kLabelledPool ? split.labelled : split.unlabelled;
    std::vector<int64_t> counts(pool.size());
    for (const Plan& plan : FirstPlans(OfPool(source), 2000)) {
      for (size_t row = 8; row < 16; ++row) {
        ++counts.at(static_cast<size_t>(plan.rows[row].sample - pool.front()));
      }
    }
    EXPECT_TRUE(LooksUniform(counts));
  }
}

// Trap 13 again: a partner's view is drawn by itself.
TEST(PartnersOfAPoolTest, PartnersHaveViewsOfTheirOwn) {
  int64_t same = 0, rows = 0;
  for (const Plan& plan : FirstPlans(OfPool(PartnerSource::kLabelledPool), 2000)) {
    for (size_t row = 0; row < 8; ++row, ++rows) {
      const ViewPlan& own = plan.rows[row];
      const ViewPlan& partner = plan.rows[row + 8];
      same += own.crop_y == partner.crop_y && own.crop_x == partner.crop_x ? 1 : 0;
    }
  }
  EXPECT_TRUE(testing::LooksLikeRate(same, rows, 1.0 / 81)) << same;
}

TEST(PartnersOfAPoolTest, TheRowsThemselvesAreThoseOfABatchWithout) {
  const Plan plan = MakePlanner(OfPool(PartnerSource::kLabelledPool))->MakePlan(3).value();
  const Plan without = MakePlanner(PresetSpec("mixup", 8))->MakePlan(3).value();
  EXPECT_EQ(std::vector<ViewPlan>(plan.rows.begin(), plan.rows.begin() + 8), without.rows);
  EXPECT_EQ(plan.lambda, without.lambda);
}

}  // namespace
}  // namespace mixfeed
