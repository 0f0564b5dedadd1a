// The laws of lambda and of the weights of more than two sources.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "augment/plan/dirichlet_sampler.h"
#include "augment/plan/lambda_sampler.h"
#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::kMaxKsDistance;
using ::mixfeed::testing::KsDistance;

constexpr size_t kDraws = 50000;

MixSpec Law(LambdaLaw law, double alpha = 1) {
  MixSpec mix;
  mix.lambda_law = law;
  mix.alpha = mix.beta = alpha;
  mix.lambda_floor = false;
  return mix;
}

std::vector<double> Lambdas(const MixSpec& mix, size_t count = kDraws) {
  std::vector<PhiloxStream> streams;
  for (size_t i = 0; i < count; ++i) streams.emplace_back(3, Purpose::kLambda, i);
  std::vector<double> values(count);
  LambdaSampler(mix).Draw(streams, values);
  return values;
}

double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Trap 2. The values are those of E[max(lambda, 1 - lambda)] under Beta(alpha, alpha), to three
// digits.
TEST(LambdaSamplerTest, TheLargerPartHasTheKnownMean) {
  constexpr double kMeans[][2] = {
      {0.2, 0.899}, {0.5, 0.818}, {0.75, 0.778}, {1, 0.750}, {2, 0.687}};
  for (const auto& [alpha, mean] : kMeans) {
    MixSpec mix = Law(LambdaLaw::kBeta, alpha);
    mix.lambda_floor = true;
    const std::vector<double> lambdas = Lambdas(mix, 200000);
    EXPECT_NEAR(MeanOf(lambdas), mean, 0.0005 + 4 * 0.15 / std::sqrt(200000)) << alpha;
    EXPECT_GE(*std::min_element(lambdas.begin(), lambdas.end()), 0.5);
  }
}

TEST(LambdaSamplerTest, UniformIsUniformOnItsRange) {
  MixSpec mix = Law(LambdaLaw::kUniform);
  mix.lambda_low = 0.2;
  mix.lambda_high = 0.6;
  const std::vector<double> lambdas = Lambdas(mix);
  EXPECT_LT(KsDistance(
                lambdas, [](double x) { return (x - 0.2) / 0.4; }, 1),
            kMaxKsDistance);
  EXPECT_GE(*std::min_element(lambdas.begin(), lambdas.end()), 0.2);
  EXPECT_LE(*std::max_element(lambdas.begin(), lambdas.end()), 0.6);
}

TEST(LambdaSamplerTest, EqualEndsFixLambda) {
  MixSpec mix = Law(LambdaLaw::kUniform);
  for (const double fixed : {0.0, 0.3, 1.0}) {
    mix.lambda_low = mix.lambda_high = fixed;
    mix.lambda_floor = false;
    for (const double lambda : Lambdas(mix, 100)) EXPECT_EQ(lambda, fixed);
    mix.lambda_floor = true;
    for (const double lambda : Lambdas(mix, 100)) EXPECT_EQ(lambda, std::max(fixed, 1 - fixed));
  }
}

// Trap 33: Beta(a + 1, a), whose density is lambda times that of Beta(a, a), up to a factor.
TEST(LambdaSamplerTest, SizeBiasedIsBetaOfAPlusOneAndA) {
  const std::pair<double, std::function<double(double)>> laws[] = {
      {1, [](double x) { return x * x; }},                    // density 2 x
      {2, [](double x) { return x * x * x * (4 - 3 * x); }},  // 12 x^2 (1 - x)
      {0.5, [](double x) {                                    // 2/pi sqrt(x / (1 - x))
         return 2 / M_PI * (std::asin(std::sqrt(x)) - std::sqrt(x * (1 - x)));
       }}};
  for (const auto& [alpha, cdf] : laws) {
    EXPECT_LT(KsDistance(Lambdas(Law(LambdaLaw::kSizeBiasedBeta, alpha)), cdf, 1), kMaxKsDistance)
        << alpha;
  }
}

// Which makes it the same as mixup in expectation: E[f(lambda)] is 2 E[lambda f(lambda)] under
// Beta(a, a). For f = lambda that is (a + 1) / (2 a + 1).
TEST(LambdaSamplerTest, SizeBiasedHasItsMean) {
  for (const double alpha : {0.2, 0.5, 1.0, 8.0}) {
    const double mean = MeanOf(Lambdas(Law(LambdaLaw::kSizeBiasedBeta, alpha)));
    EXPECT_NEAR(mean, (alpha + 1) / (2 * alpha + 1), 4 * 0.4 / std::sqrt(kDraws)) << alpha;
  }
}

