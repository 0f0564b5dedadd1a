#include "server/engine/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "tests/augment/batch/feed_kit.h"

namespace mixfeed {
namespace {

using Lane = Executor::Lane;

TEST(ExecutorTest, OneWorkerTakesTurnsBetweenLanesAndKeepsTheOrderInEach) {
  testing::Gate gate;
  std::string order;
  {
    Executor executor(1);
    gate.Close();
    executor.Post(Lane::kMake, [&] { gate.Pass(); });
    gate.AwaitWaiting(1);
    for (const char task : {'a', 'b', 'c'}) {
      executor.Post(Lane::kMake, [&order, task] { order += task; });
    }
    for (const char task : {'1', '2'}) {
      executor.Post(Lane::kDeliver, [&order, task] { order += task; });
    }
    gate.Open();
    executor.Stop();
  }
  EXPECT_EQ(order, "1a2bc");
}

TEST(ExecutorTest, StopRunsWhatWasPosted) {
  std::atomic<int> runs = 0;
  Executor executor(3);
  for (int i = 0; i < 100; ++i)
    executor.Post(i % 2 == 0 ? Lane::kMake : Lane::kDeliver, [&] { ++runs; });
  executor.Stop();
  EXPECT_EQ(runs, 100);
  executor.Stop();
}

TEST(ExecutorTest, TasksRunAtOnceOnAsManyThreads) {
  testing::Gate gate;
  gate.Close();
  Executor executor(3);
  for (int i = 0; i < 3; ++i) executor.Post(Lane::kMake, [&] { gate.Pass(); });
  gate.AwaitWaiting(3);
  gate.Open();
}

TEST(ExecutorTest, TasksMayPostTasks) {
  std::atomic<int> runs = 0;
  testing::Gate done;
  done.Close();
  Executor executor(1);
  executor.Post(Lane::kMake, [&] {
    ++runs;
    executor.Post(Lane::kMake, [&] {
      ++runs;
      done.Pass();
    });
  });
  done.AwaitWaiting(1);
  done.Open();
  executor.Stop();
  EXPECT_EQ(runs, 2);
}

}  // namespace
}  // namespace mixfeed
