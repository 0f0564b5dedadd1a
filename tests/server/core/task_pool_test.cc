#include "server/core/task_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>

namespace mixfeed {
namespace {

TEST(TaskPoolTest, RunsEveryTaskOnItsOwnThreads) {
  std::promise<std::thread::id> ran;
  TaskPool pool(1, 4);
  ASSERT_TRUE(pool.Run([&] { ran.set_value(std::this_thread::get_id()); }).ok());
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
}

TEST(TaskPoolTest, RefusesWhatWouldWaitBeyondItsBound) {
  std::promise<void> started;
  std::promise<void> go_on;
  TaskPool pool(1, 2);
  ASSERT_TRUE(pool.Run([&] {
                    started.set_value();
                    go_on.get_future().wait();
                  })
                  .ok());
  started.get_future().wait();
  EXPECT_TRUE(pool.Run([] {}).ok());
  EXPECT_TRUE(pool.Run([] {}).ok());
  const absl::Status refused = pool.Run([] {});
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("2 calls wait"));
  go_on.set_value();
}

TEST(TaskPoolTest, DestructorRunsWhatWaits) {
  std::atomic<int> ran = 0;
  {
    TaskPool pool(2, 100);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.Run([&] { ++ran; }).ok());
  }
  EXPECT_EQ(ran, 100);
}

TEST(TaskPoolTest, TasksOfSeveralThreadsOverlap) {
  std::promise<void> first;
  std::promise<void> second;
  TaskPool pool(2, 4);  // its tasks end before the promises do
  ASSERT_TRUE(pool.Run([&] {
                    first.set_value();
                    second.get_future().wait();
                  })
                  .ok());
  ASSERT_TRUE(pool.Run([&] {
                    first.get_future().wait();
                    second.set_value();
                  })
                  .ok());
}

}  // namespace
}  // namespace mixfeed
