// Two registries that share their models through Redis.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include "augment/guess/not_yet.h"
#include "server/core/model_registry.h"
#include "server/store/redis_model_store.h"
#include "server/store/redis_watch.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/server/core/fake_model.h"
#include "tests/testing/eventually.h"
#include "tests/testing/redis_server.h"

namespace mixfeed {
namespace {

using Kind = WeightsWish::Kind;
using testing::FailsWith;
using testing::Header;
using testing::IsOk;
using testing::PushHeader;
using testing::RedisServer;
using testing::Weights;

// Calls `loading` before it is loaded with other weights.
class HookedModel final : public testing::FakeModel {
 public:
  HookedModel(const GuessModelInfo& info, std::function<void()> loading)
      : FakeModel(info, testing::Weights(0)), loading_(std::move(loading)) {}
  absl::StatusOr<std::shared_ptr<GuessModel>> WithWeights(const StateDict& weights, bool whole,
                                                          int64_t version,
                                                          int64_t update) const override {
    loading_();
    return FakeModel::WithWeights(weights, whole, version, update);
  }

 private:
  const std::function<void()> loading_;
};

// What a server has of Redis, with models that know nothing.
class Replica {
 public:
  explicit Replica(const RedisServer& server, const VersionLimits& limits = {})
      : client_(*RedisClient::Connect(server.options())) {
    const RedisModelLimits kept{.pushed = limits.versions - 1, .bytes = limits.bytes};
    registry_ = *ModelRegistry::Open(
        MakeRedisModelStore(kept, client_.get()),
        {.try_model =
             [this](const ModelSource&, const std::stop_token&) {
               ++trials_;
               return absl::OkStatus();
             },
         .load = [this](const ModelSource& source) -> absl::StatusOr<std::shared_ptr<GuessModel>> {
           if (source.archive == "broken here") return absl::InvalidArgumentError("broken");
           return std::make_shared<HookedModel>(source.info,
                                                [this] { std::exchange(once_, [] {})(); });
         },
         .limits = limits});
    registry_->SetChanged([this] { ++changes_; });
  }
  // From here on it takes over by itself what others store.
  void Watch() {
    watch_ = *RedisWatch::Start(client_.get(), [this] { (void)registry_->Refresh(); });
  }

  // Has `once` called in the middle of the next push.
  void InNextPush(std::function<void()> once) { once_ = std::move(once); }

  ModelRegistry& registry() { return *registry_; }
  int trials() const { return trials_; }
  int changes() const { return changes_; }
  absl::StatusOr<v1::Model> Push(uint64_t update, uint64_t replaces, int64_t value) {
    return registry_->Push(PushHeader(update, replaces, Weights(value)), Weights(value));
  }
  // The digest of the weights found, or the error.
  std::string Found(const WeightsWish& wish = {}) {
    const auto model = registry_->Find("m", wish);
    return model.ok() ? (*model)->info().weights : model.status().ToString();
  }
  void Await(const WeightsWish& wish, const std::string& digest) {
    EXPECT_TRUE(testing::Eventually([&] { return Found(wish) == digest; }));
  }

 private:
  std::function<void()> once_ = [] {};
  const std::unique_ptr<RedisClient> client_;
  std::unique_ptr<ModelRegistry> registry_;
  std::atomic<int> trials_ = 0;
  std::atomic<int> changes_ = 0;
  std::unique_ptr<RedisWatch> watch_;
};

class ReplicasTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::IsInstalled()) GTEST_SKIP() << "redis-server is not installed";
    server_ = std::make_unique<RedisServer>();
    Start();
  }
  void Start(const VersionLimits& limits = {}) {
    a_ = std::make_unique<Replica>(*server_, limits);
    b_ = std::make_unique<Replica>(*server_, limits);
  }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<Replica> a_;
  std::unique_ptr<Replica> b_;
};

