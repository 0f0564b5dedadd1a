// A step's batch is the same however, whenever and from whichever server it is asked for.

#include <gmock/gmock.h>
#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/feed_fixture.h"

namespace mixfeed::testing {
namespace {

using ::testing::ElementsAre;

constexpr int kSteps = 24;

Digests StepsOf(const Digests& all, uint32_t rank, uint32_t world) {
  Digests mine;
  for (const auto& [step, digest] : all) {
    if (step % world == rank) mine.emplace(step, digest);
  }
  return mine;
}

class SameBytesTest : public FeedTest {
 protected:
  // What the consumers of ranks 0 to world-1 get, `count` batches each, all at once: every stream
  // is open before the first one is read, each in a thread of its own.
  static std::vector<Digests> StreamRanksAtOnce(Feed& feed, int count, StreamOptions options) {
    std::vector<std::unique_ptr<BatchStream>> streams;
    for (options.rank = 0; options.rank < options.world; ++options.rank) {
      auto stream = feed.Stream(options);
      EXPECT_TRUE(stream.ok()) << stream.status();
      if (!stream.ok()) return {};
      streams.push_back(*std::move(stream));
    }
    std::vector<Digests> received(streams.size());
    std::vector<std::thread> consumers;
    for (size_t rank = 0; rank < streams.size(); ++rank) {
      consumers.emplace_back([&, rank] { received[rank] = Take(*streams[rank], count); });
    }
    for (std::thread& consumer : consumers) consumer.join();
    return received;
  }

  // The consumers of every number from 1 to 3 get each step once, as in `reference`.
  static void ExpectEveryStepOnce(Feed& feed, const Digests& reference) {
    for (const uint32_t world : {1u, 2u, 3u}) {
      StreamOptions options;
      options.world = world;
      options.prefetch = world;
      const auto received = StreamRanksAtOnce(feed, kSteps / static_cast<int>(world), options);
      ASSERT_EQ(received.size(), world);
      for (uint32_t rank = 0; rank < world; ++rank) {
        EXPECT_EQ(received[rank], StepsOf(reference, rank, world)) << rank << " of " << world;
      }
    }
  }
};

using FeedWithoutGuessesTest = SameBytesTest;
using FeedWithGuessesTest = SameBytesTest;

TEST_F(FeedWithoutGuessesTest, AnyNumberOfRenderThreads) {
  Digests reference;
  for (const std::string threads : {"1", "2", "5"}) {
    const auto server = StartServer("threads" + threads, {"--threads", threads});
    const auto client = ConnectTo(*server);
    const auto feed = Open(*client, Spec("mixup"));
    const Digests digests = Stream(*feed, kSteps);
    if (reference.empty()) reference = digests;
    EXPECT_EQ(digests.size(), size_t{kSteps});
    EXPECT_EQ(digests, reference) << threads << " threads";
  }
}

TEST_F(FeedWithoutGuessesTest, AnyWindowAndGetBatch) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, Spec("mixup"));
  const Digests reference = Stream(*feed, kSteps);
  EXPECT_EQ(GetEach(*feed, kSteps), reference);
  for (const uint32_t window : {1u, 3u, 16u}) {
    StreamOptions options;
    options.prefetch = window;
    options.server_prefetch = window;
    EXPECT_EQ(Stream(*feed, kSteps, options), reference) << "window " << window;
  }
}

TEST_F(FeedWithoutGuessesTest, OneToThreeConsumersGetEveryStepOnce) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, Spec("mixup"));
  ExpectEveryStepOnce(*feed, Stream(*feed, kSteps));
}

TEST_F(FeedWithoutGuessesTest, BroadcastGivesEveryConsumerEveryStep) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, Spec("mixup"));
  const Digests reference = Stream(*feed, kSteps);
  StreamOptions options;
  options.world = 2;
  options.sharing = v1::OpenStream::BROADCAST;
  EXPECT_THAT(StreamRanksAtOnce(*feed, kSteps, options), ElementsAre(reference, reference));
}

