#include "augment/plan/distributions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::KsDistance;
using ::mixfeed::testing::LooksLikeRate;
using ::mixfeed::testing::LooksUniform;

constexpr uint64_t kSeed = 20240607;

PhiloxStream Stream(uint64_t step) { return PhiloxStream(kSeed, Purpose::kLambda, step); }

TEST(UniformTest, BelowOneIsUniformAndIn53Bits) {
  PhiloxStream stream = Stream(0);
  std::vector<double> samples(20000);
  for (double& u : samples) {
    u = UniformBelowOne(&stream);
    EXPECT_GE(u, 0);
    EXPECT_LT(u, 1);
    EXPECT_EQ(u * 0x1p53, std::floor(u * 0x1p53));
  }
  EXPECT_LT(KsDistance(
                samples, [](double x) { return x; }, 1),
            testing::kMaxKsDistance);
}

TEST(UniformTest, InsideIsUniformWithExactComplement) {
  PhiloxStream stream = Stream(1);
  std::vector<double> samples(20000);
  for (double& u : samples) {
    u = UniformInside(&stream);
    EXPECT_GT(u, 0);
    EXPECT_LT(u, 1);
    EXPECT_EQ(std::fmod(u * 0x1p53, 2), 1);
    EXPECT_EQ(1 - (1 - u), u);
  }
  EXPECT_LT(KsDistance(
                samples, [](double x) { return x; }, 1),
            testing::kMaxKsDistance);
}

TEST(UniformIntTest, EveryValueIsEquallyLikely) {
  for (const uint32_t bound : {1u, 2u, 3u, 9u, 10u, 129u, 1000u}) {
    PhiloxStream stream = Stream(bound);
    std::vector<int64_t> counts(bound);
    for (int i = 0; i < 100000; ++i) ++counts.at(UniformInt(bound, &stream));
    if (bound > 1) {
      EXPECT_TRUE(LooksUniform(counts)) << bound;
    }
  }
}

// Three quarters of 2^32: without rejection a third of the values would be drawn twice as often.
TEST(UniformIntTest, HasNoBiasForLargeBounds) {
  constexpr uint32_t kBound = 3u << 30;
  PhiloxStream stream = Stream(2);
  std::vector<int64_t> by_remainder(3);
  std::vector<int64_t> by_third(3);
  for (int i = 0; i < 100000; ++i) {
    const uint32_t value = UniformInt(kBound, &stream);
    ++by_remainder.at(value % 3);
    ++by_third.at(value >> 30);
  }
  EXPECT_TRUE(LooksUniform(by_remainder));
  EXPECT_TRUE(LooksUniform(by_third));
}

TEST(BernoulliTest, HasTheRateAskedFor) {
  constexpr int kTrials = 50000;
  for (const double probability : {0.0, 0.001, 0.25, 0.5, 0.9, 1.0}) {
    PhiloxStream stream = Stream(3);
    int hits = 0;
    for (int i = 0; i < kTrials; ++i) hits += Bernoulli(probability, &stream) ? 1 : 0;
    EXPECT_TRUE(LooksLikeRate(hits, kTrials, probability)) << probability << ": " << hits;
  }
}

// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8) by Lentz's
// method; converges fast for x below (a + 1) / (a + b + 2).
long double BetaFraction(long double a, long double b, long double x) {
  constexpr long double kTiny = 1e-300L;
  long double c = 1;
  long double d = 1 / (1 - (a + b) * x / (a + 1));
  long double fraction = d;
  for (int i = 1; i < 1000; ++i) {
    const long double m = i;
    const long double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / std::max(1 + even * d, kTiny);
    c = 1 + even / c;
    fraction *= d * c;
    const long double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    fraction *= d * c;
    if (std::abs(d * c - 1) < 1e-17L) break;
  }
  return fraction;
}

// P(Beta(a, b) <= x).
double BetaCdf(long double a, long double b, long double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const long double log_front =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  const long double front = std::exp(log_front);
  if (x < (a + 1) / (a + b + 2)) return static_cast<double>(front * BetaFraction(a, b, x) / a);
  return static_cast<double>(1 - front * BetaFraction(b, a, 1 - x) / b);
}

TEST(BetaCdfTest, HelperEqualsClosedForms) {
  EXPECT_NEAR(BetaCdf(1, 1, 0.3L), 0.3, 1e-15);
  EXPECT_NEAR(BetaCdf(2, 1, 0.3L), 0.09, 1e-15);
  EXPECT_NEAR(BetaCdf(1, 3, 0.3L), 1 - 0.343, 1e-15);
  EXPECT_NEAR(BetaCdf(0.5L, 0.5L, 0.3L), 2 / M_PI * std::asin(std::sqrt(0.3)), 1e-15);
  EXPECT_NEAR(BetaCdf(100, 100, 0.5L), 0.5, 1e-14);
  EXPECT_NEAR(BetaCdf(3, 2, 0.7L), 4 * 0.343 - 3 * 0.2401, 1e-15);
}