TEST(LambdaSamplerTest, EachLambdaDependsOnItsOwnStreamOnly) {
  for (const LambdaLaw law : {LambdaLaw::kBeta, LambdaLaw::kUniform, LambdaLaw::kSizeBiasedBeta}) {
    const std::vector<double> together = Lambdas(Law(law), 20);
    for (size_t i = 0; i < together.size(); ++i) {
      std::vector<PhiloxStream> stream = {PhiloxStream(3, Purpose::kLambda, i)};
      double alone = 0;
      LambdaSampler(Law(law)).Draw(stream, std::span(&alone, 1));
      EXPECT_EQ(alone, together[i]);
    }
  }
}

// --- more than two sources ---

// [unit][source].
std::vector<double> Weights(int sources, double alpha, size_t units = 20000) {
  std::vector<double> weights(units * static_cast<size_t>(sources));
  DirichletSampler(sources, alpha).Draw(4, 7, weights);
  return weights;
}

std::vector<double> OfSource(const std::vector<double>& weights, int sources, int source) {
  std::vector<double> of_source;
  for (size_t at = static_cast<size_t>(source); at < weights.size();
       at += static_cast<size_t>(sources)) {
    of_source.push_back(weights[at]);
  }
  return of_source;
}

struct Marginal {
  int sources;
  double alpha;
  std::function<double(double)> cdf;  // Beta(alpha, (sources - 1) alpha)
};

TEST(DirichletSamplerTest, EverySourcesWeightIsBeta) {
  const Marginal marginals[] = {
      {3, 1, [](double x) { return 1 - std::pow(1 - x, 2); }},
      {8, 1, [](double x) { return 1 - std::pow(1 - x, 7); }},
      {3, 0.5, [](double x) { return std::sqrt(x); }},
      {2, 1, [](double x) { return x; }},
  };
  for (const Marginal& marginal : marginals) {
    const std::vector<double> weights = Weights(marginal.sources, marginal.alpha);
    for (int source = 0; source < marginal.sources; ++source) {
      EXPECT_LT(KsDistance(OfSource(weights, marginal.sources, source), marginal.cdf, 1),
                kMaxKsDistance)
          << "source " << source << " of " << marginal.sources << ", alpha " << marginal.alpha;
    }
  }
}

TEST(DirichletSamplerTest, WeightsAreNotNegativeAndSumToOne) {
  for (const double alpha : {kMinBetaShape, 0.3, 1.0, kMaxBetaShape}) {
    for (const int sources : {2, 3, kMaxSources}) {
      const std::vector<double> weights = Weights(sources, alpha, 2000);
      const auto stride = static_cast<size_t>(sources);
      for (size_t unit = 0; unit < weights.size(); unit += stride) {
        double sum = 0;
        for (size_t source = 0; source < stride; ++source) {
          EXPECT_GE(weights[unit + source], 0);
          sum += weights[unit + source];
        }
        EXPECT_NEAR(sum, 1, 1e-12);
      }
    }
  }
}

// At the largest shape, the variance is m (1 - m) / (n alpha + 1) for the mean m = 1 / n.
TEST(DirichletSamplerTest, TheLargestShapeHasItsVariance) {
  const double expected = 0.125 * 0.875 / (8 * kMaxBetaShape + 1);
  const std::vector<double> weights = Weights(8, kMaxBetaShape);
  for (int source = 0; source < 8; ++source) {
    std::vector<double> squares = OfSource(weights, 8, source);
    for (double& weight : squares) weight = (weight - 0.125) * (weight - 0.125);
    EXPECT_NEAR(MeanOf(squares), expected, 0.06 * expected) << source;
  }
}

TEST(DirichletSamplerTest, UnitsAndStepsDrawTheirOwn) {
  const std::vector<double> weights = Weights(3, 1, 100);
  EXPECT_EQ(std::vector<double>(weights.begin(), weights.begin() + 30), Weights(3, 1, 10));
  std::vector<double> other(300);
  DirichletSampler(3, 1).Draw(4, 8, other);
  EXPECT_NE(other, weights);
  std::vector<double> first = OfSource(weights, 3, 0);
  std::sort(first.begin(), first.end());
  EXPECT_EQ(std::adjacent_find(first.begin(), first.end()), first.end());
}

}  // namespace
}  // namespace mixfeed
