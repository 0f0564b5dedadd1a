// What SIGTERM does to a server process.

#include <signal.h>
#include <sys/wait.h>

#include <filesystem>

#include "tests/integration/feed_fixture.h"

namespace mixfeed::testing {
namespace {

using SignalsTest = FeedTest;

bool EndedBySigterm(int wait_status) {
  return WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM;
}

TEST_F(SignalsTest, EndsAServerThatIsStartingAtOnce) {
  // Once the state folder is there, drawing the dataset takes seconds.
  ChildProcess server(MIXFEED_SERVER_PROGRAM, {"--listen", "127.0.0.1:0", "--data", "generated",
                                               "--state-dir", state_dir("starting")});
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(state_dir("starting")); }));
  EXPECT_TRUE(EndedBySigterm(server.End(SIGTERM)));
  EXPECT_EQ(server.ReadLine(), "");
}

TEST_F(SignalsTest, EndsARunningServerInGoodOrder) {
  const auto server = StartServer("running");
  EXPECT_EQ(ExitCode(server->End(SIGTERM)), 0);
}

TEST_F(SignalsTest, EndsADrainingServerTheSecondTime) {
  const auto server = StartServer("draining", {"--drain-ms", "3600000"});
  const auto client = ConnectTo(*server);
  const auto feed = Open(*client, Spec("mixup"));
  const auto stream = feed->Stream({});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_EQ(Take(**stream, 1).size(), 1u);
  server->Signal(SIGTERM);
  // A call that the draining server refuses is tried again until its deadline.
  const auto hasty = ConnectTo(*server, {.deadline_ms = 1000});
  EXPECT_TRUE(Eventually([&] {
    const auto same = hasty->OpenFeed(Spec("mixup"), "run");
    return same.ok() && absl::IsUnavailable((*same)->GetBatch(0, {}).status());
  }));
  EXPECT_TRUE(EndedBySigterm(server->End(SIGTERM)));
}

}  // namespace
}  // namespace mixfeed::testing
