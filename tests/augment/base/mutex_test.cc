#include "augment/base/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace mixfeed {
namespace {

using Clock = std::chrono::steady_clock;

TEST(CondVarTest, WaitUntilReturnsFalseAtItsDeadline) {
  Mutex mu;
  CondVar never;
  MutexLock lock(&mu);
  const auto deadline = Clock::now() + std::chrono::milliseconds(5);
  while (never.WaitUntil(&mu, deadline)) {
  }
  EXPECT_GE(Clock::now(), deadline);
}

TEST(CondVarTest, WaitUntilReturnsTrueWhenItIsNotified) {
  Mutex mu;
  CondVar changed;
  bool ready = false;
  std::thread notifier;
  bool in_time = true;
  {
    MutexLock lock(&mu);
    notifier = std::thread([&] {
      MutexLock inner(&mu);  // to be had only while the other waits
      ready = true;
      changed.NotifyAll();
    });
    const auto deadline = Clock::now() + std::chrono::minutes(1);
    while (!ready && in_time) in_time = changed.WaitUntil(&mu, deadline);
  }
  notifier.join();
  EXPECT_TRUE(in_time);
}

TEST(CondVarTest, TheMutexIsHeldAfterWaitUntil) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 1000;
  Mutex mu;
  CondVar never;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        MutexLock lock(&mu);
        EXPECT_FALSE(never.WaitUntil(&mu, Clock::now()));
        const int before = count;
        std::this_thread::yield();  // to those that the mutex does not keep out
        count = before + 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kRounds);
}

}  // namespace
}  // namespace mixfeed
