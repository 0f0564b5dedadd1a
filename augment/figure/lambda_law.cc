#include "augment/figure/lambda_law.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/plan/lambda_sampler.h"

namespace mixfeed {
namespace {

constexpr int kCells = 50;
constexpr int kCurveSteps = 800;
constexpr double kHeadroom = 1.08;  // of the y axis
constexpr size_t kStreamsAtOnce = 4096;

using Density = std::function<double(double)>;

Density BetaDensity(double a, double b) {
  const double log_norm = std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
  return [=](double x) {
    return std::exp((a - 1) * std::log(x) + (b - 1) * std::log1p(-x) - log_norm);
  };
}

Density UniformDensity(double low, double high) {
  return [=](double x) { return x < low || x > high ? 0 : 1 / (high - low); };
}

// Of max(lambda, 1 - lambda).
Density Folded(Density density) {
  return [density = std::move(density)](double x) {
    return x < 0.5 ? 0 : density(x) + density(1 - x);
  };
}

std::string LawText(const MixSpec& mix) {
  if (mix.lambda_law == LambdaLaw::kBeta) {
    return absl::StrFormat("Beta(%g, %g)", mix.alpha, mix.beta);
  }
  if (mix.lambda_low == mix.lambda_high) return absl::StrFormat("always %g", mix.lambda_low);
  return absl::StrFormat("uniform on %g..%g", mix.lambda_low, mix.lambda_high);
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

// At the middles of steps, so that poles at the ends are not met.
Curve CurveOf(const Density& density) {
  Curve curve{.ink = {kInk}, .thickness = 1.5, .label = "exact density"};
  for (int i = 0; i < kCurveSteps; ++i) {
    const double x = (i + 0.5) / kCurveSteps;
    curve.points.push_back({x, density(x)});
  }
  return curve;
}

Panel PanelOf(const Recipe& recipe, bool floor, const std::vector<double>& lambdas,
              const LambdaSummary& summary) {
  Bars histogram = Histogram(lambdas);
  const std::optional<Density> density = LambdaDensity(recipe, floor);
  Panel panel{.title = floor ? "max(lambda, 1 - lambda)" : "lambda as drawn",
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

double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::vector<double> SampleLambdas(const Recipe& recipe, bool floor, uint64_t seed, int count) {
  MixSpec mix = recipe.mix;
  mix.lambda_floor = floor;
  const LambdaSampler sampler(mix);
  std::vector<double> lambdas(static_cast<size_t>(count));
  std::vector<PhiloxStream> streams;
  for (size_t begin = 0; begin < lambdas.size(); begin += streams.size()) {
    streams.clear();
    const size_t end = std::min(lambdas.size(), begin + kStreamsAtOnce);
    for (size_t i = begin; i < end; ++i) streams.emplace_back(seed, Purpose::kFigureLambda, i);
    sampler.Draw(streams, std::span(lambdas).subspan(begin, streams.size()));
  }
  return lambdas;
}

std::optional<Density> LambdaDensity(const Recipe& recipe, bool floor) {
  const MixSpec& mix = recipe.mix;
  Density density;
  if (mix.lambda_law == LambdaLaw::kBeta) {
    density = BetaDensity(mix.alpha, mix.beta);
  } else if (mix.lambda_low < mix.lambda_high) {
    density = UniformDensity(mix.lambda_low, mix.lambda_high);
  } else {
    return std::nullopt;
  }
  return floor ? Folded(std::move(density)) : density;
}

LambdaSummary Summarise(std::vector<double> lambdas) {
  LambdaSummary summary;
  std::sort(lambdas.begin(), lambdas.end());
  summary.mean = MeanOf(lambdas);
  const auto count = static_cast<double>(lambdas.size());
  for (size_t q = 0; q < kLambdaQuantiles.size(); ++q) {
    const double rank = std::ceil(kLambdaQuantiles[q] * count);
    summary.quantiles[q] = lambdas[static_cast<size_t>(std::max(rank, 1.0)) - 1];
  }
  for (double& lambda : lambdas) lambda = std::max(lambda, 1 - lambda);
  summary.mean_larger = MeanOf(lambdas);
  return summary;
}

LambdaFigure MakeLambdaFigure(const Recipe& recipe, uint64_t seed, int count) {
  LambdaFigure made;
  made.figure = {
      .title = absl::StrCat("lambda of ", recipe.preset, ": ", LawText(recipe.mix)),
      .subtitle = absl::StrCat(count, " draws, seed ", seed, "; the recipe itself takes ",
                               recipe.mix.lambda_floor ? "the larger share" : "lambda as drawn"),
      .columns = 2,
      .aspect = 0.6};
  for (const bool floor : {false, true}) {
    const std::vector<double> lambdas = SampleLambdas(recipe, floor, seed, count);
    LambdaSummary& summary = floor ? made.floored : made.drawn;
    summary = Summarise(lambdas);
    made.figure.panels.push_back(PanelOf(recipe, floor, lambdas, summary));
  }
  return made;
}

}  // namespace mixfeed
