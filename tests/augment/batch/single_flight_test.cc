#include "augment/batch/single_flight.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace mixfeed {
namespace {

TEST(SingleFlightTest, KeepsNothingOnceTheCallHasReturned) {
  SingleFlight<int, int> flights;
  int runs = 0;
  EXPECT_EQ(flights.Do(1, [&] { return ++runs; }), 1);
  EXPECT_EQ(flights.Do(1, [&] { return ++runs; }), 2);
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