TEST_F(ReplicasTest, WhatOneRegistersAndIsPushedTheOtherHasAfterARefresh) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(a_->Push(10, 0, 77), IsOk());
  ASSERT_THAT(a_->Push(11, 1, 78), IsOk());
  EXPECT_TRUE(b_->registry().List().empty());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  EXPECT_EQ(b_->changes(), 1);
  EXPECT_EQ(b_->trials(), 0);
  ASSERT_EQ(b_->registry().List().size(), 1u);
  EXPECT_EQ(b_->registry().List()[0].SerializeAsString(),
            a_->registry().List()[0].SerializeAsString());
  EXPECT_EQ(b_->Found(), DigestOf(Weights(78)));
  EXPECT_EQ(b_->Found({Kind::kUpdate, 10}), DigestOf(Weights(77)));
  EXPECT_EQ(b_->Found({Kind::kVersion, 0}), DigestOf(Weights(0)));
}

TEST_F(ReplicasTest, APushIsSeenByAllThatWatch) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  a_->Watch();
  b_->Watch();
  for (uint64_t version = 1; version <= 20; ++version) {
    const auto value = static_cast<int64_t>(version);
    Replica& pusher = version % 2 == 0 ? *a_ : *b_;
    Replica& other = version % 2 == 0 ? *b_ : *a_;
    pusher.Await({Kind::kVersion, value - 1}, DigestOf(Weights(value - 1)));
    ASSERT_THAT(pusher.Push(version * 10, version - 1, value), IsOk());
    other.Await({Kind::kUpdate, value * 10}, DigestOf(Weights(value)));
  }
}

TEST_F(ReplicasTest, OfTwoPushesToOneVersionOneIsAbortedAndSaysWhichWon) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  ASSERT_THAT(a_->Push(10, 0, 77), IsOk());
  EXPECT_THAT(b_->Push(12, 0, 78),
              FailsWith(absl::StatusCode::kAborted, "the newest version is 1, of update 10"));
  EXPECT_EQ(b_->Found(), DigestOf(Weights(0)));
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  EXPECT_EQ(b_->Found(), DigestOf(Weights(77)));
  EXPECT_EQ(b_->Push(12, 1, 78)->version(), 2u);
}

// A trainer's next push may be faster than the news of its last one.
TEST_F(ReplicasTest, APushOntoWhatCameThroughAnotherServerIsTaken) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  EXPECT_EQ(b_->Push(10, 0, 77)->version(), 1u);
  EXPECT_EQ(a_->Push(11, 1, 78)->version(), 2u);
  EXPECT_THAT(b_->Push(12, 3, 79), FailsWith(absl::StatusCode::kAborted,
                                             "header.replaces is 3, but the newest version"));
}

TEST_F(ReplicasTest, OfPushesAtOnceExactlyOneWinsAVersion) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  a_->Watch();
  b_->Watch();
  for (uint64_t version = 1; version <= 20; ++version) {
    const auto value = static_cast<int64_t>(version);
    absl::Status statuses[2];
    std::thread first([&] { statuses[0] = a_->Push(version * 10, version - 1, value).status(); });
    std::thread second([&] { statuses[1] = b_->Push(version * 10, version - 1, -value).status(); });
    first.join();
    second.join();
    const int winner = statuses[0].ok() ? 0 : 1;
    EXPECT_THAT(statuses[winner], IsOk());
    EXPECT_EQ(statuses[1 - winner].code(), absl::StatusCode::kAborted) << statuses[1 - winner];
    const std::string digest = DigestOf(Weights(winner == 0 ? value : -value));
    a_->Await({Kind::kVersion, value}, digest);
    b_->Await({Kind::kVersion, value}, digest);
  }
}

// What was pushed again after a lost answer was refused, and the version removed.
TEST_F(ReplicasTest, APushThatHasArrivedBeforeIsRefusedAndStays) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  ASSERT_THAT(a_->Push(10, 0, 77), IsOk());
  b_->InNextPush([this] { EXPECT_THAT(b_->registry().Refresh(), IsOk()); });
  EXPECT_THAT(b_->Push(10, 0, 77),
              FailsWith(absl::StatusCode::kAborted, "an earlier push of this one has arrived"));
  Replica c(*server_);
  EXPECT_EQ(c.Found({Kind::kUpdate, 10}), DigestOf(Weights(77)));
}

