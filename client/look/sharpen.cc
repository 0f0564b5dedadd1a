#include "client/look/sharpen.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/figure/sharpen_figure.h"
#include "augment/recipe/recipe.h"
#include "augment/target/target.h"
#include "client/look/text_table.h"

namespace mixfeed {
namespace {

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
  return table.Text();
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

absl::Status CheckGuess(const std::vector<float>& guess) {
  MIXFEED_RETURN_IF_ERROR(CheckRange("the number of probabilities", guess.size(),
                                     kMinSharpenClasses, kMaxSharpenClasses));
  const absl::Status fine = CheckProbabilities(guess, static_cast<int>(guess.size()));
  if (fine.ok()) return fine;
  return absl::InvalidArgumentError(absl::StrCat("probabilities: ", fine.message()));
}

}  // namespace

absl::StatusOr<Look> LookAtSharpening(const std::vector<float>& guess,
                                      const std::vector<double>& temperatures) {
  MIXFEED_RETURN_IF_ERROR(CheckGuess(guess));
  MIXFEED_RETURN_IF_ERROR(
      CheckRange("the number of temperatures", temperatures.size(), size_t{1}, kMaxTemperatures));
  for (const double t : temperatures) {
    MIXFEED_RETURN_IF_ERROR(CheckRange("temperature", t, kMinTemperature, kMaxTemperature));
  }
  const std::vector<Sharpened> sharpened = SharpenAt(guess, temperatures);
  return Look{.text = TableText(guess, sharpened),
              .json = JsonOf(guess, sharpened),
              .figure = MakeSharpenFigure(guess, sharpened)};
}

}  // namespace mixfeed
