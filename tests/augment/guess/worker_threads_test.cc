#include "augment/guess/worker_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace mixfeed {
namespace {

TEST(WorkerThreadsTest, RunReturnsWhenTheWorkIsDone) {
  WorkerThreads workers(2, [] {});
  for (int round = 0; round < 100; ++round) {
    bool done = false;
    workers.Run(1, [&](int, int) { done = true; });
    EXPECT_TRUE(done);
  }
}

TEST(WorkerThreadsTest, EveryThreadIsSetUpOnceBeforeAnythingRuns) {
  std::atomic<int> set_up = 0;
  WorkerThreads workers(3, [&] { ++set_up; });
  EXPECT_EQ(set_up, 3);
  EXPECT_EQ(workers.count(), 3);
}

TEST(WorkerThreadsTest, AWorkersNumberIsOneThreadThatIsNotTheCallers) {
  WorkerThreads workers(1, [] {});
  std::thread::id first, second;
  workers.Run(1, [&](int, int worker) {
    EXPECT_EQ(worker, 0);
    first = std::this_thread::get_id();
  });
  std::thread([&] {
    workers.Run(1, [&](int, int) { second = std::this_thread::get_id(); });
  }).join();
  EXPECT_EQ(first, second);
  EXPECT_NE(first, std::this_thread::get_id());
}

TEST(WorkerThreadsTest, WorkOfSeveralCallersOverlapsOnDifferentWorkers) {
  WorkerThreads workers(2, [] {});
  Mutex mu;
  CondVar arrived;
  std::set<int> numbers;
  // Neither can end before both have begun.
  const auto meet = [&](int, int worker) {
    MutexLock lock(&mu);
    numbers.insert(worker);
    arrived.NotifyAll();
    while (numbers.size() < 2) arrived.Wait(&mu);
  };
  std::thread other([&] { workers.Run(1, meet); });
  workers.Run(1, meet);
  other.join();
  EXPECT_EQ(numbers, (std::set<int>{0, 1}));
}

TEST(WorkerThreadsTest, ACallsTasksRunOnceEachAndOverlap) {
  WorkerThreads workers(2, [] {});
  Mutex mu;
  CondVar arrived;
  std::multiset<int> tasks;
  // The first task can't end before another has begun.
  workers.Run(5, [&](int task, int) {
    MutexLock lock(&mu);
    tasks.insert(task);
    arrived.NotifyAll();
    while (tasks.size() < 2) arrived.Wait(&mu);
  });
  EXPECT_EQ(tasks, (std::multiset<int>{0, 1, 2, 3, 4}));
}

TEST(WorkerThreadsTest, ACallWithoutTasksReturns) {
  WorkerThreads workers(1, [] {});
  workers.Run(0, [](int, int) { FAIL(); });
}

TEST(WorkerThreadsTest, OneWorkersWorkNeverOverlaps) {
  WorkerThreads workers(2, [] {});
  int running[2] = {0, 0}, runs[2] = {0, 0};  // unguarded: that is what is tested
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        workers.Run(1, [&](int, int worker) {
          EXPECT_EQ(++running[worker], 1);
          ++runs[worker];
          --running[worker];
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(runs[0] + runs[1], 400);
}

}  // namespace
}  // namespace mixfeed
