#include "augment/base/mutex.h"

#include <gtest/gtest.h>

#include <thread>

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
  Mutex mu;
  CondVar never;
  bool entered = false;
  std::thread other;
  {
    MutexLock lock(&mu);
    EXPECT_FALSE(never.WaitUntil(&mu, Clock::now()));
    other = std::thread([&] {
      MutexLock inner(&mu);
      entered = true;
    });
    EXPECT_FALSE(entered);
  }
  other.join();
  EXPECT_TRUE(entered);
}

}  // namespace
}  // namespace mixfeed
