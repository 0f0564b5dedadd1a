#ifndef MIXFEED_TESTS_AUGMENT_RECIPE_GOLDEN_STATISTICS_H_
#define MIXFEED_TESTS_AUGMENT_RECIPE_GOLDEN_STATISTICS_H_

#include <cstdint>
#include <vector>

#include "tests/augment/recipe/golden_file.h"

namespace mixfeed::testing {

// Comparisons of samples with cases of goldens/distributions.txt. Samples of a fixed seed pass for
// good or never; a right sampler fails by chance less than once in 15,000 checks.

// Kolmogorov's and Smirnov's two-sample distance at the golden's quantiles, in units of its
// standard scale sqrt(1/n + 1/N): below kMaxKsDistance of tests/augment/plan/statistics.h if both
// have one distribution. Values that many draws share may sit anywhere in their step.
double DistanceFromGolden(std::vector<double> samples, const GoldenCase& quantiles);

// Whether counts of 0, 1, 2, ... are compatible with a golden's: Pearson's chi-square of two
// samples, cells with too few draws for it taken together.
bool LooksLikeGolden(const std::vector<int64_t>& counts, const GoldenCase& golden);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_RECIPE_GOLDEN_STATISTICS_H_
