#include "client/cli/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <ios>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/client/cli/cli_fixture.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using testing::CliTest;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using testing::TempDir;

TEST_F(CliTest, HelpTeachesWithExamples) {
  EXPECT_EQ(RunAlone({"--help"}), kExitOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("pull"), HasSubstr("mixfeed-server --data generated")));
  for (const std::vector<std::string>& command : {std::vector<std::string>{"info"},
                                                  {"open"},
                                                  {"pull"},
                                                  {"peek"},
                                                  {"explain"},
                                                  {"split"},
                                                  {"bench"},
                                                  {"model", "register"},
                                                  {"model", "list"}}) {
    std::vector<std::string> args = command;
    args.push_back("--help");
    EXPECT_EQ(RunAlone(args), kExitOk);
    EXPECT_THAT(out_, AllOf(HasSubstr("Examples:\n  mixfeed " + command[0]), HasSubstr("--server"),
                            HasSubstr("--json")));
    EXPECT_THAT(err_, IsEmpty());
  }
}

TEST_F(CliTest, HelpSaysWhatTheExitCodesMean) {
  EXPECT_EQ(RunAlone({"--help"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("0 fine, 1 error, 2 wrong usage, 130 interrupted"));
}

TEST_F(CliTest, SaysItsVersion) {
  EXPECT_EQ(RunAlone({"--version"}), kExitOk);
  EXPECT_THAT(out_, ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(CliTest, WrongUsageIsOneLineAndExitCode2) {
  for (const std::vector<std::string>& args : {std::vector<std::string>{},
                                               {"dance"},
                                               {"pull", "--batch", "x"},
                                               {"pull", "--nothing"},
                                               {"model"},
                                               {"model", "register"},
                                               {"pull", "--sharing", "none"},
                                               {"pull", "--world", "0"},
                                               {"info", "--wait", "0"},
                                               {"info", "--wait", "1e300"},
                                               {"bench", "--seconds", "0.009"},
                                               {"bench", "--seconds", "61"}}) {
    EXPECT_EQ(RunAlone(args), kExitUsage);
    EXPECT_THAT(err_, StartsWith("mixfeed: "));
    EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
    EXPECT_THAT(out_, IsEmpty());
  }
}

TEST_F(CliTest, WrongUsagePointsToTheHelpOfItsCommand) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{}, "; see mixfeed --help\n"},
      {{"dance"}, "; see mixfeed --help\n"},
      {{"pull", "--nothing"}, "; see mixfeed pull --help\n"},
      {{"pull", "--batch", "x"}, "; see mixfeed pull --help\n"},
      {{"model", "register"}, "; see mixfeed model register --help\n"},
  };
  for (const auto& [args, end] : cases) {
    RunAlone(args);
    EXPECT_THAT(err_, ::testing::EndsWith(end));
  }
}

// Command lines that print something, one a command.
const std::vector<std::string> kCommandLines[] = {
    {"info"},
    {"open"},
    {"pull", "--steps", "1"},
    {"peek", "--out", "/dev/null"},
    {"explain"},
    {"split"},
    {"bench", "--seconds", "0.01", "--rounds", "1"},
    {"model", "register", "small", "--kind", "resnet-small"},
    {"model", "list"}};

TEST_F(CliTest, OutputThatCannotBeWrittenIsAnError) {
  for (std::vector<std::string> args : kCommandLines) {
    args.insert(args.end(), {"--server", server_.address()});
    for (const bool json : {false, true}) {
      if (json) args.push_back("--json");
      std::ofstream out("/dev/full");
      std::ostringstream err;
      EXPECT_EQ(RunCli(args, out, err), kExitError) << args[0];
      EXPECT_THAT(err.str(), HasSubstr("mixfeed: the standard output cannot be written"));
    }
  }
  std::ofstream out("/dev/full");
  std::ostringstream err;
  EXPECT_EQ(RunCli({"--help"}, out, err), kExitError);
}

TEST_F(CliTest, ExceptionsAreReported) {
  std::ofstream out("/dev/full");
  out.exceptions(std::ios::badbit);
  std::ostringstream err;
  EXPECT_EQ(RunCli({"info", "--server", server_.address()}, out, err), kExitError);
  EXPECT_THAT(err.str(), AllOf(StartsWith("mixfeed: "), ::testing::EndsWith("\n")));
}

TEST_F(CliTest, ANameThatIsNotUtf8IsPrintedAllTheSame) {
  const TempDir dir;
  ASSERT_EQ(Run({"peek", "--out", dir.File("\xff.png"), "--json"}), kExitOk) << err_;
  EXPECT_EQ(Object()["file"], dir.File("\uFFFD.png"));
}

TEST_F(CliTest, CommandsOfAFeedTakeTheSameFlags) {
  for (std::vector<std::string> args : kCommandLines) {
    if (args[0] == "info" || args[0] == "model") continue;
    args.insert(args.end(), {"--recipe", "mixup", "--format", "uint8", "--layout", "nhwc",
                             "--normalise", "raw", "--run", "a", "--seed", "1"});
    EXPECT_EQ(Run(args), kExitOk) << err_;
  }
}

TEST_F(CliTest, HelpSaysWhereThePixelFlagsChangeNothing) {
  for (const char* command : {"open", "explain", "peek", "split", "pull", "bench"}) {
    ASSERT_EQ(RunAlone({command, "--help"}), kExitOk);
    const bool unused = out_.find("they change nothing here") != std::string::npos;
    EXPECT_EQ(unused, command != std::string("pull") && command != std::string("bench")) << command;
  }
}

TEST_F(CliTest, AnErrorIsOneLineAndExitCode1) {
  server_.Fail("OpenFeed", absl::InvalidArgumentError("views: 9 given,\n1..8 allowed"), 1);
  EXPECT_EQ(Run({"open", "--views", "9"}), kExitError);
  EXPECT_EQ(err_, "mixfeed: views: 9 given, 1..8 allowed\n");
  server_.Fail("GetServerInfo", absl::UnimplementedError(""), 1);
  EXPECT_EQ(Run({"info"}), kExitError);
  EXPECT_EQ(err_, "mixfeed: UNIMPLEMENTED\n");
}

TEST_F(CliTest, AServerThatIsNotThereIsNamed) {
  server_.Stop();
  EXPECT_EQ(RunAlone({"info", "--server", server_.address(), "--wait", "0.1"}), kExitError);
  EXPECT_THAT(err_, AllOf(StartsWith("mixfeed: no mixfeed server answered at"),
                          HasSubstr(server_.address())));
}

TEST_F(CliTest, TheServersAddressComesFromTheEnvironmentToo) {
  setenv("MIXFEED_SERVER", server_.address().c_str(), 1);
  EXPECT_EQ(RunAlone({"info"}), kExitOk) << err_;
  unsetenv("MIXFEED_SERVER");
}

}  // namespace
}  // namespace mixfeed
