// A server with a stalled, a cancelled and a killed consumer holds no more after 10,000 batches
// (3,000 under sanitizers) than after 1,000.

#include <signal.h>

#include <string>

#include "tests/integration/feed_fixture.h"
#include "tests/testing/sanitizers.h"

namespace mixfeed::testing {
namespace {

constexpr uint32_t kStalledCredits = 2;
constexpr uint32_t kStalledWindow = 3;
constexpr int64_t kMaxGrowthBytes = 8 << 20;

class LeakTest : public FeedTest {
 protected:
  struct Held {
    uint64_t slots = 0;
    uint64_t frames = 0;
    uint64_t consumers = 0;
    friend bool operator==(const Held&, const Held&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Held& held) {
      return out << held.slots << " slots, " << held.frames << " frames, " << held.consumers
                 << " consumers";
    }
  };

  static Held HeldBy(FeedClient& client) {
    const auto info = client.GetServerInfo();
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? Held{info->live_slots(), info->live_frames(), info->consumers()} : Held{};
  }

  // Slots come back when the transport lets go of them: waits until the server holds `expected`.
  static Held WaitFor(FeedClient& client, const Held& expected) {
    Held held;
    EXPECT_TRUE(Eventually([&] {
      held = HeldBy(client);
      return held == expected;
    }));
    return held;
  }

  static void PullAndCancel(Feed& feed, int batches) {
    StreamOptions options;
    options.from_step = 1'000'000;  // away from the stalled consumer's batches
    auto stream = feed.Stream(options);
    ASSERT_TRUE(stream.ok()) << stream.status();
    for (int i = 0; i < batches; ++i) {
      const auto batch = (*stream)->Next();
      ASSERT_TRUE(batch.ok()) << batch.status();
    }
    (*stream)->Cancel();
  }

  static void PullAndKill(const ServerProcess& server) {
    ChildProcess pull(MIXFEED_CLI_PROGRAM,
                      {"pull", "--server", server.address(), "--recipe", "mixup", "--batch", "8",
                       "--steps", "1000000", "--run", "killed", "--json"});
    EXPECT_NE(pull.ReadLine(), "");
    pull.End(SIGKILL);
  }
};

TEST_F(LeakTest, HoldsNoMoreAfterManyTimesAsManyBatches) {
  // The stalled consumer must not be ended, however slow the machine.
  const auto server = StartServer("a", {"--idle-limit-ms", "3600000"});
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, Spec("mixup"));

  StreamOptions stalled_options;
  stalled_options.prefetch = kStalledCredits;
  stalled_options.server_prefetch = kStalledWindow;
  const auto stalled = feed->Stream(stalled_options);
  ASSERT_TRUE(stalled.ok()) << stalled.status();
  const Held expected = {kStalledWindow, kStalledWindow, 1};

  PullAndKill(*server);
  PullAndCancel(*feed, 1000);
  EXPECT_EQ(WaitFor(*client, expected), expected);
  const int64_t resident = server->ResidentBytes();

  for (int round = 0; round < Rounds(9); ++round) {
    PullAndKill(*server);
    PullAndCancel(*feed, 1000);
  }
  EXPECT_EQ(WaitFor(*client, expected), expected);
  if (kSanitized) GTEST_SKIP() << "a sanitizer keeps freed memory: its size tells nothing";
  EXPECT_LT(server->ResidentBytes() - resident, kMaxGrowthBytes);
}

}  // namespace
}  // namespace mixfeed::testing