// What a batch holds of each of the step's rows, by the row's index in the step.
struct Row {
  uint32_t sample = 0;
  uint32_t view = 0;
  uint32_t partner = 0;
  float lambda = 0;
  int pool = 0;
  std::vector<std::byte> pixels;
  std::vector<float> targets;

  friend bool operator==(const Row&, const Row&) = default;
};
using Rows = std::map<uint32_t, Row>;

Rows RowsOf(const ReceivedBatch& batch) {
  const v1::BatchHeader& header = batch.header();
  const size_t pixels = batch.pixels().size() / header.rows();
  const size_t classes = header.classes();
  Rows rows;
  for (int i = 0; i < header.row_size(); ++i) {
    const size_t at = static_cast<size_t>(i);
    const auto image = batch.pixels().subspan(at * pixels, pixels);
    const auto target = batch.targets().subspan(at * classes, classes);
    rows[header.row(i)] = {.sample = header.sample(i),
                           .view = header.view(i),
                           .partner = header.partner(i),
                           .lambda = header.lambda(i),
                           .pool = header.pool(i),
                           .pixels = {image.begin(), image.end()},
                           .targets = {target.begin(), target.end()}};
  }
  return rows;
}

// Of two consumers that share every step of the feed: each step's rows, joined.
std::map<uint64_t, Rows> JoinedShares(Feed& feed, int steps) {
  std::map<uint64_t, Rows> joined;
  StreamOptions options;
  options.world = 2;
  options.sharing = v1::OpenStream::SPLIT;
  for (options.rank = 0; options.rank < options.world; ++options.rank) {
    const auto stream = feed.Stream(options);
    EXPECT_TRUE(stream.ok()) << stream.status();
    for (int i = 0; i < steps; ++i) {
      const auto share = (*stream)->Next();
      EXPECT_TRUE(share.ok()) << share.status();
      if (!share.ok()) return joined;
      EXPECT_EQ(share->header().rows() * options.world, feed.info().rows());
      joined[share->header().step()].merge(RowsOf(*share));
    }
  }
  return joined;
}

void ExpectSharesMakeUpTheWhole(Feed& feed) {
  constexpr int kShared = 4;
  const std::map<uint64_t, Rows> joined = JoinedShares(feed, kShared);
  EXPECT_EQ(joined.size(), size_t{kShared});
  for (const auto& [step, rows] : joined) {
    const auto whole = feed.GetBatch(step, {});
    ASSERT_TRUE(whole.ok()) << whole.status();
    EXPECT_EQ(rows.size(), feed.info().rows());
    EXPECT_TRUE(rows == RowsOf(*whole)) << "step " << step;
  }
}

TEST_F(FeedWithoutGuessesTest, SharesOfASplitMakeUpTheWholeBatch) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  ExpectSharesMakeUpTheWhole(*Open(*client, Spec("mixup")));
}

TEST_F(FeedWithoutGuessesTest, AStreamGoesOnAfterTheServerWasKilled) {
  auto server = StartServer("a");
  const std::string address = server->address();
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, Spec("mixup"));
  const Digests reference = GetEach(*feed, kSteps);

  auto stream = feed->Stream({});
  ASSERT_TRUE(stream.ok()) << stream.status();
  Digests digests = Take(**stream, kSteps / 2);
  server->End(SIGKILL);
  server = StartServer("a", {"--listen", address});
  digests.merge(Take(**stream, kSteps / 2));
  EXPECT_EQ(digests, reference);
  EXPECT_GE((*stream)->reconnects(), 1);
}

TEST_F(FeedWithoutGuessesTest, TwoServersSideBySide) {
  const auto one = StartServer("one");
  const auto other = StartServer("other", {"--threads", "1"});
  const auto client = ConnectTo(*one);
  const auto other_client = ConnectTo(*other);
  const auto feed = Open(*client, Spec("mixup"));
  const auto other_feed = Open(*other_client, Spec("mixup"));
  EXPECT_EQ(feed->info().feed_id(), other_feed->info().feed_id());
  EXPECT_EQ(Stream(*feed, kSteps), Stream(*other_feed, kSteps));
}

