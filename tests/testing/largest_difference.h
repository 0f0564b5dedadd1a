#ifndef MIXFEED_TESTS_TESTING_LARGEST_DIFFERENCE_H_
#define MIXFEED_TESTS_TESTING_LARGEST_DIFFERENCE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace mixfeed::testing {

// The largest |a[i] - b[i]| of two vectors or spans of numbers; infinite where a difference is not
// finite, which a maximum by itself does not see of NaN, and where they are not equally long.
template <typename A, typename B>
double LargestDifference(const A& a, const B& b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return kInfinity;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(double{a[i]} - double{b[i]});
    if (!std::isfinite(difference)) return kInfinity;
    largest = std::max(largest, difference);
  }
  return largest;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_LARGEST_DIFFERENCE_H_
