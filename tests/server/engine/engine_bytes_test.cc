#include <algorithm>

#include "tests/server/engine/engine_kit.h"

// The same bytes for a step, however the engine is set up and whoever asks.
namespace mixfeed::testing {
namespace {

class EngineBytesTest : public EngineTest, public ::testing::WithParamInterface<const char*> {
 protected:
  static constexpr size_t kSteps = 12;

  std::vector<size_t> FirstSteps(int credits, int prefetch) {
    const auto client =
        Subscribe({.feed_id = GetParam(), .format = {}, .credits = credits, .prefetch = prefetch});
    client->AwaitFrames(kSteps);
    std::vector<size_t> digests = client->digests();
    digests.resize(kSteps);
    return digests;
  }
};

TEST_P(EngineBytesTest, AnyWorkersThreadsAndWindow) {
  const std::vector<size_t> expected = FirstSteps(1, 1);
  EXPECT_EQ(std::ranges::count(expected, expected[0]), 1);
  for (const int workers : {1, 2, 5}) {
    Restart({.render_workers = workers, .guess_workers = workers}, {.threads = workers});
    for (const int window : {1, 3, 16}) EXPECT_EQ(FirstSteps(window, window), expected);
  }
}

TEST_P(EngineBytesTest, AnyNumberOfConsumers) {
  const std::vector<size_t> expected = FirstSteps(2, 2);
  for (const int world : {2, 3}) {
    std::vector<size_t> digests(kSteps);
    for (int rank = 0; rank < world; ++rank) {
      const auto client =
          Subscribe({.feed_id = GetParam(), .rank = rank, .world = world, .format = {}});
      client->AwaitFrames(kSteps / static_cast<size_t>(world));
      for (const Received& received : client->received()) {
        if (received.step < static_cast<int64_t>(kSteps)) {
          digests[static_cast<size_t>(received.step)] = received.digest;
        }
      }
    }
    EXPECT_EQ(digests, expected);
  }
}

TEST_P(EngineBytesTest, RestartedEngineAndAnyFirstStep) {
  const std::vector<size_t> expected = FirstSteps(2, 2);
  Restart({});
  const auto client = Subscribe({.feed_id = GetParam(), .from_step = 7, .format = {}});
  client->AwaitFrames(2);
  EXPECT_EQ(client->digests()[0], expected[7]);
  EXPECT_EQ(client->digests()[1], expected[8]);
}

INSTANTIATE_TEST_SUITE_P(Feeds, EngineBytesTest, ::testing::Values("mixup", "mixmatch", "eval"),
                         [](const auto& feed) { return std::string(feed.param); });

}  // namespace
}  // namespace mixfeed::testing
