// Two server processes that share their models and guesses through Redis, while a trainer pushes:
// the same bytes for the same step, whatever happens to Redis.
#include <gmock/gmock.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/integration/feed_fixture.h"
#include "tests/integration/net_kit.h"
#include "tests/testing/random_delay.h"
#include "tests/testing/redis_server.h"
#include "tests/testing/sanitizers.h"

namespace mixfeed::testing {
namespace {

using ::testing::HasSubstr;

class ReplicasTest : public FeedTest {
 protected:
  void SetUp() override {
    if (!RedisServer::IsInstalled()) GTEST_SKIP() << "redis-server is not installed";
    redis_ = std::make_unique<RedisServer>();
  }

  std::unique_ptr<ServerProcess> StartReplica(const std::string& name,
                                              std::vector<std::string> extra = {},
                                              int keep_versions = 1'000'000) const {
    // A fast machine pushes more than are kept by default.
    extra.insert(extra.end(),
                 {"--store", redis_->url(), "--keep-versions", std::to_string(keep_versions)});
    return StartServer(name, extra);
  }
  static absl::Status Register(FeedClient& client, const std::string& name = "net") {
    return client.RegisterModel(ArchiveHeader(name), LinearArchive(NetworkOf(0))).status();
  }
  static v1::FeedSpec MixMatch(v1::Guess::Policy policy) {
    v1::FeedSpec spec = Spec("mixmatch");
    spec.mutable_recipe()->mutable_guess()->set_policy(policy);
    return spec;
  }
  // Two replicas with a model that both know; `extra` flags are b's.
  void StartTwo(std::vector<std::string> extra = {}) {
    a_ = StartReplica("a");
    b_ = StartReplica("b", std::move(extra));
    client_a_ = ConnectTo(*a_);
    client_b_ = ConnectTo(*b_);
    ASSERT_TRUE(Register(*client_a_).ok());
    AwaitModels(*client_b_, 1);
  }
  static uint64_t NewestVersion(FeedClient& client) {
    const auto models = client.ListModels();
    return models.ok() && models->models_size() == 1 ? models->models(0).version() : 0;
  }
  static void AwaitVersion(FeedClient& client, uint64_t version) {
    EXPECT_TRUE(Eventually([&] { return NewestVersion(client) >= version; }));
  }
  static void AwaitModels(FeedClient& client, int count) {
    EXPECT_TRUE(Eventually([&] {
      const auto models = client.ListModels();
      return models.ok() && models->models_size() >= count;
    }));
  }
  static void ExpectNames(const absl::Status& status, absl::StatusCode code,
                          const std::string& text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<ServerProcess> a_, b_;
  std::unique_ptr<FeedClient> client_a_, client_b_;
};

TEST_F(ReplicasTest, GiveTheSameBatchesWhileATrainerPushes) {
  constexpr uint64_t kSteps = 12;
  ASSERT_NO_FATAL_FAILURE(StartTwo());
  const v1::FeedSpec spec = MixMatch(v1::Guess::LOCKSTEP);
  const auto feed_a = Open(*client_a_, spec);
  const auto feed_b = Open(*client_b_, spec);
  EXPECT_EQ(feed_a->info().feed_id(), feed_b->info().feed_id());
  Digests digests[2];
  std::thread readers[2];
  for (int i = 0; i < 2; ++i) {
    readers[i] = std::thread(
        [&, i] { digests[i] = Stream(i == 0 ? *feed_a : *feed_b, static_cast<int>(kSteps)); });
  }
  // Through one server and the other in turn.
  for (uint64_t update = 1; update < kSteps; ++update) {
    FeedClient& client = update % 2 == 0 ? *client_a_ : *client_b_;
    AwaitVersion(client, update - 1);
    const auto pushed = Push(client, update);
    ASSERT_TRUE(pushed.ok()) << pushed.status();
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(digests[0].size(), kSteps);
  EXPECT_EQ(digests[0], digests[1]);
  // A third one, without a past, replays them.
  const auto c = StartReplica("c");
  const auto client_c = ConnectTo(*c);
  EXPECT_EQ(GetEach(*Open(*client_c, spec), kSteps), digests[0]);
}

TEST_F(ReplicasTest, TheFirstServerSettlesWhatFollowsTheNewestWeights) {
  ASSERT_NO_FATAL_FAILURE(StartTwo());
  const auto feed_a = Open(*client_a_, MixMatch(v1::Guess::NEWEST));
  const auto feed_b = Open(*client_b_, MixMatch(v1::Guess::NEWEST));
  const std::string settled = feed_a->GetBatch(5, {})->Digest();
  ASSERT_TRUE(Push(*client_b_, 1).ok());
  const auto batch = feed_b->GetBatch(5, {});
  EXPECT_EQ(batch->header().guess().version(), 0u);
  EXPECT_EQ(batch->Digest(), settled);
}

TEST_F(ReplicasTest, OfTwoTrainersThatPushAtOnceOneIsTold) {
  ASSERT_NO_FATAL_FAILURE(StartTwo());
  absl::Status statuses[2];
  std::thread other([&] {
    statuses[1] = client_b_->PushWeights(PushOf(1), LinearWeights(NetworkOf(2))).status();
  });
  statuses[0] = Push(*client_a_, 1).status();
  other.join();
  EXPECT_NE(statuses[0].ok(), statuses[1].ok());
  ExpectNames(statuses[0].ok() ? statuses[1] : statuses[0], absl::StatusCode::kAborted,
              "is 1, of update 1");
}

TEST_F(ReplicasTest, AForkIsSharedToo) {
  ASSERT_NO_FATAL_FAILURE(StartTwo());
  const auto feed = Open(*client_a_, MixMatch(v1::Guess::NEWEST), "first");
  const Digests past = GetEach(*feed, 3);
  const auto forked = client_a_->ForkRun(feed->info().feed_id(), 3, "second");
  ASSERT_TRUE(forked.ok()) << forked.status();
  const auto branch = Open(*client_b_, forked->spec(), "second");
  EXPECT_EQ(branch->info().feed_id(), forked->feed_id());
  EXPECT_EQ(GetEach(*branch, 3), past);
}

TEST_F(ReplicasTest, WithoutRedisWhatNeedsItWaitsOrFailsByNameAndTheRestGoesOn) {
  ASSERT_NO_FATAL_FAILURE(StartTwo({"--weights-wait-ms", "50"}));
  const auto feed_a = Open(*client_a_, MixMatch(v1::Guess::NEWEST));
  const auto feed_b = Open(*client_b_, MixMatch(v1::Guess::NEWEST));
  const auto plain = Open(*client_a_, Spec("mixup"));
  const Digests read = GetEach(*feed_a, 4);
  EXPECT_EQ(feed_b->GetBatch(2, {})->Digest(), read.at(2));

  redis_->Kill();
  EXPECT_EQ(GetEach(*feed_a, 4), read);
  EXPECT_EQ(feed_b->GetBatch(2, {})->Digest(), read.at(2));
  EXPECT_EQ(Stream(*plain, 5).size(), 5u);
  // Also what another server has guessed, where this one has not read it.
  for (const uint64_t step : {0u, 9u}) {
    const absl::Status status = feed_b->GetBatch(step, {}).status();
    ExpectNames(status, absl::StatusCode::kFailedPrecondition, redis_->name());
    EXPECT_THAT(std::string(status.message()), HasSubstr("waited for 50 ms"));
  }
  ExpectNames(Push(*client_a_, 1).status(), absl::StatusCode::kUnavailable, redis_->name());
  ExpectNames(Register(*client_a_, "other"), absl::StatusCode::kUnavailable, redis_->name());

  std::string waited_for;
  std::thread reader([&] {
    const auto batch = feed_a->GetBatch(9, {});
    EXPECT_TRUE(batch.ok()) << batch.status();
    if (batch.ok()) waited_for = batch->Digest();
  });
  AwaitWaitingBatch(*client_a_);
  redis_->Start();
  reader.join();
  EXPECT_TRUE(Eventually([&] { return Push(*client_a_, 1).ok(); }));
  AwaitVersion(*client_b_, 1);
  EXPECT_EQ(feed_b->GetBatch(9, {})->Digest(), waited_for);
  EXPECT_EQ(feed_b->GetBatch(10, {})->header().guess().version(), 1u);
}

TEST_F(ReplicasTest, AServerIsNotStartedWithoutItsStore) {
  const std::vector<std::string> args = {"--listen", "127.0.0.1:0", "--data", "cifar=" + data_dir(),
                                         "--store",  redis_->url()};
  ChildProcess with_store(MIXFEED_SERVER_PROGRAM, args);
  EXPECT_THAT(with_store.ReadLine(), HasSubstr("listening"));
  EXPECT_EQ(ExitCode(with_store.End(SIGTERM)), 0);
  redis_->Kill();
  ChildProcess without(MIXFEED_SERVER_PROGRAM, args);
  EXPECT_EQ(without.ReadLine(), "");  // ended before it listened
  EXPECT_EQ(ExitCode(without.End(0)), 1);
}

TEST_F(ReplicasTest, AStepThatWaitedForWeightsWhenRedisWentNamesRedis) {
  const auto server = StartReplica("a", {"--weights-wait-ms", "5000"});
  const auto client = ConnectTo(*server);
  ASSERT_TRUE(Register(*client).ok());
  const auto feed = Open(*client, MixMatch(v1::Guess::LOCKSTEP));
  absl::Status end;
  std::thread reader([&] { end = feed->GetBatch(1, {}).status(); });
  AwaitWaitingBatch(*client);
  redis_->Kill();
  reader.join();
  ExpectNames(end, absl::StatusCode::kFailedPrecondition,
              "update 1 of model \"net\" are not pushed");
  ExpectNames(end, absl::StatusCode::kFailedPrecondition, redis_->name());
}

// One batch, as a consumer saw it.
struct SeenBatch {
  std::string digest;
  uint64_t version = 0;
  std::string weights;
};

SeenBatch Describe(const ReceivedBatch& batch) {
  return {batch.Digest(), batch.header().guess().version(), batch.header().guess().weights()};
}

class KilledRedisTest : public ReplicasTest {
 protected:
  // Pushes until it has arrived; returns the digest of the version's weights.
  static std::string PushUntilItArrived(FeedClient& client, uint64_t update) {
    std::string weights;
    EXPECT_TRUE(Eventually([&] {
      const auto answer = Push(client, update);
      if (answer.ok()) {
        weights = answer->model().weights();
        return true;
      }
      const absl::StatusCode code = answer.status().code();
      EXPECT_TRUE(code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kAborted)
          << answer.status();
      // What failed so may have arrived all the same.
      const auto models = client.ListModels();
      if (!models.ok() || models->models(0).version() != update) return false;
      weights = models->models(0).weights();
      return true;
    })) << "update "
        << update;
    return weights;
  }
  // Reads batch after batch, and pushes an update after each, until `stop`; `weights` become those
  // of the versions.
  void Train(FeedClient& client, Feed& feed, std::vector<std::string>* weights) {
    const auto stream = feed.Stream({});
    ASSERT_TRUE(stream.ok()) << stream.status();
    while (!stop_) {
      const auto batch = (*stream)->Next();
      ASSERT_TRUE(batch.ok()) << batch.status();
      trained_.push_back(Describe(*batch));
      weights->push_back(PushUntilItArrived(client, trained_.size()));
      steps_ = trained_.size();
    }
  }
  // Waits until `count` more steps are trained on.
  void AwaitSteps(uint64_t count) const {
    const uint64_t end = steps_ + count;
    EXPECT_TRUE(Eventually([&] { return steps_ >= end; }));
  }

  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> steps_ = 0;
  std::vector<SeenBatch> trained_;
};

TEST_F(KilledRedisTest, LosesNoVersionAndNoDigestDiffers) {
  constexpr int kKills = Rounds(25);
  ASSERT_NO_FATAL_FAILURE(StartTwo());
  const v1::FeedSpec spec = MixMatch(v1::Guess::LOCKSTEP);
  const auto feed_a = Open(*client_a_, spec);
  const auto feed_b = Open(*client_b_, spec);
  std::vector<std::string> weights = {client_a_->ListModels()->models(0).weights()};
  std::thread trainer([&] { Train(*client_a_, *feed_a, &weights); });
  std::vector<SeenBatch> followed;  // a step after it was trained on, so that none is missing
  std::atomic<bool> trained = false;
  std::thread follower([&] {
    const auto stream = feed_b->Stream({});
    ASSERT_TRUE(stream.ok()) << stream.status();
    const auto is_behind = [&] { return followed.size() < steps_; };
    while (Eventually([&] { return trained || is_behind(); }) && is_behind()) {
      const auto batch = (*stream)->Next();
      ASSERT_TRUE(batch.ok()) << batch.status();
      followed.push_back(Describe(*batch));
    }
  });

  std::mt19937 random(2026);
  for (int kill = 0; kill < kKills; ++kill) {
    AwaitSteps(random() % 4);
    DelayAtRandom(&random);
    redis_->Kill();
    redis_->Start();
  }
  AwaitSteps(3);
  stop_ = true;
  trainer.join();
  trained = true;
  follower.join();

  ASSERT_FALSE(HasFailure());
  ASSERT_EQ(followed.size(), trained_.size());
  ASSERT_EQ(weights.size(), trained_.size() + 1);
  const auto c = StartReplica("c");
  const auto client_c = ConnectTo(*c);
  const auto replayed = Open(*client_c, spec);
  for (size_t step = 0; step < trained_.size(); ++step) {
    EXPECT_EQ(trained_[step].version, step);
    EXPECT_EQ(trained_[step].weights, weights[step]) << step;
    EXPECT_EQ(trained_[step].digest, followed[step].digest) << step;
    EXPECT_EQ(trained_[step].digest, replayed->GetBatch(step, {})->Digest()) << step;
  }
  const auto models = client_c->ListModels();
  ASSERT_EQ(models->models(0).version(), trained_.size());
  EXPECT_EQ(models->models(0).versions_size(), static_cast<int>(weights.size()));
  for (const v1::ModelVersion& kept : models->models(0).versions()) {
    EXPECT_EQ(kept.weights(), weights[kept.version()]) << kept.version();
  }

  // A replay needs no weights: those of nearly all steps are gone.
  const auto d = StartReplica("d", {}, /*keep_versions=*/2);
  const auto client_d = ConnectTo(*d);
  EXPECT_EQ(client_d->ListModels()->models(0).versions_size(), 3);  // the initial one, and two
  const auto without_weights = Open(*client_d, spec);
  for (size_t step = 0; step < trained_.size(); ++step) {
    EXPECT_EQ(trained_[step].digest, without_weights->GetBatch(step, {})->Digest()) << step;
  }
}

}  // namespace
}  // namespace mixfeed::testing
