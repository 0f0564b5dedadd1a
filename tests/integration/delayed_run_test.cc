// A run under DELAYED(s), LOCKSTEP among them, is the same whatever the timing. Its trainer learns:
// the weights of update n + 1 follow from those of update n and from the batch of step n, so that
// one byte that timing changes changes all that comes later. The runs that are compared have other
// consumers, windows, server threads and networks, and other calls between their own.
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <numeric>
#include <random>
#include <thread>

#include "augment/base/mutex.h"
#include "augment/guess/journal.h"
#include "augment/weights/state_dict.h"
#include "tests/integration/feed_fixture.h"
#include "tests/integration/net_kit.h"
#include "tests/testing/jittery_proxy.h"
#include "tests/testing/random_delay.h"

namespace mixfeed::testing {
namespace {

constexpr int kClasses = 10;
constexpr uint64_t kSteps = 24;
constexpr unsigned kRuns = 3;

using Seed = std::mt19937::result_type;

// The batches' digests as they come in, for those who wait for them. Thread safe.
class Received {
 public:
  void Add(uint64_t step, const std::string& digest) {
    MutexLock lock(&mu_);
    const auto [known, is_new] = digests_.emplace(step, digest);
    EXPECT_EQ(known->second, digest) << "step " << step;
  }
  std::string WaitFor(uint64_t step) {
    std::string digest;
    EXPECT_TRUE(Eventually([&] {
      MutexLock lock(&mu_);
      const auto found = digests_.find(step);
      if (found != digests_.end()) digest = found->second;
      return found != digests_.end();
    })) << "step "
        << step;
    return digest;
  }
  Digests All() {
    MutexLock lock(&mu_);
    return digests_;
  }

 private:
  Mutex mu_;
  Digests digests_ ABSL_GUARDED_BY(mu_);
};

struct DelayedRun {
  Digests digests;
  std::vector<StepGuess> guesses;
};

// The parameter: s of DELAYED(s).
class DelayedRunTest : public FeedTest, public ::testing::WithParamInterface<uint32_t> {
 protected:
  static LinearNetwork NetworkOf(const std::string& past) {
    const std::string digest = DigestOf(past);
    return MakeLinearNetwork(kClasses, 3,
                             static_cast<unsigned>(std::stoul(digest.substr(0, 8), nullptr, 16)));
  }

  static v1::FeedSpec DelayedSpec() {
    v1::FeedSpec spec = Spec("mixmatch");
    v1::Guess* const guess = spec.mutable_recipe()->mutable_guess();
    guess->set_policy(GetParam() == 0 ? v1::Guess::LOCKSTEP : v1::Guess::DELAYED);
    if (GetParam() > 0) guess->set_delay(GetParam());
    return spec;
  }

  // As the seed says: when, in what order and through what everything happens.
  DelayedRun RunWith(unsigned seed) const {
    std::mt19937 random(seed);
    const std::string name = "run" + std::to_string(seed);
    const auto server =
        StartServer(name, {"--threads", std::to_string(1 + random() % 3), "--guess-threads", "1"});
    const JitteryProxy network(server->address(), seed);
    const auto trainer = ConnectThrough(network);
    MustRegister(*trainer, LinearArchive(NetworkOf("")));
    const auto feed = Open(*trainer, DelayedSpec());

    Received received;
    std::vector<std::thread> threads;
    const auto world = 1 + static_cast<uint32_t>(random() % 3);
    for (uint32_t rank = 0; rank < world; ++rank) {
      threads.emplace_back(
          [&, rank, own = random()] { Consume(network, rank, world, own, &received); });
    }
    threads.emplace_back([&, own = random()] { Look(network, own, &received); });
    Train(*trainer, random(), &received);
    for (std::thread& thread : threads) thread.join();

    DelayedRun run{received.All(), {}};
    server->End(SIGTERM);
    const auto journal = Journal::Open({.path = state_dir(name) + "/journal.sqlite"});
    EXPECT_TRUE(journal.ok()) << journal.status();
    for (uint64_t step = 0; step < kSteps; ++step) {
      auto guess = (*journal)->Find(feed->info().feed_id(), static_cast<int64_t>(step));
      EXPECT_TRUE(guess.ok() && guess->has_value()) << "step " << step;
      run.guesses.push_back(**std::move(guess));
    }
    return run;
  }

 private:
  static std::unique_ptr<FeedClient> ConnectThrough(const JitteryProxy& network) {
    auto client = FeedClient::Connect({.server = network.address()});
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  static void Consume(const JitteryProxy& network, uint32_t rank, uint32_t world, Seed seed,
                      Received* received) {
    std::mt19937 random(seed);
    const auto client = ConnectThrough(network);
    const auto feed = Open(*client, DelayedSpec());
    StreamOptions options;
    options.rank = rank;
    options.world = world;
    options.prefetch = 1 + static_cast<uint32_t>(random() % 6);
    options.server_prefetch = 1 + static_cast<uint32_t>(random() % 6);
    const auto stream = feed->Stream(options);
    ASSERT_TRUE(stream.ok()) << stream.status();
    for (uint64_t step = rank; step < kSteps; step += world) {
      const auto batch = (*stream)->Next();
      ASSERT_TRUE(batch.ok()) << batch.status();
      ASSERT_EQ(batch->header().step(), step);
      EXPECT_EQ(batch->header().guess().update(), step < GetParam() ? 0 : step - GetParam());
      DelayAtRandom(&random);
      received->Add(step, batch->Digest());
    }
  }

  // Asks for every step by itself, in no order.
  static void Look(const JitteryProxy& network, Seed seed, Received* received) {
    std::mt19937 random(seed);
    const auto client = ConnectThrough(network);
    const auto feed = Open(*client, DelayedSpec());
    std::vector<uint64_t> steps(kSteps);
    std::iota(steps.begin(), steps.end(), 0);
    std::shuffle(steps.begin(), steps.end(), random);
    for (const uint64_t step : steps) {
      // Those of the far future would hold up the others.
      received->WaitFor(step - std::min<uint64_t>(step, GetParam() + random() % 3));
      const auto batch = feed->GetBatch(step, {});
      ASSERT_TRUE(batch.ok()) << batch.status();
      received->Add(step, batch->Digest());
    }
  }

  static void Train(FeedClient& client, Seed seed, Received* received) {
    std::mt19937 random(seed);
    std::string past;
    for (uint64_t update = 1; update < kSteps; ++update) {
      past += received->WaitFor(update - 1);
      DelayAtRandom(&random);
      if (random() % 4 == 0) {
        EXPECT_TRUE(client.ListModels().ok());
      }
      const auto pushed = client.PushWeights(PushOf(update), LinearWeights(NetworkOf(past)));
      ASSERT_TRUE(pushed.ok()) << pushed.status();
    }
  }
};

TEST_P(DelayedRunTest, IsTheSameWhateverTheTiming) {
  const DelayedRun first = RunWith(1);
  EXPECT_EQ(first.digests.size(), kSteps);
  for (unsigned seed = 2; seed <= kRuns; ++seed) {
    const DelayedRun other = RunWith(seed);
    EXPECT_EQ(other.digests, first.digests) << "seed " << seed;
    EXPECT_TRUE(other.guesses == first.guesses) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Delays, DelayedRunTest, ::testing::Values(0u, 1u, 3u));

}  // namespace
}  // namespace mixfeed::testing
