#include "augment/batch/single_flight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

TEST(SingleFlightTest, KeepsNothingOnceTheCallHasReturned) {
  SingleFlight<int, int> flights;
  int runs = 0;
  EXPECT_EQ(flights.Do(1, [&] { return ++runs; }), 1);
  EXPECT_EQ(flights.Do(1, [&] { return ++runs; }), 2);
}

// Knows which threads have looked for a key.
class LookUps {
 public:
  void Note() {
    MutexLock lock(&mu_);
    threads_.insert(std::this_thread::get_id());
    changed_.NotifyAll();
  }
  void AwaitThreads(size_t count) {
    MutexLock lock(&mu_);
    while (threads_.size() < count) changed_.Wait(&mu_);
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::set<std::thread::id> threads_ ABSL_GUARDED_BY(mu_);
};

// A key that notes who compares it. Do holds its lock from there until it waits: whoever has
// compared the key of a making under way shares it, however the threads are scheduled.
struct NotedKey {
  LookUps* look_ups;
  friend bool operator<(const NotedKey& a, const NotedKey& /*b*/) {
    a.look_ups->Note();
    return false;
  }
};

// Four callers at once, of which the first makes; what each of them got.
std::vector<std::string> CallAtOnce(const std::function<std::string()>& make) {
  constexpr size_t kWaiters = 3;
  SingleFlight<NotedKey, std::string> flights;
  LookUps look_ups;
  std::vector<std::string> got(kWaiters + 1);
  const auto call = [&](std::string* answer, const std::function<std::string()>& work) {
    try {
      *answer = flights.Do(NotedKey{&look_ups}, work);
    } catch (const std::exception& error) {
      *answer = absl::StrCat("caught ", error.what());
    }
  };
  std::vector<std::thread> waiters;
  const auto make_with_waiters = [&] {
    for (size_t w = 1; w <= kWaiters; ++w) waiters.emplace_back(call, &got[w], make);
    look_ups.AwaitThreads(kWaiters);
    return make();
  };
  call(&got[0], make_with_waiters);
  for (std::thread& waiter : waiters) waiter.join();
  return got;
}

TEST(SingleFlightTest, CallersAtOnceShareOneMaking) {
  std::atomic<int> makings = 0;
  const auto got = CallAtOnce([&] { return absl::StrCat("made ", ++makings); });
  EXPECT_THAT(got, ::testing::Each("made 1"));
  EXPECT_EQ(makings, 1);
}

TEST(SingleFlightTest, WhatIsThrownReachesAllWhoShare) {
  std::atomic<int> makings = 0;
  const auto got = CallAtOnce(
      [&]() -> std::string { throw std::runtime_error(absl::StrCat("failure ", ++makings)); });
  EXPECT_THAT(got, ::testing::Each("caught failure 1"));
  EXPECT_EQ(makings, 1);
}

TEST(SingleFlightTest, AfterAFailureItIsMadeAgain) {
  SingleFlight<int, int> flights;
  EXPECT_THROW(flights.Do(1, []() -> int { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_EQ(flights.Do(1, [] { return 2; }), 2);
}

TEST(SingleFlightTest, OtherKeysDoNotWait) {
  SingleFlight<int, int> flights;
  // A call for key 2 from inside the making for key 1 returns at once.
  const int value = flights.Do(1, [&] {
    int other = 0;
    std::thread([&] { other = flights.Do(2, [] { return 20; }); }).join();
    return other + 1;
  });
  EXPECT_EQ(value, 21);
}

TEST(SingleFlightTest, NeverMakesOneKeyTwiceAtATime) {
  SingleFlight<int, int> flights;
  std::atomic<int> making = 0;
  std::atomic<int> clock = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        const int before = clock;
        const int made = flights.Do(5, [&] {
          EXPECT_EQ(++making, 1);
          std::this_thread::yield();
          const int now = ++clock;
          --making;
          return now;
        });
        EXPECT_GE(made, before);  // nobody gets what was over before they asked
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace mixfeed
