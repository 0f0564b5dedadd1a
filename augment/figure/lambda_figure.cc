#include "augment/figure/lambda_figure.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mixfeed {
namespace {

constexpr int kCells = 50;
constexpr int kCurveSteps = 800;
constexpr double kHeadroom = 1.08;  // of the y axis

// Scaled to area 1.
Bars Histogram(const std::vector<double>& lambdas) {
  std::array<int64_t, kCells> counts = {};
  for (const double lambda : lambdas) {
    ++counts[static_cast<size_t>(std::min(kCells - 1, static_cast<int>(lambda * kCells)))];
  }
  Bars bars{.ink = {kBar, 0.55}, .label = "draws"};
  for (int i = 0; i < kCells; ++i) {
    const double share =
        static_cast<double>(counts[static_cast<size_t>(i)]) / static_cast<double>(lambdas.size());
    bars.bars.push_back(
        {static_cast<double>(i) / kCells, static_cast<double>(i + 1) / kCells, share * kCells});
  }
  return bars;
}

// The top of the y axis: room for all bars, and for the density where it has no pole.
double TopFor(const Bars& bars, const std::optional<Density>& density) {
  double highest = 0;
  for (const Bar& bar : bars.bars) {
    const double exact = density.has_value() ? (*density)((bar.low + bar.high) / 2) : 0;
    highest = std::max({highest, bar.height, exact});
  }
  return kHeadroom * highest;
}

// At the middles of steps, so that poles at the ends are not met.
Curve CurveOf(const Density& density) {
  Curve curve{.ink = {kInk}, .thickness = 1.5, .label = "exact density"};
  for (int i = 0; i < kCurveSteps; ++i) {
    const double x = (i + 0.5) / kCurveSteps;
    curve.points.push_back({x, density(x)});
  }
  return curve;
}

Panel PanelOf(const std::string& title, const std::vector<double>& lambdas,
              const LambdaSummary& summary, const std::optional<Density>& density) {
  Bars histogram = Histogram(lambdas);
  Panel panel{.title = title,
              .subtitle = absl::StrFormat("mean %.3f, 90 %% in %.3f..%.3f", summary.mean,
                                          summary.quantiles.front(), summary.quantiles.back()),
              .x = {.label = "lambda"},
              .y = {.label = "density", .high = TopFor(histogram, density)}};
  panel.marks.emplace_back(std::move(histogram));
  if (density.has_value()) panel.marks.emplace_back(CurveOf(*density));
  panel.marks.emplace_back(Curve{.points = {{summary.mean, 0}, {summary.mean, panel.y.high}},
                                 .ink = {kSeries[1]},
                                 .thickness = 1,
                                 .label = "mean"});
  return panel;
}

std::string SubtitleOf(const Recipe& recipe, uint64_t seed, int count) {
  return absl::StrCat(
      count, " draws, seed ", seed, "; the recipe takes ",
      recipe.mix.lambda_floor ? "max(lambda, 1 - lambda) of its blends" : "lambda as drawn");
}

}  // namespace

LambdaFigure MakeLambdaFigure(const Recipe& recipe, uint64_t seed, int count) {
  const std::vector<double> lambdas = SampleLambdas(recipe, seed, count);
  const std::vector<double> larger = LargerShares(lambdas);
  std::optional<Density> density = LambdaDensity(recipe);
  LambdaFigure made{.drawn = Summarise(lambdas), .floored = Summarise(larger)};
  made.figure = {.title = absl::StrCat(recipe.preset, ": lambda of ", LambdaLawText(recipe)),
                 .subtitle = SubtitleOf(recipe, seed, count),
                 .columns = 2,
                 .aspect = 0.6};
  std::vector<Panel>& panels = made.figure.panels;
  panels.push_back(PanelOf("lambda as drawn", lambdas, made.drawn, density));
  if (density.has_value()) density = FoldedDensity(*std::move(density));
  panels.push_back(PanelOf("max(lambda, 1 - lambda)", larger, made.floored, density));
  return made;
}

}  // namespace mixfeed
