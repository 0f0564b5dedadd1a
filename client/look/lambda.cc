#include "client/look/lambda.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/figure/lambda_figure.h"
#include "augment/recipe/enum_names.h"
#include "augment/recipe/recipe.h"
#include "client/look/unread.h"
#include "client/spec/local_spec.h"

namespace mixfeed {
namespace {

std::string SummaryText(const std::string& name, const LambdaSummary& summary) {
  std::string text = absl::StrFormat("%-24s mean %.4f, mean of the largest weight %.4f; quantiles",
                                     name, summary.mean, summary.mean_larger);
  for (size_t q = 0; q < kLambdaQuantiles.size(); ++q) {
    absl::StrAppendFormat(&text, " %g%%: %.4f", 100 * kLambdaQuantiles[q], summary.quantiles[q]);
  }
  return text + "\n";
}

Json JsonOf(const LambdaSummary& summary) {
  Json object;
  object["mean"] = summary.mean;
  object["mean_larger"] = summary.mean_larger;
  for (size_t q = 0; q < kLambdaQuantiles.size(); ++q) {
    object["quantiles"][absl::StrFormat("%g", kLambdaQuantiles[q])] = summary.quantiles[q];
  }
  return object;
}

absl::Status CheckWish(const LambdaWish& wish) {
  MIXFEED_RETURN_IF_ERROR(CheckRange("draws", wish.draws, kMinLambdaDraws, kMaxLambdaDraws));
  for (const auto& [name, shape] : {std::pair("alpha", wish.alpha), std::pair("beta", wish.beta)}) {
    if (shape) MIXFEED_RETURN_IF_ERROR(CheckRange(name, *shape, kMinBetaShape, kMaxBetaShape));
  }
  for (const auto& [name, end] : {std::pair("low", wish.low), std::pair("high", wish.high)}) {
    if (end) MIXFEED_RETURN_IF_ERROR(CheckRange(name, *end, 0.0, 1.0));
  }
  const auto names = NamesOf(LambdaLaw());
  if (wish.law.empty() || std::find(names.begin(), names.end(), wish.law) != names.end()) {
    return absl::OkStatus();
  }
  return FieldError("law", absl::StrCat("\"", wish.law, "\""), absl::StrJoin(names, ", "));
}

// The law first: whose alpha is given depends on it.
void Override(const LambdaWish& wish, Recipe* recipe) {
  MixSpec* const mix = &recipe->mix;
  const auto names = NamesOf(LambdaLaw());
  for (size_t i = 0; i < names.size(); ++i) {
    if (wish.law == names[i]) mix->lambda_law = static_cast<LambdaLaw>(i);
  }
  const bool boxes = AlphaIsOfBoxes(*recipe);
  double& alpha = boxes ? mix->cutmix.alpha : mix->alpha;
  double& beta = boxes ? mix->cutmix.beta : mix->beta;
  alpha = wish.alpha.value_or(alpha);
  beta = wish.beta.value_or(wish.alpha.value_or(beta));
  mix->lambda_low = wish.low.value_or(mix->lambda_low);
  mix->lambda_high = wish.high.value_or(mix->lambda_high);
}

absl::StatusOr<LocalSpec> MakeSpec(const LambdaWish& wish, const std::string& dashes) {
  MIXFEED_RETURN_IF_ERROR(CheckWish(wish));
  v1::FeedSpec named;
  named.mutable_recipe()->set_preset(wish.recipe);
  MIXFEED_ASSIGN_OR_RETURN(LocalSpec spec, ResolveLocally(named));
  MixSpec* const mix = &spec.recipe.mix;
  if (!mix->enabled) {
    return FieldError("recipe", absl::StrCat("\"", wish.recipe, "\""), "a recipe that mixes");
  }
  Override(wish, &spec.recipe);
  if (mix->lambda_low > mix->lambda_high) {
    return FieldError("low", absl::StrCat(mix->lambda_low),
                      absl::StrCat("at most ", dashes, "high, ", mix->lambda_high));
  }
  return spec;
}

std::vector<GivenField> GivenBy(const LambdaWish& wish, const Recipe& recipe,
                                const std::string& dashes) {
  const std::string shapes = AlphaIsOfBoxes(recipe) ? "recipe.mix.cutmix." : "recipe.mix.";
  std::vector<GivenField> given;
  if (wish.alpha) given.push_back({dashes + "alpha", shapes + "alpha"});
  if (wish.beta) given.push_back({dashes + "beta", shapes + "beta"});
  if (!wish.law.empty()) given.push_back({dashes + "law", "recipe.mix.lambda_law"});
  if (wish.low) given.push_back({dashes + "low", "recipe.mix.lambda_low"});
  if (wish.high) given.push_back({dashes + "high", "recipe.mix.lambda_high"});
  return given;
}

Json JsonOf(const LambdaWish& wish, const Recipe& recipe, const LambdaFigure& made) {
  Json object;
  object["recipe"] = wish.recipe;
  object["law"] = LambdaLawText(recipe);
  object["floor"] = recipe.mix.lambda_floor;
  object["draws"] = wish.draws;
  object["drawn"] = JsonOf(made.drawn);
  object["floored"] = JsonOf(made.floored);
  return object;
}

}  // namespace

absl::StatusOr<Look> LookAtLambda(const LambdaWish& wish, const std::string& dashes) {
  const absl::StatusOr<LocalSpec> spec = MakeSpec(wish, dashes);
  if (!spec.ok()) {
    return absl::Status(spec.status().code(), absl::StrCat(dashes, spec.status().message()));
  }
  MIXFEED_RETURN_IF_ERROR(ValidateRecipe(spec->recipe));
  LambdaFigure made = MakeLambdaFigure(spec->recipe, wish.seed, wish.draws);
  const Figure& figure = made.figure;
  Look look{.text = absl::StrCat(figure.title, "\n", figure.subtitle, "\n", figure.remark,
                                 figure.remark.empty() ? "" : "\n",
                                 SummaryText("lambda as drawn:", made.drawn),
                                 SummaryText(made.largest + ":", made.floored)),
            .json = JsonOf(wish, spec->recipe, made),
            .notes = NotesOfUnread(GivenBy(wish, spec->recipe, dashes), *spec)};
  look.figure = std::move(made.figure);
  return look;
}

}  // namespace mixfeed
