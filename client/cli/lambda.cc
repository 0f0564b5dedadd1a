#include "client/look/lambda.h"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "augment/base/status_macros.h"
#include "augment/recipe/enum_names.h"
#include "augment/recipe/recipe.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/picture.h"

namespace mixfeed {
namespace {

class Lambda final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    const auto law_names = NamesOf(LambdaLaw());
    app->add_option("--recipe", wish_.recipe, "the preset whose law is drawn")
        ->type_name("NAME")
        ->capture_default_str();
    app->add_option(
           "--alpha", wish_.alpha,
           "of Beta(alpha, beta), 0.01..101; default: the recipe's. Of a recipe of boxes alone "
           "(cutmix) theirs, with boxes and blends (mixup-cutmix) that of the blends")
        ->check(InRange(kMinBetaShape, kMaxBetaShape));
    app->add_option("--beta", wish_.beta,
                    "0.01..101; default: alpha where that is given, else the recipe's")
        ->check(InRange(kMinBetaShape, kMaxBetaShape));
    app->add_option("--law", wish_.law, "default: the recipe's")
        ->check(CLI::IsMember(std::vector<std::string>(law_names.begin(), law_names.end())));
    app->add_option("--low", wish_.low,
                    "least lambda of the uniform law, 0..1; default: the recipe's")
        ->check(InRange(0, 1));
    app->add_option("--high", wish_.high, "largest, 0..1; equal to --low: a fixed lambda")
        ->check(InRange(0, 1));
    app->add_option("--draws", wish_.draws, "how many lambdas are drawn, 100..10000000")
        ->check(WholeInRange(kMinLambdaDraws, kMaxLambdaDraws))
        ->capture_default_str();
    app->add_option("--seed", wish_.seed, "of the draws, from 0 up")
        ->check(WholeFrom(0))
        ->capture_default_str();
    picture_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    MIXFEED_ASSIGN_OR_RETURN(const Look look, LookAtLambda(wish_, "--"));
    return picture_.Show(look, console);
  }

 private:
  PictureFlags picture_;
  LambdaWish wish_;
};

}  // namespace

std::unique_ptr<Command> MakeLambda() { return std::make_unique<Lambda>(); }

}  // namespace mixfeed