std::vector<double> DrawBetas(double a, double b, size_t count) {
  std::vector<PhiloxStream> streams;
  for (size_t i = 0; i < count; ++i) streams.push_back(Stream(i));
  std::vector<double> values(count);
  BetaDistribution(a, b).Draw(streams, values);
  return values;
}

struct Shapes {
  double a;
  double b;
};

class BetaDistributionTest : public ::testing::TestWithParam<Shapes> {};

TEST_P(BetaDistributionTest, HasTheBetaDistribution) {
  const auto [a, b] = GetParam();
  const std::vector<double> values = DrawBetas(a, b, 40000);
  // Above it, the distance from 1 has too few bits left in a double to compare with.
  constexpr double kLimit = 1 - 1e-12;
  const auto cdf = [a = a, b = b](double x) { return BetaCdf(a, b, x); };
  EXPECT_LT(KsDistance(values, cdf, kLimit), testing::kMaxKsDistance);
}

TEST_P(BetaDistributionTest, IsWithinZeroAndOneWithTheRightMoments) {
  const auto [a, b] = GetParam();
  const std::vector<double> values = DrawBetas(a, b, 40000);
  const auto n = static_cast<double>(values.size());
  const double mean = a / (a + b);
  const double variance = a * b / ((a + b) * (a + b) * (a + b + 1));
  double sum = 0;
  double squares = 0;
  for (const double value : values) {
    ASSERT_GE(value, 0);
    ASSERT_LE(value, 1);
    sum += value;
    squares += (value - mean) * (value - mean);
  }
  EXPECT_NEAR(sum / n, mean, testing::kSigmas * std::sqrt(variance / n));
  // The fourth moment is at most the second on [0, 1].
  EXPECT_NEAR(squares / n, variance, testing::kSigmas * std::sqrt(variance / n));
}

INSTANTIATE_TEST_SUITE_P(Shapes, BetaDistributionTest,
                         ::testing::Values(Shapes{0.01, 0.01}, Shapes{0.1, 0.1}, Shapes{0.2, 0.2},
                                           Shapes{0.5, 0.5}, Shapes{0.75, 0.75}, Shapes{1, 1},
                                           Shapes{1.0001, 1.0001}, Shapes{2, 2}, Shapes{8, 8},
                                           Shapes{32, 32}, Shapes{100, 100}, Shapes{1.01, 0.01},
                                           Shapes{1.1, 0.1}, Shapes{1.75, 0.75}, Shapes{2, 1},
                                           Shapes{3, 2}, Shapes{100, 99}, Shapes{101, 100},
                                           Shapes{0.01, 1.01}, Shapes{100, 0.01}, Shapes{0.01, 100},
                                           Shapes{0.3, 5}, Shapes{40, 1.5}));

// Constants of the mixup literature: mean of max(lambda, 1 - lambda).
TEST(BetaDistributionTest, MeanOfTheFlooredValueIsTheKnownConstant) {
  const std::vector<std::pair<double, double>> known = {
      {0.2, 0.899}, {0.5, 0.818}, {0.75, 0.778}, {1.0, 0.750}, {2.0, 0.687}};
  for (const auto& [alpha, expected] : known) {
    double sum = 0;
    const std::vector<double> values = DrawBetas(alpha, alpha, 200000);
    for (const double value : values) sum += std::max(value, 1 - value);
    EXPECT_NEAR(sum / static_cast<double>(values.size()), expected, 0.002) << alpha;
  }
}

// A Gamma variate in float32 underflows here, and the quotient of two such is NaN.
TEST(BetaDistributionTest, SmallShapesReachFarIntoTheTails) {
  const std::vector<double> values = DrawBetas(0.01, 0.01, 40000);
  const auto below = [&values](double x) {
    return std::count_if(values.begin(), values.end(), [x](double v) { return v < x; });
  };
  for (const double x : {1e-300, 1e-100, 1e-30, 1e-8}) {
    EXPECT_TRUE(LooksLikeRate(below(x), 40000, BetaCdf(0.01L, 0.01L, static_cast<long double>(x))))
        << x << ": " << below(x);
  }
}

TEST(BetaDistributionTest, EachValueDependsOnItsOwnStreamOnly) {
  const std::vector<double> together = DrawBetas(0.75, 0.75, 500);
  const BetaDistribution distribution(0.75, 0.75);
  for (size_t i = 0; i < together.size(); ++i) {
    PhiloxStream stream = Stream(i);
    double alone = -1;
    distribution.Draw({&stream, 1}, {&alone, 1});
    EXPECT_EQ(alone, together[i]);
  }
}

}  // namespace
}  // namespace mixfeed
