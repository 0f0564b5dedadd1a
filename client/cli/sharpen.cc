#include "client/look/sharpen.h"

#include <CLI/CLI.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/figure/sharpen_figure.h"
#include "augment/recipe/recipe.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/picture.h"

namespace mixfeed {
namespace {

class SharpenCommand final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    CLI::Option* classes =
        app->add_option("--classes", classes_,
                        "an example of that many classes, whose probabilities fall as 1, 1/2, 1/3 "
                        "and so on; 2..100")
            ->check(WholeInRange(kMinSharpenClasses, kMaxSharpenClasses))
            ->capture_default_str();
    app->add_option("--probabilities", guess_,
                    "the guess, 2 to 100 numbers that sum to 1 (within 0.001), with commas")
        ->delimiter(',')
        ->expected(int{kMinSharpenClasses}, int{kMaxSharpenClasses})
        ->type_name("P,P,...")
        ->excludes(classes);
    app->add_option("--temperature", temperatures_,
                    "the temperatures, 1 to 16 of 0.01..100, with commas")
        ->delimiter(',')
        ->expected(1, int{kMaxTemperatures})
        ->check(InRange(kMinTemperature, kMaxTemperature))
        ->type_name("T,T,...")
        ->capture_default_str();
    picture_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    const std::vector<float> guess = guess_.empty() ? ExampleGuess(classes_) : guess_;
    const absl::StatusOr<Look> look = LookAtSharpening(guess, temperatures_);
    if (look.ok()) return picture_.Show(*look, console);
    return absl::Status(look.status().code(), absl::StrCat("--", look.status().message()));
  }

 private:
  PictureFlags picture_;
  int classes_ = 10;
  std::vector<float> guess_;
  std::vector<double> temperatures_ = {2, 1, 0.5, 0.25};
};

}  // namespace

std::unique_ptr<Command> MakeSharpen() { return std::make_unique<SharpenCommand>(); }

}  // namespace mixfeed
