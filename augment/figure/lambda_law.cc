#include "augment/figure/lambda_law.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_format.h"
#include "augment/plan/box_sampler.h"
#include "augment/plan/dirichlet_sampler.h"
#include "augment/plan/lambda_sampler.h"

namespace mixfeed {
namespace {

constexpr size_t kDrawsAtOnce = 4096;

// What a draw's stream is for, in the place of its view.
enum Use : uint32_t { kBlend, kChoice, kBox };

std::vector<PhiloxStream> StreamsOf(uint64_t seed, Use use, size_t first, size_t count) {
  std::vector<PhiloxStream> streams;
  for (size_t i = 0; i < count; ++i) {
    streams.emplace_back(seed, Purpose::kFigureLambda, first + i, /*row=*/0, use);
  }
  return streams;
}

bool HasBoxes(const MixSpec& mix) { return mix.sources == 2 && mix.cutmix.probability > 0; }

MixSpec WithoutFloor(MixSpec mix) {
  mix.lambda_floor = false;
  return mix;
}

// Draws the lambdas of two sources, part by part.
class TwoWay {
 public:
  explicit TwoWay(const MixSpec& mix)
      : mix_(mix), lambda_(WithoutFloor(mix)), box_(mix.cutmix, ImageShape()) {}

  void Draw(uint64_t seed, size_t first, std::span<double> lambdas) const {
    std::vector<PhiloxStream> streams = StreamsOf(seed, kBlend, first, lambdas.size());
    lambda_.Draw(streams, lambdas);
    if (!HasBoxes(mix_)) return;
    std::vector<DrawnBox> boxes(lambdas.size());
    streams = StreamsOf(seed, kBox, first, lambdas.size());
    box_.Draw(streams, boxes);
    streams = StreamsOf(seed, kChoice, first, lambdas.size());
    for (size_t i = 0; i < lambdas.size(); ++i) {
      if (Bernoulli(mix_.cutmix.probability, &streams[i])) lambdas[i] = boxes[i].lambda;
    }
  }

 private:
  const MixSpec& mix_;
  const LambdaSampler lambda_;
  const BoxSampler box_;
};

enum class Weight : uint8_t { kOwn, kLargest };

// One of each row's weights.
void DrawMultiWay(const MixSpec& mix, Weight which, uint64_t seed, size_t first,
                  std::span<double> lambdas) {
  const auto sources = static_cast<size_t>(mix.sources);
  std::vector<double> weights(lambdas.size() * sources);
  DirichletSampler(mix.sources, mix.alpha).Draw(seed, static_cast<int64_t>(first), weights);
  for (size_t i = 0; i < lambdas.size(); ++i) {
    const std::span<const double> of_row = std::span(weights).subspan(i * sources, sources);
    lambdas[i] = which == Weight::kOwn ? of_row[0] : *std::ranges::max_element(of_row);
  }
}

// Calls draw(first, part) for parts of `count` lambdas.
template <typename Draw>
std::vector<double> InParts(int count, const Draw& draw) {
  std::vector<double> lambdas(static_cast<size_t>(count));
  for (size_t first = 0; first < lambdas.size(); first += kDrawsAtOnce) {
    const size_t size = std::min(lambdas.size() - first, kDrawsAtOnce);
    draw(first, std::span(lambdas).subspan(first, size));
  }
  return lambdas;
}

// Of a positive number. The standard's lgamma writes the sign to a global.
double LogGamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);
}

Density BetaDensity(double a, double b) {
  const double log_norm = LogGamma(a) + LogGamma(b) - LogGamma(a + b);
  return [=](double x) {
    return std::exp((a - 1) * std::log(x) + (b - 1) * std::log1p(-x) - log_norm);
  };
}

std::optional<Density> UniformDensity(double low, double high) {
  if (low == high) return std::nullopt;
  return [=](double x) { return x < low || x > high ? 0 : 1 / (high - low); };
}

