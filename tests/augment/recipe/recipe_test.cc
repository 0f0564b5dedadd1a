#include "augment/recipe/recipe.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "augment/recipe/enum_names.h"
#include "augment/recipe/presets.h"

namespace mixfeed {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Change = std::function<void(Recipe*)>;

Recipe Changed(const char* preset, const Change& change) {
  Recipe recipe = FindPreset(preset).value();
  change(&recipe);
  return recipe;
}

struct Number {
  const char* field;
  std::function<double*(Recipe*)> find;
  double low;
  double high;
};

// Every floating-point field, with its bounds.
std::vector<Number> Numbers() {
  return {
      {.field = "recipe.view.flip_probability",
       .find = [](Recipe* r) { return &r->view.flip_probability; },
       .low = 0,
       .high = 1},
      {.field = "recipe.guess.temperature",
       .find = [](Recipe* r) { return &r->guess.temperature; },
       .low = 0.01,
       .high = 100},
      {.field = "recipe.mix.alpha",
       .find = [](Recipe* r) { return &r->mix.alpha; },
       .low = 0.01,
       .high = 101},
      {.field = "recipe.mix.beta",
       .find = [](Recipe* r) { return &r->mix.beta; },
       .low = 0.01,
       .high = 101},
  };
}

TEST(ValidateRecipeTest, NumbersHaveTheirDocumentedBounds) {
  for (const Number& number : Numbers()) {
    const auto validate = [&number](double value) {
      return ValidateRecipe(Changed("mixmatch", [&](Recipe* r) { *number.find(r) = value; }));
    };
    EXPECT_TRUE(validate(number.low).ok()) << number.field;
    EXPECT_TRUE(validate(number.high).ok()) << number.field;
    for (const double bad : {number.low - 1e-9, number.high + 1e-9, kNan, kInfinity, -kInfinity}) {
      const absl::Status status = validate(bad);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << number.field << " " << bad;
      EXPECT_EQ(std::string(status.message()).rfind(number.field, 0), 0u) << status;
    }
  }
}

struct BadRecipe {
  const char* preset;
  Change change;
  const char* message;
};

void ExpectRefused(const BadRecipe& bad) {
  const absl::Status status = ValidateRecipe(Changed(bad.preset, bad.change));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), bad.message);
}

TEST(ValidateRecipeTest, RefusesWholeNumbersOutOfRange) {
  const BadRecipe cases[] = {
      {"mixmatch", [](Recipe* r) { r->views = 0; }, "recipe.views is 0; allowed: 1..8"},
      {"mixmatch", [](Recipe* r) { r->views = 9; }, "recipe.views is 9; allowed: 1..8"},
      {"mixmatch", [](Recipe* r) { r->view.pad = -1; }, "recipe.view.pad is -1; allowed: 0..64"},
      {"mixmatch", [](Recipe* r) { r->view.pad = 65; }, "recipe.view.pad is 65; allowed: 0..64"},
      {"mixup", [](Recipe* r) { r->views = 2; },
       "recipe.views is 2; allowed: 1 when a recipe has no unlabelled rows"},
      {"eval", [](Recipe* r) { r->views = 2; },
       "recipe.views is 2; allowed: 1 when a recipe has no unlabelled rows"},
  };
  for (const BadRecipe& bad : cases) ExpectRefused(bad);
}

TEST(ValidateRecipeTest, AcceptsTheEndsOfWholeNumbers) {
  for (const int views : {1, 8}) {
    for (const int pad : {0, 64}) {
      EXPECT_TRUE(ValidateRecipe(Changed("mixmatch", [&](Recipe* r) {
                    r->views = views;
                    r->view.pad = pad;
                  })).ok());
    }
  }
}

