#ifndef MIXFEED_CLIENT_CLI_PROGRAM_H_
#define MIXFEED_CLIENT_CLI_PROGRAM_H_

#include <chrono>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cancellation.h"
#include "client/cli/console.h"

namespace CLI {
class App;
}  // namespace CLI

// What `mixfeed` and `mixfeed-train` have in common as programs.
namespace mixfeed {

// Exit codes.
inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;          // one line on `err` says what, and what to do
inline constexpr int kExitUsage = 2;          // the command line was wrong
inline constexpr int kExitInterrupted = 130;  // Ctrl-C, SIGTERM or SIGHUP, as shells count it

struct CliOptions {
  // `err` is a terminal: long work shows a progress bar there.
  bool terminal = false;
  // Cancelled from another thread (the signals'): a command that can stop early does. May be null.
  Cancellation* interrupt = nullptr;
  // `out` is a terminal: what is watched is drawn over what was there.
  bool out_terminal = false;
  std::chrono::milliseconds patience = kPatience;  // tests wait for less
};

// A program as a function of its arguments (without its name); returns its exit code.
using Program = int (*)(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
                        const CliOptions& options);

// What main does: `program` with the process's streams, and SignalThread's signals as its
// interrupt. Where the reader of its output is gone, that is an error of the stream, not the
// process's end.
int RunMain(int argc, char** argv, Program program);

// Parses `args` with `app`, whose name is the program's, and then runs `body`, which returns the
// exit code. Help, version and wrong usage are answered here; exceptions, of a library or the
// standard library, are reported as errors.
int RunParsed(CLI::App* app, const std::vector<std::string>& args, std::ostream& out,
              std::ostream& err, const CliOptions& options,
              const std::function<int(Console* console)>& body);

// kExitOk; or kExitError, after a line with what is wrong on `err`.
int ReportStatus(const std::string& program, const absl::Status& status, std::ostream& err);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_PROGRAM_H_
