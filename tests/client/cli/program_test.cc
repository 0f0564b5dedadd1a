#include "client/cli/program.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

namespace mixfeed {
namespace {

using ::testing::ExitedWithCode;
using Args = std::vector<std::string>;

// In child processes that begin anew: others would lack the threads that libraries have started.
class RunMainTest : public ::testing::Test {
 protected:
  RunMainTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

// Of a child process.
[[noreturn]] void ExitWith(Program program) {
  char name[] = "program";
  char* argv[] = {name, nullptr};
  _exit(RunMain(1, argv, program));
}

TEST_F(RunMainTest, OutputWhoseReaderIsGoneIsAnError) {
  const auto print = [](const Args&, std::ostream& out, std::ostream& err, const CliOptions&) {
    out << "a line\n";
    return ReportStatus("program", CheckOutput(out), err);
  };
  EXPECT_EXIT(
      {
        int ends[2];
        if (pipe(ends) != 0 || dup2(ends[1], STDOUT_FILENO) < 0) _exit(kExitUsage);
        close(ends[0]);
        ExitWith(print);
      },
      ExitedWithCode(kExitError), "program: the standard output cannot be written");
}

// The kernel and the shell both tell of it, and what was interrupted has time to save all the same.
TEST_F(RunMainTest, TheEndOfTheTerminalInterrupts) {
  const auto wait = [](const Args&, std::ostream&, std::ostream&, const CliOptions& options) {
    const Cancellation::Scope scope(options.interrupt, [] {});
    for (int i = 0; i < 2; ++i) raise(SIGHUP);
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
    return options.interrupt->WaitUntil(end) ? kExitOk : kExitError;
  };
  EXPECT_EXIT(ExitWith(wait), ExitedWithCode(kExitOk), "");
}

TEST_F(RunMainTest, UnderNohupTheEndOfTheTerminalIsIgnored) {
  const auto look = [](const Args&, std::ostream&, std::ostream&, const CliOptions&) {
    struct sigaction action = {};
    sigaction(SIGHUP, nullptr, &action);
    return action.sa_handler == SIG_IGN ? kExitOk : kExitError;
  };
  EXPECT_EXIT(
      {
        signal(SIGHUP, SIG_IGN);
        ExitWith(look);
      },
      ExitedWithCode(kExitOk), "");
}

}  // namespace
}  // namespace mixfeed
