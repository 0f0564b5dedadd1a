#include "augment/recipe/feed_spec.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "augment/recipe/presets.h"

namespace mixfeed {
namespace {

FeedSpec Spec(const char* preset) {
  FeedSpec spec;
  spec.dataset = "cifar10";
  spec.recipe = FindPreset(preset).value();
  return spec;
}

using Change = std::function<void(FeedSpec*)>;

absl::Status Validate(const char* preset, const Change& change) {
  FeedSpec spec = Spec(preset);
  change(&spec);
  return ValidateFeedSpec(spec);
}

TEST(FeedSpecTest, RowsCountEveryView) {
  FeedSpec spec = Spec("mixmatch");
  EXPECT_EQ(spec.rows(), 192);
  spec.recipe.views = 8;
  EXPECT_EQ(spec.rows(), 576);
  EXPECT_EQ(Spec("mixup").rows(), 64);
  EXPECT_EQ(Spec("eval").rows(), 64);
}

TEST(ValidateFeedSpecTest, AcceptsEveryPreset) {
  for (const Preset& preset : Presets()) {
    EXPECT_TRUE(ValidateFeedSpec(Spec(preset.name)).ok()) << preset.name;
  }
}

TEST(ValidateFeedSpecTest, AcceptsTheEndsOfRanges) {
  const Change changes[] = {
      [](FeedSpec* s) { s->batch = 1; },
      [](FeedSpec* s) { s->batch = 4096; },
      [](FeedSpec* s) { s->seed = UINT64_MAX; },
      [](FeedSpec* s) { s->split.seed = 0; },
      [](FeedSpec* s) { s->split.seed = 4294967295; },
      [](FeedSpec* s) { s->split.labelled = 2147483647; },
      [](FeedSpec* s) { s->split.validation = 2147483647; },
      [](FeedSpec* s) {
        s->split.rule = SplitRule::kPerClass;
        s->split.per_class = {0, 2147483647};
      },
      // The seed is not used here.
      [](FeedSpec* s) {
        s->split.rule = SplitRule::kLists;
        s->split.seed = UINT64_MAX;
      },
      [](FeedSpec* s) {
        s->split.rule = SplitRule::kAll;
        s->split.unlabelled_includes_labelled = true;
      },
  };
  for (const Change& change : changes) {
    EXPECT_TRUE(Validate("mixmatch", change).ok()) << Validate("mixmatch", change);
  }
  EXPECT_TRUE(Validate("mixup", [](FeedSpec* s) { s->split.rule = SplitRule::kAll; }).ok());
}

struct BadSpec {
  Change change;
  const char* message;
};

TEST(ValidateFeedSpecTest, RefusesTheRestNamingFieldValueAndWhatIsAllowed) {
  const BadSpec cases[] = {
      {[](FeedSpec* s) { s->dataset = ""; }, "dataset is empty; allowed: the name of a dataset"},
      {[](FeedSpec* s) { s->batch = 0; }, "batch is 0; allowed: 1..4096"},
      {[](FeedSpec* s) { s->batch = 4097; }, "batch is 4097; allowed: 1..4096"},
      {[](FeedSpec* s) { s->plan_version = 0; }, "plan_version is 0; allowed: 1..1"},
      {[](FeedSpec* s) { s->plan_version = 2; }, "plan_version is 2; allowed: 1..1"},
      {[](FeedSpec* s) { s->split.rule = static_cast<SplitRule>(6); },
       "split.rule is 6; allowed: mixmatch, balanced, random, per_class, all, lists"},
      {[](FeedSpec* s) { s->split.seed = 4294967296; },
       "split.seed is 4294967296; allowed: 0..4294967295"},
      {[](FeedSpec* s) { s->split.labelled = -1; }, "split.labelled is -1; allowed: 0..2147483647"},
      {[](FeedSpec* s) { s->split.validation = -1; },
       "split.validation is -1; allowed: 0..2147483647"},
      {[](FeedSpec* s) { s->split.rule = SplitRule::kPerClass; },
       "split.per_class is empty; allowed: a count for each class"},
      {[](FeedSpec* s) {
         s->split.rule = SplitRule::kPerClass;
         s->split.per_class = {5, -2};
       },
       "split.per_class[1] is -2; allowed: 0..2147483647"},
      {[](FeedSpec* s) { s->split.rule = SplitRule::kAll; },
       "split.rule is all; allowed: any other when the recipe reads unlabelled images, or "
       "split.unlabelled_includes_labelled"},
      {[](FeedSpec* s) { s->recipe.mix.alpha = 0; }, "recipe.mix.alpha is 0; allowed: 0.01..101"},
  };
  for (const BadSpec& bad : cases) {
    const absl::Status status = Validate("mixmatch", bad.change);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(status.message()), bad.message);
  }
}

}  // namespace
}  // namespace mixfeed
