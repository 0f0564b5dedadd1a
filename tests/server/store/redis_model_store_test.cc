#include "server/store/redis_model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "augment/guess/not_yet.h"
#include "augment/weights/state_dict.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/redis_server.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::RedisServer;

StoredModel ModelOf(const std::string& name, uint64_t version, const std::string& archive) {
  StoredModel model;
  model.version = version;
  model.header.set_name(name);
  model.header.set_kind("torchscript");
  model.header.set_classes(10);
  model.archive = archive;
  return model;
}

StoredWeights WeightsOf(uint64_t version, const std::string& bytes) {
  return {.model = "m",
          .version = version,
          .update = static_cast<int64_t>(version) * 10,
          .pushed = {DigestOf(bytes), static_cast<int64_t>(bytes.size())},
          .ema = {}};
}

class RedisModelStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::IsInstalled()) GTEST_SKIP() << "redis-server is not installed";
    server_ = std::make_unique<RedisServer>();
    for (std::unique_ptr<RedisClient>& client : clients_) {
      client = *RedisClient::Connect(server_->options());
    }
    one_ = Open();
    two_ = MakeRedisModelStore({}, clients_[1].get());
  }
  std::unique_ptr<ModelStore> Open(const RedisModelLimits& limits = {}) {
    return MakeRedisModelStore(limits, clients_[0].get());
  }
  absl::Status Push(ModelStore& store, uint64_t version, const std::string& bytes) {
    return store.PutWeights(WeightsOf(version, bytes), bytes, /*ema=*/"");
  }
  std::set<std::string> Keys() {
    std::set<std::string> keys;
    for (const RedisReply& key : server_->Ask({"KEYS", "*"}).elements) keys.insert(key.text);
    return keys;
  }
  // The versions of the only model there is whose weights are there.
  std::vector<uint64_t> Versions() {
    const auto models = one_->ReadAll({});
    EXPECT_THAT(models, IsOk());
    std::vector<uint64_t> versions;
    for (const StoredWeights& pushed : models->at(0).pushed) {
      if (!pushed.pushed.digest.empty()) versions.push_back(pushed.version);
    }
    return versions;
  }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<RedisClient> clients_[2];
  std::unique_ptr<ModelStore> one_;
  std::unique_ptr<ModelStore> two_;
};

TEST_F(RedisModelStoreTest, WhatOnePutTheOtherReads) {
  const std::string archive("\0net\xff", 5);
  ASSERT_THAT(one_->Put(ModelOf("m", 0, archive)), IsOk());
  ASSERT_THAT(one_->Put(ModelOf("a", 0, "other")), IsOk());
  ASSERT_THAT(Push(*one_, 1, "weights"), IsOk());
  const auto models = two_->ReadAll({});
  ASSERT_THAT(models, IsOk());
  ASSERT_EQ(models->size(), 2u);
  EXPECT_EQ(models->at(0).header.name(), "a");
  const StoredModel& model = models->at(1);
  EXPECT_EQ(model.header.SerializeAsString(), ModelOf("m", 0, "").header.SerializeAsString());
  EXPECT_EQ(model.archive, archive);
  ASSERT_EQ(model.pushed.size(), 1u);
  EXPECT_EQ(model.pushed[0].version, 1u);
  EXPECT_EQ(model.pushed[0].update, 10);
  EXPECT_EQ(model.pushed[0].pushed.bytes, 7);
  EXPECT_EQ(model.pushed[0].ema, StoredFile());
  EXPECT_EQ(*two_->ReadWeights(model.pushed[0], /*ema=*/false), "weights");
}

TEST_F(RedisModelStoreTest, AnAverageIsStoredWithItsVersionAndGoesWithIt) {
  ASSERT_THAT(one_->Put(ModelOf("m", 0, "net")), IsOk());
  StoredWeights weights = WeightsOf(1, "weights");
  weights.ema = {DigestOf("average"), 7};
  ASSERT_THAT(one_->PutWeights(weights, "weights", "average"), IsOk());
  const StoredWeights read = two_->ReadAll({})->at(0).pushed.at(0);
  EXPECT_EQ(read.ema, weights.ema);
  EXPECT_EQ(*two_->ReadWeights(read, /*ema=*/false), "weights");
  EXPECT_EQ(*two_->ReadWeights(read, /*ema=*/true), "average");
  const auto limited = Open({.pushed = 5, .bytes = 20});  // 14 of the first, 7 of the next
  ASSERT_THAT(Push(*limited, 2, "weights"), IsOk());
  EXPECT_THAT(Versions(), ElementsAre(2));
  EXPECT_EQ(Keys().count("mixfeed:1:ema:1:m"), 0u);
}

