#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tests/client/cli/cli_fixture.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using testing::Keys;
using ::testing::Not;
using testing::ordered_json;
using testing::TempDir;
using BenchTest = testing::CliTest;

TEST_F(BenchTest, BenchJsonHasWhatTheContractSays) {
  ASSERT_EQ(Run({"bench", "--seconds", "0.02", "--rounds", "2", "--json"}), kExitOk) << err_;
  const ordered_json result = Object();
  EXPECT_THAT(Keys(result),
              IsSupersetOf({"wire_limit_images_per_second", "fresh_images_per_second", "ratio",
                            "bare_forward_images_per_second", "guess_ratio"}));
  const double fresh = result["fresh_images_per_second"];
  EXPECT_GT(fresh, 0);
  EXPECT_DOUBLE_EQ(result["ratio"], fresh / result["wire_limit_images_per_second"].get<double>());
  EXPECT_EQ(result["bare_forward_images_per_second"], 1000);
  // Two of the fake's three rows are not labelled ones of its batch of 1.
  EXPECT_DOUBLE_EQ(result["guess_ratio"], fresh * 2 / 3 / 1000);
  EXPECT_EQ(server_.calls("MeasureForward"), 2);
  // In turn: ready-made, fresh, ready-made, fresh; rounds far apart.
  std::vector<bool> repeats;
  for (const v1::OpenStream& open : server_.streams()) repeats.push_back(open.repeat());
  EXPECT_THAT(repeats, ElementsAre(true, false, true, false));
  EXPECT_GT(server_.streams()[2].from_step(), 1'000'000u);
}

TEST_F(BenchTest, BenchOfARecipeThatDoesNotGuessMeasuresNoModel) {
  v1::OpenFeedResponse mixup = server_.feed();
  mixup.mutable_spec()->set_batch(mixup.rows());
  server_.SetFeed(mixup);
  ASSERT_EQ(Run({"bench", "--seconds", "0.02", "--rounds", "1"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("of the wire limit"), Not(HasSubstr("forward"))));
  EXPECT_EQ(server_.calls("MeasureForward"), 0);
}

TEST_F(BenchTest, BenchClosesTheFeedOfARunThatItBegan) {
  ASSERT_EQ(Run({"bench", "--seconds", "0.01", "--rounds", "1"}), kExitOk) << err_;
  EXPECT_EQ(server_.calls("CloseFeed"), 1);
  ASSERT_EQ(Run({"bench", "--seconds", "0.01", "--rounds", "1", "--run", "theirs"}), kExitOk);
  EXPECT_EQ(server_.calls("CloseFeed"), 1);
}

TEST_F(BenchTest, BenchRefusesFlagsOfAnOwnServerWithAGivenOne) {
  const std::vector<std::string> flags[] = {{"--data", "generated"},   {"--state-dir", "/s"},
                                            {"--threads", "2"},        {"--guess-threads", "2"},
                                            {"--device", "cpu"},       {"--guess-kind", "wrn-28-2"},
                                            {"--server-program", "/p"}};
  for (const std::vector<std::string>& flag : flags) {
    EXPECT_EQ(Run({"bench", flag[0], flag[1]}), kExitUsage);
    EXPECT_THAT(err_,
                AllOf(HasSubstr(flag[0]), HasSubstr("--server"), HasSubstr(server_.address())));
  }
  setenv("MIXFEED_SERVER", server_.address().c_str(), 1);
  EXPECT_EQ(RunAlone({"bench", "--threads", "2"}), kExitUsage);
  unsetenv("MIXFEED_SERVER");
  EXPECT_THAT(err_, AllOf(HasSubstr("--threads"), HasSubstr("MIXFEED_SERVER")));
  EXPECT_EQ(server_.calls("OpenFeed"), 0);
}

TEST_F(BenchTest, BenchStartsAndStopsAServerOfItsOwn) {
  const TempDir dir;
  setenv("XDG_CACHE_HOME", "/cache", 1);
  const std::string program = dir.File("server");
  std::ofstream(program) << "#!/bin/sh\necho \"$@\" >" << dir.File("args")
                         << "\necho mixfeed-server listening on " << server_.address()
                         << "\nread line\n";
  chmod(program.c_str(), S_IRWXU);
  ASSERT_EQ(RunAlone({"bench",    "--server-program", program, "--state-dir",
                      dir.path(), "--data",           "a=/b",  "--guess-kind",
                      "wrn-28-2", "--threads",        "3",     "--guess-threads",
                      "4",        "--device",         "cpu",   "--seconds",
                      "0.01",     "--rounds",         "1",     "--json"}),
            kExitOk)
      << err_;
  EXPECT_EQ(testing::ReadBytes(dir.File("args")),
            "--listen 127.0.0.1:0 --data a=/b --device cpu --threads 3 --guess-threads 4 "
            "--model bench=wrn-28-2 --state-dir " +
                dir.path() + " --cache-dir /cache/mixfeed\n");
  EXPECT_EQ(server_.calls("OpenFeed"), 1);
  unsetenv("XDG_CACHE_HOME");
}

TEST_F(BenchTest, BenchWithoutAServerProgramSaysWhatToGive) {
  EXPECT_EQ(RunAlone({"bench", "--server-program", "/none"}), kExitError);
  EXPECT_THAT(err_, AllOf(HasSubstr("/none"), HasSubstr("--server ADDRESS")));
}

}  // namespace
}  // namespace mixfeed
