#include "augment/recipe/recipe.h"

#include <tuple>

#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/enum_names.h"

namespace mixfeed {
namespace {

auto WithoutPreset(const Recipe& r) {
  return std::tie(r.rows, r.ordered_pool, r.views, r.view, r.labelled_sampling,
                  r.unlabelled_sampling, r.guess, r.mix);
}

absl::Status CheckEnums(const Recipe& recipe) {
  for (const absl::Status& status : {
           CheckEnum("recipe.rows", recipe.rows),
           CheckEnum("recipe.ordered_pool", recipe.ordered_pool),
           CheckEnum("recipe.view.pad_mode", recipe.view.pad_mode),
           CheckEnum("recipe.labelled_sampling", recipe.labelled_sampling),
           CheckEnum("recipe.unlabelled_sampling", recipe.unlabelled_sampling),
           CheckEnum("recipe.mix.lambda_scope", recipe.mix.lambda_scope),
           CheckEnum("recipe.mix.pairing", recipe.mix.pairing),
       }) {
    MIXFEED_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::Status CheckRanges(const Recipe& recipe) {
  for (const absl::Status& status : {
           CheckRange("recipe.views", recipe.views, 1, kMaxViews),
           CheckRange("recipe.view.flip_probability", recipe.view.flip_probability, 0.0, 1.0),
           CheckRange("recipe.view.pad", recipe.view.pad, 0, kMaxPad),
           CheckRange("recipe.guess.temperature", recipe.guess.temperature, kMinTemperature,
                      kMaxTemperature),
           CheckRange("recipe.mix.alpha", recipe.mix.alpha, kMinBetaShape, kMaxBetaShape),
           CheckRange("recipe.mix.beta", recipe.mix.beta, kMinBetaShape, kMaxBetaShape),
       }) {
    MIXFEED_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

// An ordered pass is for evaluation: what comes out must be the pool's own images.
absl::Status CheckOrdered(const Recipe& recipe) {
  const std::string allowed_zero = "0 when recipe.rows is ordered";
  if (recipe.mix.enabled) {
    return FieldError("recipe.mix.enabled", "true", "false when recipe.rows is ordered");
  }
  if (recipe.view.flip_probability != 0) {
    return FieldError("recipe.view.flip_probability", absl::StrCat(recipe.view.flip_probability),
                      allowed_zero);
  }
  if (recipe.view.pad != 0) {
    return FieldError("recipe.view.pad", absl::StrCat(recipe.view.pad), allowed_zero);
  }
  return absl::OkStatus();
}

}  // namespace

bool operator==(const Recipe& a, const Recipe& b) { return WithoutPreset(a) == WithoutPreset(b); }

absl::Status ValidateRecipe(const Recipe& recipe) {
  MIXFEED_RETURN_IF_ERROR(CheckEnums(recipe));
  MIXFEED_RETURN_IF_ERROR(CheckRanges(recipe));
  if (!recipe.guesses() && recipe.views != 1) {
    return FieldError("recipe.views", absl::StrCat(recipe.views),
                      "1 when a recipe has no unlabelled rows");
  }
  if (recipe.rows == RowSource::kOrdered) return CheckOrdered(recipe);
  return absl::OkStatus();
}

}  // namespace mixfeed