TEST_F(RedisModelStoreTest, OfKnownRegistrationsOnlyWhatWasPushedIsRead) {
  ASSERT_THAT(one_->Put(ModelOf("m", 0, "net")), IsOk());
  ASSERT_THAT(Push(*one_, 1, "weights"), IsOk());
  const auto known = two_->ReadAll({{"m", 0}});
  ASSERT_THAT(known, IsOk());
  EXPECT_EQ(known->at(0).header.name(), "m");
  EXPECT_EQ(known->at(0).archive, "");
  EXPECT_EQ(known->at(0).pushed.size(), 1u);
  EXPECT_EQ(two_->ReadAll({{"m", 7}})->at(0).archive, "net");
}

TEST_F(RedisModelStoreTest, OfTwoPushesOfOneVersionTheFirstWins) {
  ASSERT_THAT(one_->Put(ModelOf("m", 0, "net")), IsOk());
  ASSERT_THAT(Push(*one_, 1, "first"), IsOk());
  EXPECT_THAT(Push(*two_, 1, "second"),
              FailsWith(absl::StatusCode::kAborted,
                        "the newest version is 1, of update 10: another trainer pushes to it"));
  EXPECT_EQ(*two_->ReadWeights(WeightsOf(1, "first"), /*ema=*/false), "first");
  ASSERT_THAT(Push(*one_, 2, "third"), IsOk());
  EXPECT_THAT(Push(*two_, 4, "fourth"),
              FailsWith(absl::StatusCode::kAborted, "version is 2, of update 20"));
  EXPECT_THAT(Versions(), ElementsAre(1, 2));
}

TEST_F(RedisModelStoreTest, OfTwoRegistrationsOfOneVersionTheFirstWins) {
  ASSERT_THAT(one_->Put(ModelOf("m", 0, "first")), IsOk());
  EXPECT_THAT(two_->Put(ModelOf("m", 0, "second")),
              FailsWith(absl::StatusCode::kAborted, "its newest version is 0"));
  ASSERT_THAT(Push(*one_, 1, "weights"), IsOk());
  EXPECT_THAT(two_->Put(ModelOf("m", 1, "second")),
              FailsWith(absl::StatusCode::kAborted, "its newest version is 1"));
  EXPECT_THAT(two_->Put(ModelOf("new", 3, "second")),
              FailsWith(absl::StatusCode::kAborted, "its newest version is none"));
  EXPECT_EQ(one_->ReadAll({})->at(0).archive, "first");
}

TEST_F(RedisModelStoreTest, TheSameAgainIsFine) {
  for (int i = 0; i < 2; ++i) EXPECT_THAT(one_->Put(ModelOf("m", 0, "net")), IsOk());
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Push(*one_, 1, "weights"), IsOk());
  EXPECT_THAT(Versions(), ElementsAre(1));
}

TEST_F(RedisModelStoreTest, ANewRegistrationRemovesWhatWasPushedToTheOld) {
  ASSERT_THAT(one_->Put(ModelOf("m", 0, "net")), IsOk());
  ASSERT_THAT(Push(*one_, 1, "weights"), IsOk());
  ASSERT_THAT(one_->Put(ModelOf("m", 2, "other")), IsOk());
  EXPECT_THAT(Keys(), ElementsAre("mixfeed:1:model:m", "mixfeed:1:models"));
  EXPECT_THAT(Push(*one_, 3, "weights"), IsOk());
}

TEST_F(RedisModelStoreTest, KeepsAsManyVersionsAsItsLimitSays) {
  const auto store = Open({.pushed = 2});
  ASSERT_THAT(store->Put(ModelOf("m", 0, "net")), IsOk());
  for (uint64_t version = 1; version <= 4; ++version) {
    ASSERT_THAT(Push(*store, version, "weights"), IsOk());
  }
  EXPECT_THAT(Versions(), ElementsAre(3, 4));
  EXPECT_THAT(Keys(), ElementsAre("mixfeed:1:model:m", "mixfeed:1:models", "mixfeed:1:pushed:m",
                                  "mixfeed:1:weights:3:m", "mixfeed:1:weights:4:m"));
  EXPECT_THAT(store->ReadWeights(WeightsOf(2, "weights"), /*ema=*/false),
              FailsWith(absl::StatusCode::kFailedPrecondition,
                        "update 20 of model \"m\", version 2, are no longer kept"));
}

