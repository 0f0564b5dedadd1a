#include <CLI/CLI.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "augment/figure/sharpen_figure.h"
#include "augment/recipe/recipe.h"
#include "augment/target/target.h"
#include "client/cli/command.h"
#include "client/cli/flags.h"
#include "client/cli/json.h"
#include "client/cli/picture.h"

namespace mixfeed {
namespace {

constexpr int kMinClasses = 2;
constexpr int kMaxClasses = 100;
constexpr int kMaxTemperatures = 16;

std::string TableText(const std::vector<float>& guess, const std::vector<Sharpened>& sharpened) {
  std::vector<std::string> head = {"class", "guess"};
  for (const Sharpened& one : sharpened) {
    head.push_back(absl::StrFormat("T = %g", one.temperature));
  }
  TextTable table(std::move(head));
  for (size_t c = 0; c < guess.size(); ++c) {
    std::vector<std::string> row = {absl::StrCat(c), absl::StrFormat("%.4f", guess[c])};
    for (const Sharpened& one : sharpened) {
      row.push_back(absl::StrFormat("%.4f", one.probabilities[c]));
    }
    table.Add(std::move(row));
  }
  std::vector<std::string> last = {"bits", absl::StrFormat("%.4f", EntropyBits(guess))};
  for (const Sharpened& one : sharpened) last.push_back(absl::StrFormat("%.4f", one.entropy_bits));
  table.Add(std::move(last));
  std::ostringstream text;
  table.Print(text);
  return text.str();
}

Json JsonOf(const std::vector<float>& guess, const std::vector<Sharpened>& sharpened) {
  Json object;
  object["probabilities"] = guess;
  object["entropy_bits"] = EntropyBits(guess);
  object["sharpened"] = Json::array();
  for (const Sharpened& one : sharpened) {
    object["sharpened"].push_back({{"temperature", one.temperature},
                                   {"probabilities", one.probabilities},
                                   {"entropy_bits", one.entropy_bits}});
  }
  return object;
}

class SharpenCommand final : public Command {
 public:
  void AddFlags(CLI::App* app) override {
    CLI::Option* classes =
        app->add_option("--classes", classes_,
                        "an example of that many classes, whose probabilities fall as 1, 1/2, 1/3 "
                        "and so on; 2..100")
            ->check(CLI::Range(kMinClasses, kMaxClasses))
            ->capture_default_str();
    app->add_option("--probabilities", guess_,
                    "the guess, 2 to 100 numbers that sum to 1 (within 0.001), with commas")
        ->delimiter(',')
        ->expected(kMinClasses, kMaxClasses)
        ->type_name("P,P,...")
        ->excludes(classes);
    app->add_option("--temperature", temperatures_,
                    "the temperatures, 1 to 16 of 0.01..100, with commas")
        ->delimiter(',')
        ->expected(1, kMaxTemperatures)
        ->check(InRange(kMinTemperature, kMaxTemperature))
        ->type_name("T,T,...")
        ->capture_default_str();
    picture_.AddTo(app);
  }

  absl::Status Run(Console* console) override {
    const std::vector<float> guess = guess_.empty() ? ExampleGuess(classes_) : guess_;
    const absl::Status fine = CheckProbabilities(guess, static_cast<int>(guess.size()));
    if (!fine.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--probabilities: ", fine.message()));
    }
    const std::vector<Sharpened> sharpened = SharpenAt(guess, temperatures_);
    return picture_.Show(MakeSharpenFigure(guess, sharpened), TableText(guess, sharpened),
                         JsonOf(guess, sharpened), console);
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