std::string BlendText(const MixSpec& mix) {
  switch (mix.lambda_law) {
    case LambdaLaw::kBeta:
      return absl::StrFormat("Beta(%g, %g)", mix.alpha, mix.beta);
    case LambdaLaw::kSizeBiasedBeta:
      return absl::StrFormat("Beta(%g, %g)", mix.alpha + 1, mix.alpha);
    case LambdaLaw::kUniform:
      break;
  }
  if (mix.lambda_low == mix.lambda_high) return absl::StrFormat("always %g", mix.lambda_low);
  return absl::StrFormat("uniform on %g..%g", mix.lambda_low, mix.lambda_high);
}

std::string BoxText(const CutMixSpec& cutmix) {
  if (cutmix.box == BoxRule::kClipped) {
    return absl::StrFormat("boxes of Beta(%g, %g)", cutmix.alpha, cutmix.beta);
  }
  return absl::StrFormat("boxes of sides %g..%g", cutmix.min_side, cutmix.max_side);
}

double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::vector<double> SampleLambdas(const Recipe& recipe, uint64_t seed, int count) {
  const TwoWay two_way(recipe.mix);
  return InParts(count, [&](size_t first, std::span<double> part) {
    if (recipe.mix.sources > 2) {
      DrawMultiWay(recipe.mix, Weight::kOwn, seed, first, part);
    } else {
      two_way.Draw(seed, first, part);
    }
  });
}

std::vector<double> SampleLargest(const Recipe& recipe, uint64_t seed, int count) {
  if (recipe.mix.sources == 2) return LargerShares(SampleLambdas(recipe, seed, count));
  return InParts(count, [&](size_t first, std::span<double> part) {
    DrawMultiWay(recipe.mix, Weight::kLargest, seed, first, part);
  });
}

bool IsFixed(const Recipe& recipe) {
  const MixSpec& mix = recipe.mix;
  return mix.sources == 2 && !HasBoxes(mix) && mix.lambda_law == LambdaLaw::kUniform &&
         mix.lambda_low == mix.lambda_high;
}

bool HasBoxes(const Recipe& recipe) { return HasBoxes(recipe.mix); }

std::vector<double> LargerShares(std::vector<double> lambdas) {
  for (double& lambda : lambdas) lambda = std::max(lambda, 1 - lambda);
  return lambdas;
}

std::optional<Density> LambdaDensity(const Recipe& recipe) {
  const MixSpec& mix = recipe.mix;
  if (HasBoxes(mix)) return std::nullopt;
  // One of n weights of Dirichlet(alpha, ..., alpha).
  if (mix.sources > 2) return BetaDensity(mix.alpha, (mix.sources - 1) * mix.alpha);
  switch (mix.lambda_law) {
    case LambdaLaw::kBeta:
      return BetaDensity(mix.alpha, mix.beta);
    case LambdaLaw::kSizeBiasedBeta:
      return BetaDensity(mix.alpha + 1, mix.alpha);
    case LambdaLaw::kUniform:
      break;
  }
  return UniformDensity(mix.lambda_low, mix.lambda_high);
}

Density FoldedDensity(Density density) {
  return [density = std::move(density)](double x) {
    return x < 0.5 ? 0 : density(x) + density(1 - x);
  };
}

std::string LambdaLawText(const Recipe& recipe) {
  const MixSpec& mix = recipe.mix;
  if (mix.sources > 2) return absl::StrFormat("Dirichlet(%g), %d sources", mix.alpha, mix.sources);
  if (!HasBoxes(mix)) return BlendText(mix);
  if (mix.cutmix.probability == 1) return BoxText(mix.cutmix);
  return absl::StrFormat("%s, or (%g) %s", BlendText(mix), mix.cutmix.probability,
                         BoxText(mix.cutmix));
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
  summary.mean_larger = MeanOf(LargerShares(std::move(lambdas)));
  return summary;
}

}  // namespace mixfeed
