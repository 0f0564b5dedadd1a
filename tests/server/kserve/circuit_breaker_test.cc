#include "server/kserve/circuit_breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace mixfeed {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

const CircuitBreaker::Time kNow(std::chrono::hours(1));
constexpr CircuitBreaker::Options kOptions{.failures_to_open = 4,
                                           .first_retry = milliseconds(100),
                                           .longest_retry = milliseconds(250),
                                           .first_open = milliseconds(1000),
                                           .longest_open = milliseconds(3000)};

auto UpperHalfOf(int ms) { return AllOf(Ge(milliseconds((ms + 1) / 2)), Le(milliseconds(ms))); }

TEST(CircuitBreakerTest, OpensAfterSoManyFailuresInARow) {
  CircuitBreaker breaker(kOptions, 1);
  for (int i = 0; i < 3; ++i) breaker.Failed(kNow);
  breaker.Succeeded();
  for (int i = 0; i < 3; ++i) breaker.Failed(kNow);
  EXPECT_FALSE(breaker.open());
  breaker.Failed(kNow);
  EXPECT_TRUE(breaker.open());
  EXPECT_THAT(breaker.probe_at() - kNow, UpperHalfOf(1000));
}

TEST(CircuitBreakerTest, PausesBeforeRetriesDoubleUpToTheLongest) {
  CircuitBreaker breaker(kOptions, 1);
  for (const int longest : {100, 200, 250}) {
    breaker.Failed(kNow);
    EXPECT_THAT(breaker.RetryPause(), UpperHalfOf(longest));
  }
}

TEST(CircuitBreakerTest, PausesDiffer) {
  std::set<milliseconds> pauses;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    CircuitBreaker breaker(kOptions, seed);
    breaker.Failed(kNow);
    pauses.insert(breaker.RetryPause());
  }
  EXPECT_GT(pauses.size(), 20u);
}

TEST(CircuitBreakerTest, StaysOpenForLongerWithEveryFailedProbe) {
  CircuitBreaker breaker(kOptions, 1);
  for (const int longest : {1000, 2000, 3000, 3000}) {
    breaker.Open(kNow);
    EXPECT_TRUE(breaker.open());
    EXPECT_THAT(breaker.probe_at() - kNow, UpperHalfOf(longest));
  }
}

TEST(CircuitBreakerTest, WhatWasSentBeforeItOpenedChangesNothing) {
  CircuitBreaker breaker(kOptions, 1);
  breaker.Open(kNow);
  const auto probe_at = breaker.probe_at();
  breaker.Succeeded();
  EXPECT_TRUE(breaker.open());
  for (int i = 0; i < 10; ++i) breaker.Failed(kNow + milliseconds(1));
  EXPECT_EQ(breaker.probe_at(), probe_at);
}

TEST(CircuitBreakerTest, AGoodProbeClosesItOnTrial) {
  CircuitBreaker breaker(kOptions, 1);
  breaker.Open(kNow);
  breaker.CloseOnTrial();
  EXPECT_FALSE(breaker.open());
  breaker.Failed(kNow);
  EXPECT_TRUE(breaker.open());
  EXPECT_THAT(breaker.probe_at() - kNow, UpperHalfOf(2000));
}

TEST(CircuitBreakerTest, ASuccessEndsTheTrial) {
  CircuitBreaker breaker(kOptions, 1);
  breaker.Open(kNow);
  breaker.CloseOnTrial();
  breaker.Succeeded();
  for (int i = 0; i < 3; ++i) breaker.Failed(kNow);
  EXPECT_FALSE(breaker.open());
  breaker.Failed(kNow);
  EXPECT_THAT(breaker.probe_at() - kNow, UpperHalfOf(1000));
}

}  // namespace
}  // namespace mixfeed
