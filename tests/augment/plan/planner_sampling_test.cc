// Which samples a step gets, and the weight of its unlabelled loss.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/augment/plan/plan_testing.h"
#include "tests/augment/recipe/golden_file.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::FirstPlans;
using ::mixfeed::testing::MakePlanner;
using ::mixfeed::testing::PresetSpec;
using ::mixfeed::testing::SmallSplit;
using ::testing::UnorderedElementsAreArray;

FeedSpec Labelled(Sampling sampling, int batch) {
  FeedSpec spec = PresetSpec("supervised", batch);
  spec.recipe.labelled_sampling = sampling;
  return spec;
}

std::vector<int32_t> SamplesOf(const std::vector<Plan>& plans, size_t first, size_t last) {
  std::vector<int32_t> samples;
  for (size_t step = first; step < last; ++step) {
    for (const ViewPlan& row : plans[step].rows) samples.push_back(row.sample);
  }
  return samples;
}

// --- sampling ---

// Trap 25: 40 labels in batches of 16 are two whole batches an epoch; the rest is dropped, and the
// stream goes on.
TEST(PlannerSamplingTest, DropLastEndsAnEpochWithItsLastWholeBatch) {
  const std::vector<Plan> plans = FirstPlans(Labelled(Sampling::kEpochsDropLast, 16), 60);
  std::map<int32_t, int> counts;
  for (size_t epoch = 0; epoch < 30; ++epoch) {
    const std::vector<int32_t> samples = SamplesOf(plans, 2 * epoch, 2 * epoch + 2);
    EXPECT_EQ(std::set<int32_t>(samples.begin(), samples.end()).size(), 32u) << epoch;
    for (const int32_t sample : samples) ++counts[sample];
  }
  // Which eight are left out changes: each is drawn in four epochs of five.
  EXPECT_EQ(counts.size(), 40u);
  for (const auto& [sample, count] : counts) EXPECT_LT(count, 30) << sample;
}

TEST(PlannerSamplingTest, DropLastGoesThroughTheOrderThatEpochsHave) {
  const std::vector<int32_t> dropping =
      SamplesOf(FirstPlans(Labelled(Sampling::kEpochsDropLast, 16), 4), 0, 4);
  const std::vector<int32_t> whole =
      SamplesOf(FirstPlans(Labelled(Sampling::kEpochs, 8), 10), 0, 10);
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(dropping[i], whole[i]);
    EXPECT_EQ(dropping[32 + i], whole[40 + i]);
  }
}

TEST(PlannerSamplingTest, DropLastOfABatchThatDividesThePoolDropsNothing) {
  EXPECT_EQ(FirstPlans(Labelled(Sampling::kEpochsDropLast, 8), 15),
            FirstPlans(Labelled(Sampling::kEpochs, 8), 15));
}

TEST(PlannerSamplingTest, TiledBatchesRepeatThePoolAsOftenAsTheyMust) {
  const std::vector<Plan> plans = FirstPlans(Labelled(Sampling::kTiled, 100), 2);
  std::map<int32_t, int> in_first, in_both;
  for (const ViewPlan& row : plans[0].rows) ++in_first[row.sample];
  for (const int32_t sample : SamplesOf(plans, 0, 2)) ++in_both[sample];
  for (const int32_t sample : SmallSplit().labelled) {
    EXPECT_TRUE(in_first[sample] == 2 || in_first[sample] == 3);
    EXPECT_EQ(in_both[sample], 5);
  }
}

TEST(PlannerSamplingTest, TiledBatchesThatFitAreThoseOfEpochs) {
  EXPECT_EQ(FirstPlans(Labelled(Sampling::kTiled, 16), 15),
            FirstPlans(Labelled(Sampling::kEpochs, 16), 15));
}

TEST(PlannerSamplingTest, AWholePoolIsABatch) {
  for (const Sampling sampling : {Sampling::kEpochs, Sampling::kEpochsDropLast}) {
    const std::vector<Plan> plans = FirstPlans(Labelled(sampling, 40), 2);
    EXPECT_THAT(SamplesOf(plans, 1, 2), UnorderedElementsAreArray(SmallSplit().labelled));
  }
}

std::string RefusalOf(const FeedSpec& spec) {
  return std::string(Planner::Create(spec, testing::SmallData()).status().message());
}