TEST_F(FeedWithoutGuessesTest, AnotherSeedGivesOtherBytes) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  v1::FeedSpec other_seed = Spec("mixup");
  other_seed.set_seed(8);
  const auto feed = Open(*client, Spec("mixup"));
  const auto other = Open(*client, other_seed);
  EXPECT_NE(Stream(*feed, 1), Stream(*other, 1));
}

const std::vector<std::string> kModel = {"--model", "small=resnet-small"};

std::vector<std::string> WithModel(const std::vector<std::string>& flags) {
  std::vector<std::string> all = kModel;
  all.insert(all.end(), flags.begin(), flags.end());
  return all;
}

v1::FeedSpec MixMatchSpec(v1::FeedSpec spec) {
  spec.mutable_recipe()->mutable_guess()->set_model("small");
  spec.mutable_recipe()->mutable_guess()->set_policy(v1::Guess::NEWEST);
  return spec;
}

TEST_F(FeedWithGuessesTest, AnyOrderAndNumberOfConsumers) {
  const auto server = StartServer("a", kModel);
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, MixMatchSpec(Spec("mixmatch")));
  ExpectEveryStepOnce(*feed, GetEach(*feed, kSteps));
}

TEST_F(FeedWithGuessesTest, SharesOfASplitMakeUpTheWholeBatch) {
  const auto server = StartServer("a", kModel);
  const auto client = ConnectTo(*server);
  ExpectSharesMakeUpTheWhole(*Open(*client, MixMatchSpec(Spec("mixmatch"))));
}

TEST_F(FeedWithGuessesTest, KilledServerAndOtherNumbersOfThreads) {
  auto server = StartServer("a", WithModel({"--guess-threads", "1", "--threads", "1"}));
  const std::string address = server->address();
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, MixMatchSpec(Spec("mixmatch")));
  const Digests reference = Stream(*feed, kSteps);
  server->End(SIGKILL);
  server =
      StartServer("a", WithModel({"--listen", address, "--guess-threads", "2", "--threads", "5"}));
  EXPECT_EQ(GetEach(*feed, kSteps), reference);
}

TEST_F(FeedWithGuessesTest, OtherModelsRegisteredLater) {
  const auto server = StartServer("a", kModel);
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, MixMatchSpec(Spec("mixmatch")));
  const Digests reference = Stream(*feed, kSteps);
  for (const std::string name : {"other", "small"}) {
    v1::RegisterModelHeader header;
    header.set_name(name);
    header.set_kind("resnet-small");
    header.set_init_seed(99);
    const auto registered = client->RegisterModel(header, "");
    ASSERT_TRUE(registered.ok()) << registered.status();
    EXPECT_EQ(registered->model().version(), name == "small" ? 1u : 0u);
    EXPECT_EQ(GetEach(*feed, kSteps), reference) << "after registering " << name;
  }
  // The new version is used from here on.
  const auto later = feed->GetBatch(10'000, {});
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_EQ(later->header().guess().version(), 1u);
}

TEST_F(FeedWithGuessesTest, RunsAreSeparate) {
  const auto server = StartServer("a", kModel);
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, MixMatchSpec(Spec("mixmatch")), "one");
  const auto again = Open(*client, MixMatchSpec(Spec("mixmatch")), "one");
  const auto other = Open(*client, MixMatchSpec(Spec("mixmatch")), "two");
  const auto fresh = Open(*client, MixMatchSpec(Spec("mixmatch")), "");
  const auto fresh_too = Open(*client, MixMatchSpec(Spec("mixmatch")), "");
  EXPECT_EQ(feed->info().feed_id(), again->info().feed_id());
  EXPECT_NE(feed->info().feed_id(), other->info().feed_id());
  EXPECT_NE(fresh->info().run(), fresh_too->info().run());
  // Same weights in the same environment: the guesses agree all the same.
  EXPECT_EQ(Stream(*feed, 4), Stream(*other, 4));
}

}  // namespace
}  // namespace mixfeed::testing
