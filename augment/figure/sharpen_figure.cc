#include "augment/figure/sharpen_figure.h"

#include <algorithm>
#include <numbers>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/target/measures.h"
#include "augment/target/target.h"

namespace mixfeed {
namespace {

constexpr size_t kNarrowClasses = 20;  // so many bars fit a panel of four in a line
constexpr size_t kNarrowColumns = 4;
constexpr size_t kWideColumns = 2;
constexpr double kTop = 1.12;           // of the y axis: room for a number over a bar of 1
constexpr size_t kMostWithNumbers = 6;  // classes whose bars have room for a number
constexpr size_t kMostWithAllTicks = 12;

Bars BarsOf(std::span<const float> probabilities, double half_width, const Ink& ink,
            const std::string& label) {
  Bars bars{.ink = ink, .label = label};
  for (size_t c = 0; c < probabilities.size(); ++c) {
    const auto x = static_cast<double>(c);
    bars.bars.push_back({x - half_width, x + half_width, probabilities[c]});
  }
  return bars;
}

void AddNumbers(std::span<const float> probabilities, std::vector<Mark>* marks) {
  if (probabilities.size() > kMostWithNumbers) return;
  for (size_t c = 0; c < probabilities.size(); ++c) {
    marks->emplace_back(Note{.at = {static_cast<double>(c), probabilities[c] + 0.03},
                             .text = absl::StrFormat("%.2f", probabilities[c])});
  }
}

int ColumnsFor(size_t panels, size_t classes) {
  const size_t most = classes <= kNarrowClasses ? kNarrowColumns : kWideColumns;
  return static_cast<int>(std::min(panels, most));
}

Panel PanelOf(std::span<const float> guess, const Sharpened& sharpened) {
  Panel panel{.title = absl::StrFormat("T = %g", sharpened.temperature),
              .subtitle = absl::StrFormat("entropy %.2f bits", sharpened.entropy_bits),
              .x = {.label = "class",
                    .low = -0.6,
                    .high = static_cast<double>(guess.size()) - 0.4,
                    .step = guess.size() <= kMostWithAllTicks ? 1.0 : 0.0},
              .y = {.label = "probability", .low = 0, .high = kTop, .step = 0.2}};
  panel.marks.emplace_back(BarsOf(guess, 0.45, {kFrame}, "guess p"));
  panel.marks.emplace_back(
      BarsOf(sharpened.probabilities, 0.28, {kBar}, "sharpened: p^(1/T) / sum"));
  AddNumbers(sharpened.probabilities, &panel.marks);
  return panel;
}

}  // namespace

double EntropyBits(std::span<const float> probabilities) {
  return EntropyNats(probabilities) / std::numbers::ln2;
}

std::vector<float> ExampleGuess(int classes) {
  double sum = 0;
  for (int c = 1; c <= classes; ++c) sum += 1.0 / c;
  std::vector<float> guess;
  for (int c = 1; c <= classes; ++c) guess.push_back(static_cast<float>(1 / (c * sum)));
  return guess;
}

std::vector<Sharpened> SharpenAt(std::span<const float> guess,
                                 std::span<const double> temperatures) {
  std::vector<Sharpened> sharpened;
  for (const double temperature : temperatures) {
    Sharpened one{.temperature = temperature, .probabilities = {guess.begin(), guess.end()}};
    Sharpen(temperature, static_cast<int>(guess.size()), one.probabilities);
    one.entropy_bits = EntropyBits(one.probabilities);
    sharpened.push_back(std::move(one));
  }
  return sharpened;
}

Figure MakeSharpenFigure(std::span<const float> guess, std::span<const Sharpened> sharpened) {
  Figure figure{
      .title = "What temperature does to a guess",
      .subtitle = absl::StrFormat("p^(1/T) / sum p^(1/T); the guess' own entropy is %.2f bits",
                                  EntropyBits(guess)),
      .columns = ColumnsFor(sharpened.size(), guess.size()),
      .aspect = guess.size() <= kNarrowClasses ? 0.8 : 0.4};
  for (const Sharpened& one : sharpened) figure.panels.push_back(PanelOf(guess, one));
  return figure;
}

}  // namespace mixfeed
