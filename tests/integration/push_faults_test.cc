// kill -9 of the server and of trainers at random moments, while consumers stream and weights are
// pushed: no step's bytes change, no acknowledged version is lost, and every batch is guessed with
// one version. The moments are counts of batches and delays, drawn from a seed.
#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include "augment/base/mutex.h"
#include "tests/integration/feed_fixture.h"
#include "tests/integration/net_kit.h"
#include "tests/testing/random_delay.h"
#include "tests/testing/sanitizers.h"

namespace mixfeed::testing {
namespace {

constexpr int kServerKills = Rounds(22);
constexpr int kTrainerKills = Rounds(36);  // 21 of 36 after it has sent a part of its weights

v1::FeedSpec SpecOf(v1::Guess::Policy policy, uint32_t version = 0) {
  v1::FeedSpec spec;
  spec.mutable_recipe()->set_preset("mixmatch");
  v1::Guess* const guess = spec.mutable_recipe()->mutable_guess();
  guess->set_policy(policy);
  if (policy == v1::Guess::PINNED) guess->set_version(version);
  spec.mutable_split()->set_labelled(100);
  spec.set_batch(8);
  spec.set_seed(7);
  return spec;
}

// What a consumer has got of a step.
struct Seen {
  std::string digest;
  uint64_t version = 0;

  friend bool operator==(const Seen&, const Seen&) = default;
};

Seen SeenOf(const ReceivedBatch& batch) {
  return {batch.Digest(), batch.header().guess().version()};
}

// Counts up, for those who wait for a count. Thread safe.
class Counter {
 public:
  void Add(size_t more) { value_ += more; }
  void Stop() { stopped_ = true; }
  // False when it was stopped and has not come so far.
  bool WaitFor(size_t value) {
    EXPECT_TRUE(Eventually([&] { return value_ >= value || stopped_; }));
    return value_ >= value;
  }

 private:
  std::atomic<size_t> value_ = 0;
  std::atomic<bool> stopped_ = false;
};

// What was seen of each step, and what was acknowledged to trainers. Thread safe.
class Log {
 public:
  // A step must be the same whenever it is seen.
  void Add(const ReceivedBatch& batch) {
    const uint64_t step = batch.header().step();
    const Seen seen = SeenOf(batch);
    MutexLock lock(&mu_);
    const auto [known, is_new] = seen_.emplace(step, seen);
    EXPECT_TRUE(known->second == seen) << "step " << step << " changed, of version "
                                       << known->second.version << " and now " << seen.version;
  }
  std::map<uint64_t, Seen> All() {
    MutexLock lock(&mu_);
    return seen_;
  }

 private:
  Mutex mu_;
  std::map<uint64_t, Seen> seen_ ABSL_GUARDED_BY(mu_);
};

// The weights' digest of every version that was acknowledged. Thread safe.
class Acknowledged {
 public:
  void Add(const v1::Model& model) {
    MutexLock lock(&mu_);
    weights_[model.version()] = model.weights();
  }
  std::map<uint64_t, std::string> All() {
    MutexLock lock(&mu_);
    return weights_;
  }

 private:
  Mutex mu_;
  std::map<uint64_t, std::string> weights_ ABSL_GUARDED_BY(mu_);
};

// The weights' digest of every version that the server has.
std::map<uint64_t, std::string> KeptBy(FeedClient& client) {
  std::map<uint64_t, std::string> kept;
  const auto models = client.ListModels();
  EXPECT_TRUE(models.ok()) << models.status();
  if (!models.ok()) return kept;
  for (const v1::ModelVersion& version : models->models(0).versions()) {
    kept[version.version()] = version.weights();
  }
  return kept;
}

void ExpectKept(FeedClient& client, const std::map<uint64_t, std::string>& acknowledged) {
  std::map<uint64_t, std::string> kept = KeptBy(client);
  for (const auto& [version, weights] : acknowledged) {
    EXPECT_EQ(kept[version], weights) << "version " << version << " is lost";
  }
}

// What one consumer or trainer does until `allowed` is stopped; it goes no further than that.
void Consume(Feed& feed, Counter* allowed, Log* log, Counter* received) {
  const auto stream = feed.Stream({});
  ASSERT_TRUE(stream.ok()) << stream.status();
  for (uint64_t step = 0; allowed->WaitFor(step + 1); ++step) {
    const auto batch = (*stream)->Next();
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_EQ(batch->header().step(), step);
    log->Add(*batch);
    received->Add(1);
  }
}

void Train(FeedClient& client, Counter* allowed, Acknowledged* acknowledged) {
  for (uint64_t update = 1; allowed->WaitFor(update + 1);) {
    const auto pushed = Push(client, update);
    if (pushed.ok()) {
      acknowledged->Add(pushed->model());
      ++update;
      continue;
    }
    // The server is gone. Once it is back it knows whether the push had arrived.
    const auto models = client.ListModels();
    ASSERT_TRUE(models.ok()) << models.status();
    const uint64_t version = models->models(0).version();
    ASSERT_TRUE(version == update || version == update - 1)
        << version << " after update " << update << ": " << pushed.status();
    update = version + 1;
  }
}

class PushFaultsTest : public FeedTest {
 protected:
  std::unique_ptr<ServerProcess> StartKeeping(const std::string& state,
                                              const std::string& listen = "127.0.0.1:0",
                                              int versions = 100'000) const {
    return StartServer(state, {"--keep-versions", std::to_string(versions), "--listen", listen});
  }