TEST_F(RedisModelStoreTest, KeepsAsManyBytesAsItsLimitSaysButTheNewest) {
  const auto store = Open({.bytes = 10});
  ASSERT_THAT(store->Put(ModelOf("m", 0, "net")), IsOk());
  ASSERT_THAT(Push(*store, 1, "12345"), IsOk());
  ASSERT_THAT(Push(*store, 2, "12345"), IsOk());
  EXPECT_THAT(Versions(), ElementsAre(1, 2));
  ASSERT_THAT(Push(*store, 3, "1"), IsOk());
  EXPECT_THAT(Versions(), ElementsAre(2, 3));
  ASSERT_THAT(Push(*store, 4, "12345678901"), IsOk());
  EXPECT_THAT(Versions(), ElementsAre(4));
}

TEST_F(RedisModelStoreTest, RemovedWeightsAreGone) {
  ASSERT_THAT(one_->Put(ModelOf("m", 0, "net")), IsOk());
  ASSERT_THAT(Push(*one_, 1, "weights"), IsOk());
  one_->RemoveWeights(WeightsOf(1, "weights"));
  EXPECT_THAT(Versions(), IsEmpty());
  EXPECT_EQ(one_->ReadAll({})->at(0).pushed.at(0).version, 1u);  // which counts on
  EXPECT_EQ(Keys().count("mixfeed:1:weights:1:m"), 0u);
}

TEST_F(RedisModelStoreTest, DamagedWeightsAreNamed) {
  ASSERT_THAT(one_->Put(ModelOf("m", 0, "net")), IsOk());
  ASSERT_THAT(Push(*one_, 1, "weights"), IsOk());
  server_->Ask({"SET", "mixfeed:1:weights:1:m", "weightz"});
  EXPECT_THAT(one_->ReadWeights(WeightsOf(1, "weights"), /*ema=*/false),
              FailsWith(absl::StatusCode::kDataLoss,
                        server_->name() + ": the value of key mixfeed:1:weights:1:m is damaged"));
}

TEST_F(RedisModelStoreTest, ADamagedMemberCostsOnlyItsVersionWhichCountsOn) {
  ASSERT_THAT(one_->Put(ModelOf("m", 0, "net")), IsOk());
  ASSERT_THAT(Push(*one_, 1, "weights"), IsOk());
  ASSERT_THAT(Push(*one_, 2, "weights"), IsOk());
  server_->Ask({"ZREMRANGEBYSCORE", "mixfeed:1:pushed:m", "2", "2"});
  server_->Ask({"ZADD", "mixfeed:1:pushed:m", "2", "two twenty"});
  const std::vector<StoredModel> models = *two_->ReadAll({});
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].archive, "net");
  EXPECT_THAT(Versions(), ElementsAre(1));
  EXPECT_EQ(models[0].pushed.back().version, 2u);
  const auto store = Open({.pushed = 2});  // as many as there will be without the damaged one
  ASSERT_THAT(Push(*store, 3, "weights"), IsOk());
  ASSERT_THAT(Push(*store, 4, "weights"), IsOk());
  EXPECT_THAT(Versions(), ElementsAre(3, 4));
}

TEST_F(RedisModelStoreTest, ADamagedRegistrationIsLostAndItsVersionsCountOn) {
  ASSERT_THAT(one_->Put(ModelOf("m", 0, "net")), IsOk());
  ASSERT_THAT(Push(*one_, 1, "weights"), IsOk());
  for (const char* field : {"registration", "version"}) {
    server_->Ask({"HSET", "mixfeed:1:model:m", field, "nonsense"});
    const std::vector<StoredModel> models = *two_->ReadAll({});
    ASSERT_EQ(models.size(), 1u);
    EXPECT_EQ(models[0].header.name(), "m");
    EXPECT_EQ(models[0].header.kind(), "");
    EXPECT_EQ(models[0].archive, "");
    EXPECT_THAT(Versions(), ElementsAre(1));
  }
  ASSERT_THAT(two_->Put(ModelOf("m", 2, "other")), IsOk());
  EXPECT_EQ(one_->ReadAll({})->at(0).archive, "other");
  server_->Ask({"DEL", "mixfeed:1:model:m"});
  EXPECT_THAT(*one_->ReadAll({}), IsEmpty());
}

TEST_F(RedisModelStoreTest, WithoutItsServerItIsUnavailable) {
  server_->Kill();
  const auto is_away = FailsWith(absl::StatusCode::kUnavailable, server_->name());
  EXPECT_THAT(one_->Put(ModelOf("m", 0, "net")), is_away);
  EXPECT_THAT(Push(*one_, 1, "weights"), is_away);
  EXPECT_THAT(one_->ReadAll({}), is_away);
  const absl::Status read = one_->ReadWeights(WeightsOf(1, "weights"), /*ema=*/false).status();
  EXPECT_THAT(read, is_away);
  EXPECT_TRUE(IsNotYet(read));
}

}  // namespace
}  // namespace mixfeed
