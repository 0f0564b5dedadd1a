#include "augment/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/testing/eventually.h"

namespace mixfeed {
namespace {

// How often each index was visited, over all chunks.
std::vector<int> Visits(ThreadPool* pool, int64_t count, int64_t grain) {
  std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
  std::atomic<bool> too_long = false;
  pool->ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    if (end - begin > grain) too_long = true;
    for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
  });
  EXPECT_FALSE(too_long);
  return {visits.begin(), visits.end()};
}

class ThreadPoolTest : public ::testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, VisitsEveryIndexOnce) {
  ThreadPool pool(GetParam());
  for (const int64_t count : {0, 1, 7, 64, 1000}) {
    for (const int64_t grain : {1, 3, 2000}) {
      EXPECT_EQ(Visits(&pool, count, grain), std::vector<int>(static_cast<size_t>(count), 1));
    }
  }
}

TEST_P(ThreadPoolTest, LoopsOfSeveralCallersDoNotMix) {
  ThreadPool pool(GetParam());
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&pool, caller] {
      for (int round = 0; round < 50; ++round) {
        const int64_t count = 17 + caller;
        EXPECT_EQ(Visits(&pool, count, 2), std::vector<int>(static_cast<size_t>(count), 1));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, ::testing::Values(0, 1, 2, 5));

// While every other thread is busy elsewhere, a caller does its loops alone, one after the other.
TEST(ThreadPoolTest, AFinishedLoopLeavesNothingInTheQueue) {
  constexpr int kThreads = 3;
  ThreadPool pool(kThreads);
  std::atomic<int> busy = 0;
  std::atomic<bool> go_on = false;
  std::thread other([&] {
    pool.ParallelFor(kThreads, 1, [&](int64_t, int64_t) {
      ++busy;
      EXPECT_TRUE(testing::Eventually([&] { return go_on.load(); }));
    });
  });
  EXPECT_TRUE(testing::Eventually([&] { return busy == kThreads; }));
  for (int loop = 0; loop < 10; ++loop) {
    EXPECT_EQ(Visits(&pool, 100, 1), std::vector<int>(100, 1));
    EXPECT_EQ(pool.queued(), 0u);
  }
  go_on = true;
  other.join();
}

TEST(ThreadPoolTest, CountsTheCallerAsAThread) {
  EXPECT_EQ(ThreadPool(1).threads(), 1);
  EXPECT_EQ(ThreadPool(3).threads(), 3);
  EXPECT_EQ(ThreadPool(-2).threads(), 1);
}

}  // namespace
}  // namespace mixfeed