  // Asks for some of the steps again.
  static void Replay(Feed& feed, Log* log, std::mt19937* random, size_t count) {
    const std::map<uint64_t, Seen> seen = log->All();
    for (size_t i = 0; i < count && !seen.empty(); ++i) {
      const auto batch = feed.GetBatch((*random)() % seen.size(), {});
      ASSERT_TRUE(batch.ok()) << batch.status();
      log->Add(*batch);
    }
  }

  static void ReplayAll(Feed& feed, Log* log) {
    for (const auto& [step, seen] : log->All()) {
      const auto batch = feed.GetBatch(step, {});
      ASSERT_TRUE(batch.ok()) << batch.status();
      log->Add(*batch);
    }
  }

  // Every step as a server makes it to which nothing happens, with the one version that the step's
  // header names.
  void ExpectOneVersionEach(const std::map<uint64_t, Seen>& seen, const std::string& state) const {
    const auto server = StartKeeping(state);
    const auto client = ConnectTo(*server);
    MustRegister(*client, LinearArchive(NetworkOf(0)));
    uint64_t newest = 0;
    std::map<uint64_t, std::unique_ptr<Feed>> pinned;
    for (const auto& [step, was] : seen) {
      while (newest < was.version) {
        ++newest;
        const auto pushed = Push(*client, newest);
        ASSERT_TRUE(pushed.ok()) << pushed.status();
      }
      std::unique_ptr<Feed>& feed = pinned[was.version];
      if (feed == nullptr)
        feed = Open(*client, SpecOf(v1::Guess::PINNED, static_cast<uint32_t>(was.version)));
      const auto batch = feed->GetBatch(step, {});
      ASSERT_TRUE(batch.ok()) << batch.status();
      EXPECT_TRUE(SeenOf(*batch) == was) << "step " << step << ", version " << was.version;
    }
  }
};

TEST_F(PushFaultsTest, AServerThatIsKilledAgainAndAgainLosesAndChangesNothing) {
  std::mt19937 random(5);
  auto server = StartKeeping("a");
  const std::string address = server->address();
  const auto client = ConnectTo(*server);
  const auto trainer_client = ConnectTo(*server);
  MustRegister(*client, LinearArchive(NetworkOf(0)));
  const auto newest = Open(*client, SpecOf(v1::Guess::NEWEST));
  const auto delayed = Open(*client, SpecOf(v1::Guess::DELAYED));
  Counter allowed, newest_received, delayed_received;
  Log newest_log, delayed_log;
  Acknowledged acknowledged;
  std::thread threads[] = {
      std::thread([&] { Consume(*newest, &allowed, &newest_log, &newest_received); }),
      std::thread([&] { Consume(*delayed, &allowed, &delayed_log, &delayed_received); }),
      std::thread([&] { Train(*trainer_client, &allowed, &acknowledged); })};

  size_t steps = 0;
  for (int kill = 0; kill < kServerKills; ++kill) {
    const size_t more = 4 + random() % 5;
    allowed.Add(more);
    Counter& watched = random() % 2 == 0 ? newest_received : delayed_received;
    watched.WaitFor(steps + random() % more);
    DelayAtRandom(&random);
    steps += more;
    server->End(SIGKILL);
    const auto must_be_there = acknowledged.All();
    server = StartKeeping("a", address);
    ExpectKept(*client, must_be_there);
    Replay(*newest, &newest_log, &random, 5);
    Replay(*delayed, &delayed_log, &random, 5);
  }
  EXPECT_TRUE(newest_received.WaitFor(steps));
  EXPECT_TRUE(delayed_received.WaitFor(steps));
  allowed.Stop();
  for (std::thread& thread : threads) thread.join();

  ExpectKept(*client, acknowledged.All());
  EXPECT_EQ(client->ListModels()->models(0).version(), steps - 1);
  ReplayAll(*newest, &newest_log);
  ReplayAll(*delayed, &delayed_log);
  for (const auto& [step, seen] : delayed_log.All()) {
    EXPECT_EQ(seen.version, step == 0 ? 0 : step - 1) << "step " << step;
  }
  ExpectOneVersionEach(newest_log.All(), "calm-newest");
  ExpectOneVersionEach(delayed_log.All(), "calm-delayed");

  // A replay needs no weights: those of nearly all steps are gone.
  EXPECT_EQ(KeptBy(*client).count(1), 1u);
  server->End(SIGKILL);
  server = StartKeeping("a", address, /*versions=*/2);
  EXPECT_EQ(KeptBy(*client).count(1), 0u);
  ReplayAll(*newest, &newest_log);
  ReplayAll(*delayed, &delayed_log);
}

// The next trainer: goes on from what the model is now. A push of a killed trainer that was whole
// may be taken just then, which this one is told.
uint64_t PushNext(FeedClient& client) {
  while (true) {
    const auto models = client.ListModels();
    EXPECT_TRUE(models.ok()) << models.status();
    const uint64_t update = models->models(0).version() + 1;
    const auto pushed = Push(client, update);
    if (pushed.ok()) return update;
    EXPECT_EQ(pushed.status().code(), absl::StatusCode::kAborted) << pushed.status();
    if (pushed.status().code() != absl::StatusCode::kAborted) return 0;
  }
}

TEST_F(PushFaultsTest, TrainersThatAreKilledInMidPushChangeNothing) {
  std::mt19937 random(6);
  const auto server = StartKeeping("a");
  const auto client = ConnectTo(*server);
  MustRegister(*client, LinearArchive(NetworkOf(0)));
  const auto newest = Open(*client, SpecOf(v1::Guess::NEWEST));
  Counter allowed, received;
  Log log;
  std::thread consumer([&] { Consume(*newest, &allowed, &log, &received); });
  uint64_t version = 0;
  for (int kill = 0; kill < kTrainerKills; ++kill) {
    allowed.Add(3);
    const uint64_t update = version + 1;
    const std::string weights = LinearWeights(NetworkOf(update));
    const std::string file = dir().File("weights-" + std::to_string(kill));
    std::ofstream(file, std::ios::binary) << weights;
    const bool whole = kill % 4 == 3;
    const size_t bytes = whole ? weights.size() : random() % (weights.size() + 1);
    const auto before = client->ListModels();
    ChildProcess trainer(MIXFEED_HALF_PUSH_PROGRAM,
                         {server->address(), "net", std::to_string(update), std::to_string(version),
                          file, std::to_string(bytes), whole ? "1" : "0"});
    // Some are killed before they have sent what they would.
    if (kill % 5 != 4) {
      EXPECT_EQ(trainer.ReadLine(), "sent");
    }
    DelayAtRandom(&random);
    trainer.End(SIGKILL);
    const auto after = client->ListModels();
    ASSERT_TRUE(before.ok() && after.ok()) << before.status() << after.status();
    if (!whole) {
      EXPECT_EQ(after->SerializeAsString(), before->SerializeAsString());
    }
    version = PushNext(*client);
    ASSERT_TRUE(version == update || (whole && version == update + 1)) << version;
    EXPECT_EQ(newest->GetBatch(1'000'000 + update, {})->header().guess().version(), version);
  }
  EXPECT_TRUE(received.WaitFor(3 * kTrainerKills));
  allowed.Stop();
  consumer.join();
  ExpectOneVersionEach(log.All(), "calm");
}

}  // namespace
}  // namespace mixfeed::testing