TEST(PlannerSamplingTest, ABatchLargerThanItsPoolNeedsASamplingThatRepeats) {
  constexpr char kLabelled[] =
      "batch is 41 labelled images a step; allowed: 1..40, the images of the pool, unless "
      "recipe.labelled_sampling is tiled or with_replacement";
  EXPECT_EQ(RefusalOf(Labelled(Sampling::kEpochs, 41)), kLabelled);
  EXPECT_EQ(RefusalOf(Labelled(Sampling::kEpochsDropLast, 41)), kLabelled);
  for (const Sampling repeats : {Sampling::kTiled, Sampling::kWithReplacement}) {
    EXPECT_EQ(RefusalOf(Labelled(repeats, 4096)), "");
  }
}

TEST(PlannerSamplingTest, UnlabelledImagesAreCountedWithTheirRatio) {
  FeedSpec spec = PresetSpec("mixmatch", 33);
  spec.recipe.unlabelled_ratio = 4;
  EXPECT_EQ(RefusalOf(spec),
            "batch is 132 unlabelled images a step; allowed: 1..130, the images of the pool, "
            "unless recipe.unlabelled_sampling is tiled or with_replacement");
  spec.batch = 32;
  EXPECT_EQ(RefusalOf(spec), "");
}

TEST(PlannerSamplingTest, TheRatioIsOfImagesNotOfViews) {
  FeedSpec spec = PresetSpec("mixmatch", 8);
  spec.recipe.unlabelled_ratio = 3;
  const Plan plan = MakePlanner(spec)->MakePlan(4).value();
  EXPECT_EQ(plan.labelled_rows, 8);
  EXPECT_EQ(plan.unlabelled_rows, 24);
  EXPECT_EQ(plan.size(), 8 + 2 * 24);
  std::set<int32_t> samples;
  for (size_t row = 8; row < 32; ++row) {
    samples.insert(plan.rows[row].sample);
    EXPECT_EQ(plan.rows[row].sample, plan.rows[row + 24].sample);
  }
  EXPECT_EQ(samples.size(), 24u);
}

// Trap 13 and trap 22: every draw is a function of seed, step, row and view alone, so that any step
// can be made first and none is a copy of another.
TEST(PlannerSamplingTest, StepsAreIndependentOfTheOrderInWhichTheyAreMade) {
  for (const Sampling sampling : {Sampling::kEpochs, Sampling::kEpochsDropLast, Sampling::kTiled,
                                  Sampling::kWithReplacement}) {
    const FeedSpec spec = Labelled(sampling, 16);
    const std::vector<Plan> forwards = FirstPlans(spec, 50);
    const auto planner = MakePlanner(spec);
    for (int64_t step = 49; step >= 0; --step) {
      EXPECT_EQ(planner->MakePlan(step).value(), forwards[static_cast<size_t>(step)]);
    }
    EXPECT_TRUE(planner->MakePlan(kMaxStep).ok());
  }
}

// --- lambda_u ---

struct RampStep {
  const char* preset;
  int64_t step;
  double weight;
};

Split ManyImages() {
  Split many;
  for (int32_t i = 0; i < 250; ++i) many.labelled.push_back(i);
  for (int32_t i = 250; i < 1000; ++i) many.unlabelled.push_back(i);
  return many;
}

// Trap 4: the official ramp counts images, 2^20 of them; at 64 a step it ends with step 16,384.
// Trap 3: it ends at 75, not at the flag's default of 100.
TEST(UnlabelledWeightTest, RampsOfThePresetsAreThoseOfTheirSources) {
  const RampStep steps[] = {
      {"mixmatch", 0, 0},
      {"mixmatch", 1, 75.0 / 16384},
      {"mixmatch", 8192, 37.5},
      {"mixmatch", 16384, 75},
      {"mixmatch", 1 << 20, 75},
      {"mixmatch/yu1ut", 16384, 75.0 / 64},  // all of 1,024 epochs of 1,024 steps
      {"mixmatch/yu1ut", 1 << 19, 37.5},
      {"mixmatch/yu1ut", 1 << 20, 75},
      {"mixmatch/fastai", 1500, 50},
      {"mixmatch/fastai", 3000, 100},
      {"mixmatch/torchssl", 209715, 49.9999},  // 0.4 * 2^20 = 419,430.4 steps
      {"mixmatch/torchssl", 419431, 100},
      {"mixmatch/usb", 419431, 100},
      {"ssl-mixup", 0, 1},
      {"ssl-mixup", 1 << 20, 1},
      {"ict", 0, 0},
  };
  for (const RampStep& ramp : steps) {
    const auto planner = MakePlanner(PresetSpec(ramp.preset, 64), ManyImages());
    EXPECT_NEAR(planner->MakePlan(ramp.step)->unlabelled_weight, ramp.weight, 1e-4)
        << ramp.preset << ", step " << ramp.step;
  }
}

