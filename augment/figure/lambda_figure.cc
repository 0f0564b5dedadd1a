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

// Where the density is drawn besides, from either end.
constexpr std::array<double, 5> kNearEnds = {1e-9, 1e-7, 1e-6, 1e-5, 1e-4};

bool TakesLargest(const Recipe& recipe) {
  return recipe.mix.lambda_floor && recipe.mix.sources == 2 && recipe.mix.cutmix.probability < 1;
}

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

// Between the middles of steps, and close to the ends, where there may be poles: at most to `top`.
Curve CurveOf(const Density& density, double top) {
  Curve curve{.ink = {kInk}, .thickness = 1.5, .label = "exact density"};
  const auto add = [&](double x) { curve.points.push_back({x, std::min(density(x), top)}); };
  for (const double distance : kNearEnds) add(distance);
  for (int i = 0; i < kCurveSteps; ++i) add((i + 0.5) / kCurveSteps);
  for (auto it = kNearEnds.rbegin(); it != kNearEnds.rend(); ++it) add(1 - *it);
  return curve;
}

Panel HistogramPanel(const std::vector<double>& lambdas, const LambdaSummary& summary,
                     const std::optional<Density>& density) {
  Bars histogram = Histogram(lambdas);
  Panel panel{.subtitle = absl::StrFormat("mean %.3f, 90 %% in %.3f..%.3f", summary.mean,
                                          summary.quantiles.front(), summary.quantiles.back()),
              .y = {.label = "density", .high = TopFor(histogram, density)}};
  panel.marks.emplace_back(std::move(histogram));
  if (density.has_value()) panel.marks.emplace_back(CurveOf(*density, 2 * panel.y.high));
  panel.marks.emplace_back(Curve{.points = {{summary.mean, 0}, {summary.mean, panel.y.high}},
                                 .ink = {kSeries[1]},
                                 .thickness = 1,
                                 .label = "mean"});
  return panel;
}

// All of the probability is in one place.
Panel FixedPanel(double value) {
  Panel panel{.subtitle = "every draw", .y = {.ticks = false}};
  panel.marks.emplace_back(
      Curve{.points = {{value, 0}, {value, 0.9}}, .ink = {kBar}, .thickness = 3, .label = "draws"});
  panel.marks.emplace_back(Note{.at = {value, 0.93}, .text = absl::StrFormat("%g", value)});
  return panel;
}

Panel PanelOf(const Recipe& recipe, const std::vector<double>& lambdas,
              const LambdaSummary& summary, const std::optional<Density>& density) {
  return IsFixed(recipe) ? FixedPanel(lambdas[0]) : HistogramPanel(lambdas, summary, density);
}

std::string TitleOf(const Recipe& recipe) {
  if (IsFixed(recipe)) return absl::StrFormat("lambda = %g", recipe.mix.lambda_low);
  return absl::StrCat("lambda of ", LambdaLawText(recipe));
}

// Of what is not mixed there is no draw.
std::string UnmixedText(const MixSpec& mix) {
  constexpr const char* kUnits[] = {"rows", "batches", "pairs"};  // in the order of DrawScope
  if (mix.probability == 1) return "";
  return absl::StrFormat(", of %s that are mixed (probability %g; in the others lambda is 1)",
                         kUnits[static_cast<size_t>(mix.probability_scope)], mix.probability);
}

std::string SubtitleOf(const Recipe& recipe, uint64_t seed, int count) {
  return absl::StrCat(count, " draws, seed ", seed, UnmixedText(recipe.mix), "; the recipe takes ",
                      TakesLargest(recipe)     ? "max(lambda, 1 - lambda) of its blends"
                      : recipe.mix.sources > 2 ? "all weights as drawn"
                                               : "lambda as drawn");
}

std::string RemarkOf(const Recipe& recipe) {
  if (!HasBoxes(recipe)) return "";
  return "Of a box lambda is 1 - its area. Sides are whole pixels, here of 32: some areas occur "
         "often, "
         "others never; hence the teeth";
}

std::string LargestText(const MixSpec& mix) {
  if (mix.sources == 2) return "max(lambda, 1 - lambda)";
  return absl::StrFormat("largest of %d weights", mix.sources);
}

}  // namespace

LambdaFigure MakeLambdaFigure(const Recipe& recipe, uint64_t seed, int count) {
  const std::vector<double> lambdas = SampleLambdas(recipe, seed, count);
  const std::vector<double> largest = SampleLargest(recipe, seed, count);
  std::optional<Density> density = LambdaDensity(recipe);
  LambdaFigure made{.drawn = Summarise(lambdas),
                    .floored = Summarise(largest),
                    .largest = LargestText(recipe.mix)};
  made.drawn.mean_larger = made.floored.mean_larger = made.floored.mean;
  made.figure = {.title = absl::StrCat(recipe.preset, ": ", TitleOf(recipe)),
                 .subtitle = SubtitleOf(recipe, seed, count),
                 .remark = RemarkOf(recipe),
                 .columns = 2,
                 .aspect = 0.6};
  Panel drawn = PanelOf(recipe, lambdas, made.drawn, density);
  drawn.title = recipe.mix.sources == 2 ? "lambda as drawn" : "lambda, the row's own weight";
  drawn.x.label = "lambda";
  // In closed form of two sources only.
  if (recipe.mix.sources > 2) density = std::nullopt;
  if (density.has_value()) density = FoldedDensity(*std::move(density));
  Panel floored = PanelOf(recipe, largest, made.floored, density);
  floored.title =
      absl::StrCat(made.largest, TakesLargest(recipe) ? "" : ", not used by the recipe");
  floored.x.label = made.largest;
  made.figure.panels = {std::move(drawn), std::move(floored)};
  return made;
}

}  // namespace mixfeed
