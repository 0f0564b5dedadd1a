// What feed ids promise of plans, for every preset and every field.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/augment/plan/plan_testing.h"
#include "tests/augment/recipe/field_changes.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::ChangesInRange;
using ::mixfeed::testing::DataFor;
using ::mixfeed::testing::FieldChange;
using ::mixfeed::testing::FirstPlans;
using ::mixfeed::testing::MakePlanner;
using ::mixfeed::testing::PresetSpec;

std::vector<Plan> Plans(const FeedSpec& spec) { return FirstPlans(spec, 3); }

// Feeds whose specs differ in such a field have one id, and so must have the same batches.
TEST(PlannerFieldsTest, AFieldThatIsNotReadChangesNoPlan) {
  int compared = 0;
  for (const Preset& preset : Presets()) {
    FeedSpec spec = PresetSpec(preset.name, 8);
    const std::vector<Plan> plans = Plans(spec);
    for (const FieldChange& change : ChangesInRange(spec.recipe)) {
      FeedSpec changed = spec;
      changed.recipe = change.recipe;
      if (change.field.read(spec.recipe) || !ValidateFeedSpec(changed).ok()) continue;
      EXPECT_EQ(Plans(changed), plans)
          << preset.name << ": " << change.field.path << "=" << change.value;
      ++compared;
    }
  }
  EXPECT_GT(compared, 1000);
}

// The fields that change what is done with a plan, but not the plan.
bool IsOfTargetsOrGuesses(const std::string& path) {
  return path.starts_with("guess.") || path == "view.pad_mode" || path == "view.pad_fill" ||
         path == "mix.targets" || path == "mix.label_smoothing" || path == "mix.partner.features";
}

// A field that is read but has no part in any plan would be a mistake in the planner. Some values
// do the same by chance or by nature (equal ends, a law of the same shape), so that it is enough
// that one of a field's values shows in one preset.
TEST(PlannerFieldsTest, EveryFieldThatIsReadShowsInSomePlan) {
  std::set<std::string> read, shown;
  for (const Preset& preset : Presets()) {
    FeedSpec spec = PresetSpec(preset.name, 8);
    const std::vector<Plan> plans = Plans(spec);
    for (const FieldChange& change : ChangesInRange(spec.recipe)) {
      FeedSpec changed = spec;
      changed.recipe = change.recipe;
      const std::string path = change.field.path;
      if (shown.contains(path) || !change.field.read(spec.recipe)) continue;
      read.insert(path);
      const auto planner = Planner::Create(changed, DataFor(changed));
      if (planner.ok() && FirstPlans(changed, 3) != plans) shown.insert(path);
    }
  }
  for (const std::string& path : read) {
    EXPECT_EQ(shown.contains(path), !IsOfTargetsOrGuesses(path)) << path;
  }
}

TEST(PlannerFieldsTest, EveryPresetMakesPlansOfAnyStep) {
  for (const Preset& preset : Presets()) {
    const FeedSpec spec = PresetSpec(preset.name, 8);
    const auto planner = MakePlanner(spec);
    const auto again = MakePlanner(spec);
    const int64_t last = planner->steps().value_or(kMaxStep + 1) - 1;
    for (const int64_t step : {last, last / 2, int64_t{0}}) {
      EXPECT_EQ(planner->MakePlan(step).value(), again->MakePlan(step).value()) << preset.name;
    }
  }
}

}  // namespace
}  // namespace mixfeed