TEST(UnlabelledWeightTest, IsTheReferencesAtEveryStepOfTheirGoldens) {
  const std::map<std::string, std::string> presets = {{"mixmatch", "mixmatch"},
                                                      {"yu1ut", "mixmatch/yu1ut"},
                                                      {"torchssl", "mixmatch/torchssl"},
                                                      {"fastai", "mixmatch/fastai"},
                                                      {"ict", "ict"}};
  size_t of_presets = 0;
  for (const testing::GoldenCase& golden : testing::ReadGoldens("mixmatch.txt", "ramp")) {
    const auto preset = presets.find(golden.name());
    FeedSpec spec = PresetSpec("mixmatch", golden.integer("batch"));
    if (preset != presets.end()) {
      spec = PresetSpec(preset->second, golden.integer("batch"));
      ++of_presets;
    } else {  // of no preset: the ablation's ramp
      const bool images = golden.text("unit") == "images";
      spec.recipe.weight = {.value = golden.number("value"),
                            .ramp = images ? RampUnit::kImages : RampUnit::kSteps,
                            .ramp_length = golden.number("length")};
    }
    const auto planner = MakePlanner(spec, ManyImages());
    const std::vector<int32_t> steps = golden.integers("steps");
    const std::vector<double> weights = golden.numbers("weight");
    ASSERT_EQ(steps.size(), weights.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_DOUBLE_EQ(planner->MakePlan(steps[i])->unlabelled_weight, weights[i])
          << golden.name() << ", step " << steps[i];
    }
  }
  EXPECT_EQ(of_presets, presets.size());
}

TEST(UnlabelledWeightTest, ARampOfImagesFollowsTheBatchAndOneOfStepsDoesNot) {
  FeedSpec spec = PresetSpec("mixmatch", 32);
  EXPECT_NEAR(MakePlanner(spec)->MakePlan(16384)->unlabelled_weight, 37.5, 1e-9);
  spec.recipe.weight = {.value = 10, .ramp = RampUnit::kSteps, .ramp_length = 100};
  EXPECT_NEAR(MakePlanner(spec)->MakePlan(50)->unlabelled_weight, 5, 1e-9);
  spec.batch = 8;
  EXPECT_NEAR(MakePlanner(spec)->MakePlan(50)->unlabelled_weight, 5, 1e-9);
  spec.recipe.weight.ramp = RampUnit::kNone;
  EXPECT_EQ(MakePlanner(spec)->MakePlan(0)->unlabelled_weight, 10);
}

// ict.py: 0.4 of 65,536 kimg of training, at 64 images a step.
TEST(UnlabelledWeightTest, IctsRampEndsAfterTwoFifthsOfItsTraining) {
  const auto planner = MakePlanner(PresetSpec("ict", 32));
  constexpr int64_t kEnd = int64_t{65536} * 1024 * 2 / 5 / 32;  // rounded down
  EXPECT_NEAR(planner->MakePlan(kEnd / 2)->unlabelled_weight, 500, 0.001);
  EXPECT_LT(planner->MakePlan(kEnd)->unlabelled_weight, 1000);
  EXPECT_EQ(planner->MakePlan(kEnd + 1)->unlabelled_weight, 1000);
}

TEST(UnlabelledWeightTest, RecipesWithoutUnlabelledRowsHaveNone) {
  for (const char* preset : {"mixup", "supervised", "eval"}) {
    EXPECT_EQ(MakePlanner(PresetSpec(preset, 8))->MakePlan(3)->unlabelled_weight, 0);
  }
}

}  // namespace
}  // namespace mixfeed