TEST(ValidateRecipeTest, RefusesValuesThatAreNoEnumerators) {
  const BadRecipe cases[] = {
      {"mixmatch", [](Recipe* r) { r->rows = static_cast<RowSource>(3); },
       "recipe.rows is 3; allowed: labelled, labelled_and_unlabelled, ordered"},
      {"mixmatch", [](Recipe* r) { r->ordered_pool = static_cast<PoolId>(4); },
       "recipe.ordered_pool is 4; allowed: labelled, unlabelled, validation, test"},
      {"mixmatch", [](Recipe* r) { r->view.pad_mode = static_cast<PadMode>(255); },
       "recipe.view.pad_mode is 255; allowed: reflect, zero, edge, constant"},
      {"mixmatch", [](Recipe* r) { r->labelled_sampling = static_cast<Sampling>(4); },
       "recipe.labelled_sampling is 4; allowed: epochs, with_replacement, epochs_drop_last, tiled"},
      {"mixmatch", [](Recipe* r) { r->unlabelled_sampling = static_cast<Sampling>(4); },
       "recipe.unlabelled_sampling is 4; allowed: epochs, with_replacement, epochs_drop_last, "
       "tiled"},
      {"mixmatch", [](Recipe* r) { r->mix.lambda_scope = static_cast<DrawScope>(3); },
       "recipe.mix.lambda_scope is 3; allowed: per_row, per_batch, per_pair"},
      {"mixmatch", [](Recipe* r) { r->mix.pairing = static_cast<Pairing>(4); },
       "recipe.mix.pairing is 4; allowed: permutation, reversed, rolled, halves"},
  };
  for (const BadRecipe& bad : cases) ExpectRefused(bad);
}

TEST(ValidateRecipeTest, OrderedPassesAreUnmixedAndUnaugmented) {
  const BadRecipe cases[] = {
      {"eval", [](Recipe* r) { r->mix.enabled = true; },
       "recipe.mix.enabled is true; allowed: false when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.flip_probability = 0.5; },
       "recipe.view.flip_probability is 0.5; allowed: 0 when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.pad = 4; },
       "recipe.view.pad is 4; allowed: 0 when recipe.rows is ordered"},
  };
  for (const BadRecipe& bad : cases) ExpectRefused(bad);
}

TEST(RecipeTest, EqualityLeavesOutThePresetsNameOnly) {
  const Recipe recipe = FindPreset("mixmatch").value();
  EXPECT_EQ(Changed("mixmatch", [](Recipe* r) { r->preset += "/mine"; }), recipe);
  const Change changes[] = {
      [](Recipe* r) { r->rows = RowSource::kOrdered; },
      [](Recipe* r) { r->ordered_pool = PoolId::kLabelled; },
      [](Recipe* r) { r->views = 3; },
      [](Recipe* r) { r->view.flip_probability = 0.4; },
      [](Recipe* r) { r->view.pad = 2; },
      [](Recipe* r) { r->view.pad_mode = PadMode::kEdge; },
      [](Recipe* r) { r->labelled_sampling = Sampling::kWithReplacement; },
      [](Recipe* r) { r->unlabelled_sampling = Sampling::kWithReplacement; },
      [](Recipe* r) { r->guess.model += "m"; },
      [](Recipe* r) { r->guess.temperature = 1; },
      [](Recipe* r) { r->guess.batch_statistics = false; },
      [](Recipe* r) { r->guess.policy = WeightsPolicy::kNewest; },
      [](Recipe* r) { r->guess.delay = 2; },
      [](Recipe* r) { r->guess.version = 2; },
      [](Recipe* r) { r->guess.ema = true; },
      [](Recipe* r) { r->guess.batches_per_update = 2; },
      [](Recipe* r) { r->mix.enabled = false; },
      [](Recipe* r) { r->mix.alpha = 1; },
      [](Recipe* r) { r->mix.beta = 1; },
      [](Recipe* r) { r->mix.lambda_scope = DrawScope::kPerBatch; },
      [](Recipe* r) { r->mix.lambda_floor = false; },
      [](Recipe* r) { r->mix.pairing = Pairing::kRolled; },
  };
  for (const Change& change : changes) EXPECT_FALSE(Changed("mixmatch", change) == recipe);
}

TEST(EnumNamesTest, NamesFollowTheEnumerators) {
  EXPECT_STREQ(NameOf(RowSource::kOrdered), "ordered");
  EXPECT_STREQ(NameOf(PoolId::kUnlabelled), "unlabelled");
  EXPECT_STREQ(NameOf(Sampling::kWithReplacement), "with_replacement");
  EXPECT_STREQ(NameOf(PadMode::kEdge), "edge");
  EXPECT_STREQ(NameOf(WeightsPolicy::kPinned), "pinned");
  EXPECT_STREQ(NameOf(DrawScope::kPerBatch), "per_batch");
  EXPECT_STREQ(NameOf(Pairing::kRolled), "rolled");
  EXPECT_STREQ(NameOf(SplitRule::kLists), "lists");
  EXPECT_STREQ(NameOf(static_cast<Pairing>(4)), "unknown");
}

}  // namespace
}  // namespace mixfeed
