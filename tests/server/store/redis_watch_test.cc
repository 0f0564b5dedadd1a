#include "server/store/redis_watch.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>

#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/eventually.h"
#include "tests/testing/redis_server.h"

namespace mixfeed {
namespace {

using testing::Eventually;
using testing::FailsWith;
using testing::IsOk;
using testing::RedisServer;

class RedisWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::IsInstalled()) GTEST_SKIP() << "redis-server is not installed";
    server_ = std::make_unique<RedisServer>();
    RedisOptions options = server_->options();
    options.command_timeout_ms = 100;
    client_ = *RedisClient::Connect(options);
    watch_ = *RedisWatch::Start(client_.get(), [this] { ++changes_; });
    AwaitChangeAfter(0);
  }
  // Returns how many there were.
  int AwaitChangeAfter(int changes) {
    EXPECT_TRUE(Eventually([&] { return changes_ > changes; }));
    return changes_;
  }
  void AwaitAway() {
    EXPECT_TRUE(Eventually([&] { return client_->IsAway(); }));
  }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<RedisClient> client_;
  std::atomic<int> changes_ = 0;
  std::unique_ptr<RedisWatch> watch_;
};

TEST_F(RedisWatchTest, HearsMessages) {
  for (int i = 0; i < 3; ++i) {
    const int before = changes_;
    server_->Ask({"PUBLISH", kRedisChannel, "model"});
    AwaitChangeAfter(before);
  }
}

TEST_F(RedisWatchTest, NoticesThatTheServerIsGoneAndBackWithoutACall) {
  const int before = changes_;
  server_->Kill();
  AwaitAway();
  server_->Start();
  AwaitChangeAfter(before);
  EXPECT_FALSE(client_->IsAway());
  EXPECT_THAT(client_->Call({"EXISTS", "x"}), IsOk());
}

TEST_F(RedisWatchTest, WhileTheServerIsAwayCallsFailAtOnceAndNameIt) {
  server_->Kill();
  AwaitAway();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_THAT(client_->Call({"EXISTS", "x"}),
                FailsWith(absl::StatusCode::kUnavailable, server_->name()));
  }
}

TEST_F(RedisWatchTest, WhatWasSaidWhileItWasAwayIsLookedAtAfterwards) {
  for (int i = 0; i < 5; ++i) {
    server_->Kill();
    AwaitAway();
    const int before = changes_;
    server_->Start();
    server_->Ask({"PUBLISH", kRedisChannel, "model"});
    AwaitChangeAfter(before);
  }
}

TEST_F(RedisWatchTest, ACallThatFoundTheServerHangingIsFollowedUp) {
  const int before = changes_;
  server_->Signal(SIGSTOP);
  EXPECT_THAT(client_->Call({"EXISTS", "x"}), FailsWith(absl::StatusCode::kUnavailable, "100 ms"));
  EXPECT_TRUE(client_->IsAway());
  server_->Signal(SIGCONT);
  AwaitChangeAfter(before);
  EXPECT_TRUE(Eventually([&] { return !client_->IsAway(); }));
  EXPECT_THAT(client_->Call({"EXISTS", "x"}), IsOk());
}

TEST_F(RedisWatchTest, EndsWhetherTheServerIsThereOrNot) {
  watch_.reset();
  EXPECT_THAT(client_->Call({"EXISTS", "x"}), IsOk());
  server_->Kill();
  watch_ = *RedisWatch::Start(client_.get(), [] {});
  AwaitAway();
  watch_.reset();
  server_->Start();
  EXPECT_THAT(client_->Call({"EXISTS", "x"}), IsOk());  // tries again, with no watch
}

}  // namespace
}  // namespace mixfeed
