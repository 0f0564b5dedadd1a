#ifndef MIXFEED_TESTS_AUGMENT_PLAN_STATISTICS_H_
#define MIXFEED_TESTS_AUGMENT_PLAN_STATISTICS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace mixfeed::testing {

// Tests with fixed seeds fail for good or never; this level (4 standard deviations, one in 16,000)
// keeps the chance small that an innocent change of draws trips one of some hundred checks.
inline constexpr double kSigmas = 4.0;

// Whether counts of equally likely cells are compatible with being so (Pearson's chi-square, its
// quantile by Wilson and Hilferty's approximation).
inline bool LooksUniform(const std::vector<int64_t>& counts) {
  double total = 0;
  for (const int64_t count : counts) total += static_cast<double>(count);
  const double expected = total / static_cast<double>(counts.size());
  double chi_square = 0;
  for (const int64_t count : counts) {
    const double difference = static_cast<double>(count) - expected;
    chi_square += difference * difference / expected;
  }
  const double freedom = static_cast<double>(counts.size()) - 1;
  const double spread = 2 / (9 * freedom);
  return chi_square < freedom * std::pow(1 - spread + kSigmas * std::sqrt(spread), 3);
}

// Whether `hits` of `trials` fit the probability.
inline bool LooksLikeRate(int64_t hits, int64_t trials, double probability) {
  const auto n = static_cast<double>(trials);
  const double sigma = std::sqrt(n * probability * (1 - probability));
  return std::abs(static_cast<double>(hits) - n * probability) <= kSigmas * sigma;
}

// A NaN cannot be sorted, and no maximum sees it.
inline bool AllFinite(const std::vector<double>& samples) {
  return std::all_of(samples.begin(), samples.end(), [](double x) { return std::isfinite(x); });
}

// Kolmogorov's and Smirnov's distance of the samples up to `limit` from `cdf`, times sqrt(n).
// Exceeds 2.3 by chance once in 20,000.
inline constexpr double kMaxKsDistance = 2.3;
inline double KsDistance(std::vector<double> samples, const std::function<double(double)>& cdf,
                         double limit) {
  if (!AllFinite(samples)) return std::numeric_limits<double>::infinity();
  std::sort(samples.begin(), samples.end());
  const auto n = static_cast<double>(samples.size());
  double distance = 0;
  for (size_t i = 0; i < samples.size() && samples[i] <= limit; ++i) {
    const double value = cdf(samples[i]);
    const auto below = static_cast<double>(i);
    distance = std::max({distance, value - below / n, (below + 1) / n - value});
  }
  return distance * std::sqrt(n);
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_PLAN_STATISTICS_H_
