#ifndef MIXFEED_TESTS_TESTING_EVENTUALLY_H_
#define MIXFEED_TESTS_TESTING_EVENTUALLY_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

namespace mixfeed::testing {

// How long a test waits for what must come: far longer than it takes, and less than ctest waits.
inline constexpr std::chrono::seconds kPatience(120);

// Looks now and again until `condition` holds. False when it does not within kPatience, and when
// the test has failed otherwise, so that what was to come may never do.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (::testing::Test::HasFailure() || std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // spinning would hold others up
  }
  return true;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_EVENTUALLY_H_
