#include <CLI/CLI.hpp>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "augment/figure/lambda_figure.h"
#include "augment/recipe/enum_names.h"
#include "augment/recipe/presets.h"
#include "augment/recipe/recipe.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/json.h"
#include "client/cli/picture.h"

namespace mixfeed {
namespace {

constexpr int kMinDraws = 100;
constexpr int kMaxDraws = 10'000'000;

std::string SummaryText(const char* name, const LambdaSummary& summary) {
  std::string text = absl::StrFormat("%-24s mean %.4f, mean of the larger share %.4f; quantiles",
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

class Lambda final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    const auto law_names = NamesOf(LambdaLaw());
    app->add_option("--recipe", recipe_, "the preset whose law is drawn")
        ->type_name("NAME")
        ->capture_default_str();
    app->add_option(
           "--alpha", alpha_,
           "of Beta(alpha, beta), 0.01..101; default: the recipe's. Of a recipe of boxes, theirs")
        ->check(InRange(kMinBetaShape, kMaxBetaShape));
    app->add_option("--beta", beta_,
                    "0.01..101; default: alpha where that is given, else the recipe's")
        ->check(InRange(kMinBetaShape, kMaxBetaShape));
    app->add_option("--law", law_, "default: the recipe's")
        ->check(CLI::IsMember(std::vector<std::string>(law_names.begin(), law_names.end())));
    app->add_option("--low", low_, "least lambda of the uniform law, 0..1; default: the recipe's")
        ->check(InRange(0, 1));
    app->add_option("--high", high_, "largest, 0..1; equal to --low: a fixed lambda")
        ->check(InRange(0, 1));
    app->add_option("--draws", draws_, "how many lambdas are drawn, 100..10000000")
        ->check(CLI::Range(kMinDraws, kMaxDraws))
        ->capture_default_str();
    app->add_option("--seed", seed_, "of the draws")->capture_default_str();
    picture_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const Recipe recipe, MakeRecipe());
    const LambdaFigure made = MakeLambdaFigure(recipe, seed_, draws_);
    Json object;
    object["recipe"] = recipe_;
    object["law"] = LambdaLawText(recipe);
    object["floor"] = recipe.mix.lambda_floor;
    object["draws"] = draws_;
    object["drawn"] = JsonOf(made.drawn);
    object["floored"] = JsonOf(made.floored);
    return picture_.Show(
        made.figure,
        absl::StrCat(made.figure.title, "\n", SummaryText("lambda as drawn:", made.drawn),
                     SummaryText("max(lambda, 1 - lambda):", made.floored)),
        object, console);
  }

 private:
  absl::StatusOr<Recipe> MakeRecipe() const {
    absl::StatusOr<Recipe> recipe = FindPreset(recipe_);
    if (!recipe.ok()) {
      return absl::Status(recipe.status().code(), absl::StrCat("--", recipe.status().message()));
    }
    if (!recipe->mix.enabled) {
      return absl::InvalidArgumentError(
          absl::StrCat("--recipe is \"", recipe_, "\"; allowed: a recipe that mixes"));
    }
    Override(&recipe->mix);
    if (recipe->mix.lambda_low > recipe->mix.lambda_high) {
      return absl::InvalidArgumentError(absl::StrCat("--low is ", recipe->mix.lambda_low,
                                                     "; allowed: at most --high, ",
                                                     recipe->mix.lambda_high));
    }
    MIXFEED_RETURN_IF_ERROR(ValidateRecipe(*recipe));
    return recipe;
  }

  void Override(MixSpec* mix) const {
    // What the flags are about: the law of the blends, or of the boxes where there are no blends.
    const bool boxes = mix->cutmix.probability == 1;
    double& alpha = boxes ? mix->cutmix.alpha : mix->alpha;
    double& beta = boxes ? mix->cutmix.beta : mix->beta;
    alpha = alpha_.value_or(alpha);
    beta = beta_.value_or(alpha_.value_or(beta));
    mix->lambda_low = low_.value_or(mix->lambda_low);
    mix->lambda_high = high_.value_or(mix->lambda_high);
    const auto names = NamesOf(LambdaLaw());
    for (size_t i = 0; i < names.size(); ++i) {
      if (law_ == names[i]) mix->lambda_law = static_cast<LambdaLaw>(i);
    }
  }

  PictureFlags picture_;
  std::string recipe_ = "mixup";
  std::string law_;
  std::optional<double> alpha_;
  std::optional<double> beta_;
  std::optional<double> low_;
  std::optional<double> high_;
  int draws_ = 200'000;
  uint64_t seed_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeLambda() { return std::make_unique<Lambda>(); }

}  // namespace mixfeed
