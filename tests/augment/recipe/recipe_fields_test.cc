// What holds for every field of a recipe: its range, its place in the canonical text.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/recipe/feed_spec.h"
#include "augment/recipe/presets.h"
#include "tests/augment/recipe/field_changes.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::ChangesInRange;
using ::mixfeed::testing::ChangesOutOfRange;
using ::mixfeed::testing::FieldChange;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

FeedSpec SpecOf(const Recipe& recipe) {
  FeedSpec spec;
  spec.dataset = "cifar10";
  spec.recipe = recipe;
  return spec;
}

struct FieldFacts {
  const char* path;
  bool later;  // came after feeds were first given ids
  double low = 0;
  double high = 0;  // 0 and 0: no number
};

// The paths are the wire's and, in this order, the canonical text's: they are only ever added to.
constexpr double kAny = 1e15;
constexpr FieldFacts kFields[] = {
    {"rows", false},
    {"ordered_pool", false},
    {"view.flip_probability", false, 0, 1},
    {"view.pad", false, 0, 64},
    {"view.pad_mode", false},
    {"view.pad_fill", true, 0, 255},
    {"view.flip_rule", true},
    {"view.crop_range", true},
    {"view.order", true},
    {"view.warp.probability", true, 0, 1},
    {"view.warp.max_rotation", true, 0, 180},
    {"view.warp.max_zoom", true, 1, 4},
    {"view.warp.max_perspective", true, 0, 0.4},
    {"view.warp.lighting_probability", true, 0, 1},
    {"view.warp.max_lighting", true, 0, 0.9},
    {"view.cutout.size", true, 0, 256},
    {"view.cutout.place", true},
    {"view.cutout.fill_with", true},
    {"view.cutout.fill", true, 0, 255},
    {"labelled_sampling", false},
    {"views", false, 1, 8},
    {"unlabelled_ratio", true, 1, 16},
    {"unlabelled_sampling", false},
    {"guess.model", false},
    {"guess.temperature", false, 0.01, 100},
    {"guess.batch_statistics", false},
    {"guess.policy", true},
    {"guess.delay", true, 1, 1'000'000},
    {"guess.version", true, 0, 2'147'483'646},
    {"guess.ema", true},
    {"guess.batches_per_update", true, 1, 4096},
    {"mix.enabled", false},
    {"mix.alpha", false, 0.01, 101},
    {"mix.beta", false, 0.01, 101},
    {"mix.lambda_scope", false},
    {"mix.lambda_floor", false},
    {"mix.pairing", false},
    {"mix.lambda_law", true},
    {"mix.lambda_low", true, 0, 1},
    {"mix.lambda_high", true, 0, 1},
    {"mix.probability", true, 0, 1},
    {"mix.probability_scope", true},
    {"mix.share", true, 0, 1},
    {"mix.mode", true},
    {"mix.targets", true},
    {"mix.label_smoothing", true, 0, 1},
    {"mix.sources", true, 2, 8},
    {"mix.half", true},
    {"mix.layers", true, 0, 63},
    {"mix.partner.source", true},
    {"mix.partner.classes", true},
    {"mix.partner.neighbours", true, 0, 1000},
    {"mix.partner.features", true},
    {"mix.cutmix.probability", true, 0, 1},
    {"mix.cutmix.alpha", true, 0.01, 101},
    {"mix.cutmix.beta", true, 0.01, 101},
    {"mix.cutmix.box", true},
    {"mix.cutmix.min_side", true, 0, 1},
    {"mix.cutmix.max_side", true, 0, 1},
    {"mix.cutmix.correct_lambda", true},
    {"interleave", true},
    {"weight.value", true, 0, kAny},
    {"weight.ramp", true},
    {"weight.ramp_length", true, 1, kAny},
};

TEST(RecipeFieldsTest, TheyAreTheseInThisOrder) {
  std::vector<std::string> visited, expected;
  for (const FieldFacts& facts : kFields) expected.emplace_back(facts.path);
  const Recipe recipe;
  VisitFields(recipe,
              [&](const RecipeField& field, const auto&) { visited.emplace_back(field.path); });
  EXPECT_THAT(visited, ElementsAreArray(expected));
}

template <typename Value>
constexpr bool kIsNumeric =
    std::is_same_v<Value, int> || std::is_same_v<Value, double> ||
    std::is_same_v<Value, std::vector<int>> || std::is_same_v<Value, std::array<int, 3>>;

TEST(RecipeFieldsTest, TheirRangesAndAgesAreThese) {
  size_t index = 0;
  const Recipe recipe;
  VisitFields(recipe, [&](const RecipeField& field, const auto& value) {
    const FieldFacts& facts = kFields[index++];
    EXPECT_EQ(field.later, facts.later) << field.path;
    EXPECT_NE(std::string(field.meaning), "") << field.path;
    if (kIsNumeric<std::remove_cvref_t<decltype(value)>>) {
      EXPECT_EQ(field.low, facts.low) << field.path;
      EXPECT_EQ(field.high, facts.high) << field.path;
    }
  });
}

TEST(RecipeFieldsTest, EveryChangeMakesAnotherRecipe) {
  const Recipe recipe = FindPreset("mixmatch").value();
  const std::vector<FieldChange> changes = ChangesInRange(recipe);
  EXPECT_GT(changes.size(), 2 * std::size(kFields));
  for (const FieldChange& change : changes) {
    EXPECT_FALSE(change.recipe == recipe) << change.field.path << "=" << change.value;
  }
}

// --- ranges ---

// In range a value may break a rule that fields keep together, never its own field's range.
TEST(RecipeFieldsTest, WhatIsInRangeIsNotRefusedForIt) {
  for (const char* preset : {"mixmatch", "mixup", "eval"}) {
    for (const FieldChange& change : ChangesInRange(FindPreset(preset).value())) {
      const std::string message(ValidateRecipe(change.recipe).message());
      const std::string range =
          absl::StrCat("allowed: ", change.field.low, "..", change.field.high);
      EXPECT_FALSE(message.ends_with(range)) << message;
    }
  }
}

// Also where the recipe does not read the field.
TEST(RecipeFieldsTest, WhatIsOutOfRangeIsRefusedByItsPath) {
  for (const char* preset : {"mixmatch", "mixup", "supervised", "eval"}) {
    for (const FieldChange& change : ChangesOutOfRange(FindPreset(preset).value())) {
      const absl::Status status = ValidateRecipe(change.recipe);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()),
                  StartsWith(absl::StrCat("recipe.", change.field.path)));
      EXPECT_THAT(std::string(status.message()), HasSubstr("; allowed: "));
    }
  }
}