TEST_F(ReplicasTest, ServersThatAreStartedWithTheSameModelRegisterItOnce) {
  ASSERT_THAT(a_->registry().RegisterOnce(Header("m"), "net"), IsOk());
  // This one opened before, and so knows of nothing.
  EXPECT_EQ(b_->registry().RegisterOnce(Header("m"), "net")->version(), 0u);
  EXPECT_THAT(a_->registry().RegisterOnce(Header("n"), "one"), IsOk());
  Replica c(*server_);
  EXPECT_EQ(c.registry().RegisterOnce(Header("m"), "net")->version(), 0u);
  EXPECT_EQ(c.trials(), 0);
  EXPECT_THAT(b_->registry().RegisterOnce(Header("n"), "two"),
              FailsWith(absl::StatusCode::kAborted, "register it again"));
}

TEST_F(ReplicasTest, ANewRegistrationElsewhereBeginsAnew) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  ASSERT_THAT(a_->Push(10, 0, 77), IsOk());
  ASSERT_THAT(a_->registry().Register(Header("m"), "other"), IsOk());
  ASSERT_THAT(a_->Push(10, 2, 78), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  EXPECT_EQ(b_->registry().List()[0].initial_version(), 2u);
  EXPECT_EQ(b_->Found(), DigestOf(Weights(78)));
  EXPECT_EQ(b_->Found({Kind::kUpdate, 10}), DigestOf(Weights(78)));
}

TEST_F(ReplicasTest, AModelThatDoesNotLoadHereKeepsItsVersionsCount) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  StoredModel broken;
  broken.version = 1;
  broken.header = Header("m");
  broken.archive = "broken here";
  const auto client = *RedisClient::Connect(server_->options());
  ASSERT_THAT(MakeRedisModelStore({}, client.get())->Put(broken), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  EXPECT_TRUE(b_->registry().List().empty());
  EXPECT_EQ(b_->registry().Register(Header("m"), "good")->version(), 2u);
}

TEST_F(ReplicasTest, AModelWhoseRegistrationIsDamagedCanBeRegisteredAnew) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(a_->Push(10, 0, 77), IsOk());
  server_->Ask({"HSET", "mixfeed:1:model:m", "registration", "nonsense"});
  Replica c(*server_);
  EXPECT_TRUE(c.registry().List().empty());
  EXPECT_EQ(c.registry().RegisterOnce(Header("m"), "net")->version(), 2u);
}

TEST_F(ReplicasTest, DamagedNewestWeightsAreLeftOutAndTheirVersionCounts) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(a_->Push(10, 0, 77), IsOk());
  ASSERT_THAT(a_->Push(11, 1, 78), IsOk());
  server_->Ask({"SET", "mixfeed:1:weights:2:m", "nonsense"});
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  EXPECT_EQ(b_->Found(), DigestOf(Weights(77)));
  EXPECT_EQ(b_->Push(12, 1, 79)->version(), 3u);
}

TEST_F(ReplicasTest, APushOntoOlderWeightsThanTheDamagedOnesIsTakenAtOnce) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  for (uint64_t version = 1; version <= 3; ++version) {
    ASSERT_THAT(a_->Push(version * 10, version - 1, static_cast<int64_t>(version)), IsOk());
  }
  for (const char* key : {"mixfeed:1:weights:2:m", "mixfeed:1:weights:3:m"}) {
    server_->Ask({"SET", key, "nonsense"});
  }
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  EXPECT_EQ(b_->Push(40, 1, 4)->version(), 4u);  // nobody has asked for version 1 in between
  EXPECT_EQ(b_->Found({Kind::kUpdate, 10}), DigestOf(Weights(1)));
}

