#include "server/store/redis_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/eventually.h"
#include "tests/testing/redis_server.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::RedisServer;
using Kind = RedisReply::Kind;

class RedisClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::IsInstalled()) GTEST_SKIP() << "redis-server is not installed";
    server_ = std::make_unique<RedisServer>();
  }
  std::unique_ptr<RedisClient> Connect(const RedisOptions& options) {
    auto client = RedisClient::Connect(options);
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }
  std::unique_ptr<RedisClient> Connect() { return Connect(server_->options()); }

  std::unique_ptr<RedisServer> server_;
};

TEST_F(RedisClientTest, ReadsEveryKindOfReply) {
  const auto client = Connect();
  const std::string bytes("a\0b\r\n\xff", 6);
  EXPECT_EQ(client->Call({"SET", "key", bytes})->text, "OK");
  EXPECT_EQ(client->Call({"GET", "key"})->text, bytes);
  EXPECT_EQ(client->Call({"GET", "key"})->kind, Kind::kText);
  EXPECT_EQ(client->Call({"GET", "none"})->kind, Kind::kNil);
  const auto integer = client->Call({"STRLEN", "key"});
  EXPECT_EQ(integer->kind, Kind::kInteger);
  EXPECT_EQ(integer->integer, 6);
  const auto array = client->Call({"MGET", "none", "key"});
  ASSERT_EQ(array->kind, Kind::kArray);
  ASSERT_EQ(array->elements.size(), 2u);
  EXPECT_EQ(array->elements[0].kind, Kind::kNil);
  EXPECT_EQ(array->elements[1].text, bytes);
}

TEST_F(RedisClientTest, ErrorsNameTheServerAndHaveACode) {
  const auto client = Connect();
  const auto fails = [&](absl::StatusCode code, const std::string& text) {
    return FailsWith(code, server_->name() + ": " + text);
  };
  EXPECT_THAT(client->Call({"NONSENSE"}), fails(absl::StatusCode::kInternal, "ERR unknown"));
  ASSERT_THAT(client->Call({"SET", "key", "text"}), IsOk());
  EXPECT_THAT(client->Call({"HGET", "key", "x"}), fails(absl::StatusCode::kDataLoss, "WRONGTYPE"));
  server_->Ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_THAT(client->Call({"SET", "more", "text"}),
              fails(absl::StatusCode::kResourceExhausted, "OOM"));
  EXPECT_FALSE(client->IsAway());
}

TEST_F(RedisClientTest, WhereNobodyAnswersConnectIsUnavailable) {
  server_->Kill();
  EXPECT_THAT(RedisClient::Connect(server_->options()),
              FailsWith(absl::StatusCode::kUnavailable, server_->name() + ": Connection refused"));
}

TEST_F(RedisClientTest, SaysWhoItIs) {
  server_ = std::make_unique<RedisServer>(std::vector<std::string>{
      "--requirepass", "main", "--user", "me", "on", ">own", "~*", "+@all"});
  RedisOptions options = server_->options();
  EXPECT_THAT(RedisClient::Connect(options),
              FailsWith(absl::StatusCode::kPermissionDenied, "NOAUTH"));
  options.address.password = "wrong";
  EXPECT_THAT(RedisClient::Connect(options),
              FailsWith(absl::StatusCode::kPermissionDenied, "WRONGPASS"));
  options.address.password = "main";
  EXPECT_EQ(Connect(options)->Call({"ACL", "WHOAMI"})->text, "default");
  options.address.user = "me";
  options.address.password = "own";
  EXPECT_EQ(Connect(options)->Call({"ACL", "WHOAMI"})->text, "me");
}

TEST_F(RedisClientTest, UsesItsDatabase) {
  RedisOptions options = server_->options();
  options.address.database = 2;
  ASSERT_THAT(Connect(options)->Call({"SET", "key", "in 2"}), IsOk());
  EXPECT_EQ(Connect()->Call({"EXISTS", "key"})->integer, 0);
  EXPECT_EQ(Connect(options)->Call({"GET", "key"})->text, "in 2");
}

TEST_F(RedisClientTest, ARestartBetweenTwoCallsIsNotNoticed) {
  const auto client = Connect();
  ASSERT_THAT(client->Call({"SET", "key", "kept"}), IsOk());
  server_->Kill();
  server_->Start();
  EXPECT_EQ(client->Call({"GET", "key"})->text, "kept");
  EXPECT_FALSE(client->IsAway());
}

TEST_F(RedisClientTest, WithoutAWatchItIsAwayUntilACallSucceeds) {
  const auto client = Connect();
  server_->Kill();
  EXPECT_THAT(client->Call({"GET", "key"}),
              FailsWith(absl::StatusCode::kUnavailable, server_->name()));
  EXPECT_TRUE(client->IsAway());
  server_->Start();
  EXPECT_THAT(client->Call({"GET", "key"}), IsOk());
  EXPECT_FALSE(client->IsAway());
}

TEST_F(RedisClientTest, AServerThatHangsIsUnavailableInTime) {
  RedisOptions options = server_->options();
  options.command_timeout_ms = 20;
  const auto client = Connect(options);
  server_->Signal(SIGSTOP);
  EXPECT_THAT(client->Call({"GET", "key"}),
              FailsWith(absl::StatusCode::kUnavailable, "no answer for 20 ms"));
  server_->Signal(SIGCONT);
  EXPECT_TRUE(testing::Eventually([&] { return client->Call({"GET", "key"}).ok(); }));
}

TEST_F(RedisClientTest, AServerThatTakesNoWritesCountsAsAway) {
  const auto client = Connect();
  server_->Ask({"REPLICAOF", "127.0.0.1", "1"});
  EXPECT_THAT(client->Call({"SET", "key", "x"}),
              FailsWith(absl::StatusCode::kUnavailable, "READONLY"));
  EXPECT_TRUE(client->IsAway());
}

TEST_F(RedisClientTest, MoreThreadsThanConnectionsTakeTurns) {
  RedisOptions options = server_->options();
  options.max_connections = 2;
  const auto client = Connect(options);
  constexpr int kThreads = 6;
  constexpr int kCalls = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) EXPECT_THAT(client->Call({"INCR", "count"}), IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(client->Call({"GET", "count"})->text, std::to_string(kThreads * kCalls));
  // Two of the client, and the one that asks.
  EXPECT_THAT(server_->Ask({"INFO", "clients"}).text, HasSubstr("connected_clients:3\r\n"));
}

}  // namespace
}  // namespace mixfeed