TEST(RecipeFieldsTest, EntriesOfListsAreNamed) {
  Recipe recipe = FindPreset("manifold").value();
  recipe.mix.layers = {0, 64};
  EXPECT_EQ(std::string(ValidateRecipe(recipe).message()),
            "recipe.mix.layers[1] is 64; allowed: 0..63");
  recipe = FindPreset("mixup").value();
  recipe.view.pad_fill[2] = 256;
  EXPECT_EQ(std::string(ValidateRecipe(recipe).message()),
            "recipe.view.pad_fill[2] is 256; allowed: 0..255");
}

TEST(RecipeFieldsTest, TheFirstFieldOutOfRangeIsNamed) {
  Recipe recipe;
  recipe.mix.alpha = -1;
  recipe.view.pad = -1;
  EXPECT_EQ(std::string(ValidateRecipe(recipe).message()), "recipe.view.pad is -1; allowed: 0..64");
}

// --- canonical text ---

std::string LineOf(const RecipeField& field) { return absl::StrCat("\nrecipe.", field.path, "="); }

TEST(RecipeFieldsTest, ExactlyTheFieldsThatAreReadAreInTheCanonicalText) {
  for (const Preset& preset : Presets()) {
    const Recipe recipe = preset.make();
    const std::string text = CanonicalText(SpecOf(recipe));
    for (const FieldChange& change : ChangesInRange(recipe)) {
      const bool differs = CanonicalText(SpecOf(change.recipe)) != text;
      EXPECT_EQ(differs, change.field.read(recipe))
          << preset.name << ": " << change.field.path << "=" << change.value;
    }
  }
}

TEST(RecipeFieldsTest, LaterFieldsAreLeftOutWhileTheyAreAsRecipesWere) {
  std::map<std::string, std::string> defaults;
  const Recipe before;
  VisitFields(before, [&](const RecipeField& field, const auto& value) {
    if (field.later) defaults[field.path] = FieldText(value);
  });
  for (const Preset& preset : Presets()) {
    const Recipe recipe = preset.make();
    const std::string text = CanonicalText(SpecOf(recipe));
    VisitFields(recipe, [&](const RecipeField& field, const auto& value) {
      const auto found = defaults.find(field.path);
      if (found != defaults.end() && found->second == FieldText(value)) {
        EXPECT_THAT(text, Not(HasSubstr(LineOf(field)))) << preset.name;
      }
    });
  }
}

TEST(RecipeFieldsTest, ALaterFieldThatIsReadAndChangedHasItsLine) {
  const Recipe recipe = FindPreset("cutmix").value();
  EXPECT_THAT(CanonicalText(SpecOf(recipe)), HasSubstr("\nrecipe.mix.cutmix.probability=1\n"));
  EXPECT_THAT(CanonicalText(SpecOf(FindPreset("manifold").value())),
              HasSubstr("\nrecipe.mix.layers=0 1 2\n"));
}

}  // namespace
}  // namespace mixfeed