TEST_F(ReplicasTest, APushThroughOneGoesOnFromTheAverageOfTheOther) {
  v1::RegisterModelHeader header = Header("m");  // of update 5
  header.set_ema_decay(0.5);
  ASSERT_THAT(a_->registry().Register(header, "net"), IsOk());
  ASSERT_THAT(a_->Push(6, 0, 800), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  const WeightsWish average = {Kind::kNewest, 0, /*ema=*/true};
  EXPECT_EQ(b_->Found(average), DigestOf(Weights(400)));
  ASSERT_THAT(b_->Push(7, 1, 800), IsOk());
  ASSERT_THAT(a_->registry().Refresh(), IsOk());
  EXPECT_EQ(a_->Found(average), DigestOf(Weights(600)));
}

// A store whose server went away after it said what there is.
class VanishedStore : public ModelStore {
 public:
  explicit VanishedStore(std::unique_ptr<ModelStore> store) : store_(std::move(store)) {}
  absl::Status Put(const StoredModel& model) override { return store_->Put(model); }
  absl::Status PutWeights(const StoredWeights& weights, const std::string& pushed,
                          const std::string& ema) override {
    return store_->PutWeights(weights, pushed, ema);
  }
  absl::StatusOr<std::string> ReadWeights(const StoredWeights&, bool) override {
    return NotYetError("the store is gone");
  }
  void RemoveWeights(const StoredWeights& weights) override { store_->RemoveWeights(weights); }
  absl::StatusOr<std::vector<StoredModel>> ReadAll(
      const std::map<std::string, uint64_t>& known) override {
    return store_->ReadAll(known);
  }

 private:
  const std::unique_ptr<ModelStore> store_;
};

TEST_F(ReplicasTest, WhereTheNewestWeightsCannotBeReadNowNoRegistryOpensWithOlderOnes) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(a_->Push(10, 0, 77), IsOk());
  const auto client = *RedisClient::Connect(server_->options());
  const auto load = [](const ModelSource& source) {
    return std::make_shared<testing::FakeModel>(source.info, Weights(0));
  };
  const auto registry =
      ModelRegistry::Open(std::make_unique<VanishedStore>(MakeRedisModelStore({}, client.get())),
                          {.try_model = nullptr, .load = load});
  EXPECT_EQ(registry.status(), NotYetError("the store is gone"));
}

TEST_F(ReplicasTest, WhatIsNoLongerKeptSaysSo) {
  Start({.versions = 3});
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  for (uint64_t version = 1; version <= 2; ++version) {
    ASSERT_THAT(a_->Push(version * 10, version - 1, static_cast<int64_t>(version)), IsOk());
  }
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  ASSERT_THAT(a_->Push(30, 2, 3), IsOk());
  // Known here, and gone.
  EXPECT_THAT(b_->registry().Find("m", {Kind::kVersion, 1}),
              FailsWith(absl::StatusCode::kFailedPrecondition, "no longer kept"));
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  EXPECT_THAT(b_->registry().Find("m", {Kind::kVersion, 1}),
              FailsWith(absl::StatusCode::kFailedPrecondition, "no longer kept"));
  EXPECT_EQ(b_->Found({Kind::kVersion, 3}), DigestOf(Weights(3)));
}

TEST_F(ReplicasTest, WhileRedisIsAwayNothingIsRegisteredOrPushed) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(a_->Push(10, 0, 77), IsOk());
  server_->Kill();
  const auto is_away = FailsWith(absl::StatusCode::kUnavailable, server_->name());
  EXPECT_THAT(a_->Push(11, 1, 78), is_away);
  EXPECT_THAT(a_->registry().Register(Header("m"), "other"), is_away);
  EXPECT_THAT(a_->registry().Refresh(), is_away);
  EXPECT_EQ(a_->Found(), DigestOf(Weights(77)));
  server_->Start();
  EXPECT_EQ(a_->Push(11, 1, 78)->version(), 2u);
}

TEST_F(ReplicasTest, WeightsThatCannotBeReadNowAreWaitedFor) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());
  ASSERT_THAT(a_->Push(10, 0, 77), IsOk());
  ASSERT_THAT(a_->Push(11, 1, 78), IsOk());
  ASSERT_THAT(b_->registry().Refresh(), IsOk());  // loads the newest only
  server_->Kill();
  const absl::Status status = b_->registry().Find("m", {Kind::kUpdate, 10}).status();
  EXPECT_TRUE(IsNotYet(status)) << status;
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kUnavailable, server_->name()));
  server_->Start();
  EXPECT_EQ(b_->Found({Kind::kUpdate, 10}), DigestOf(Weights(77)));
}

TEST_F(ReplicasTest, PushesWhileTheOtherWasCutOffAreSeenWhenRedisIsBack) {
  ASSERT_THAT(a_->registry().Register(Header("m"), "net"), IsOk());
  b_->Watch();
  for (uint64_t version = 1; version <= 5; ++version) {
    server_->Kill();
    server_->Start();
    ASSERT_THAT(a_->Push(version * 10, version - 1, static_cast<int64_t>(version)), IsOk());
    b_->Await({Kind::kVersion, static_cast<int64_t>(version)},
              DigestOf(Weights(static_cast<int64_t>(version))));
  }
}

}  // namespace
}  // namespace mixfeed
