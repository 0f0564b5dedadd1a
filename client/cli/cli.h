#ifndef MIXFEED_CLIENT_CLI_CLI_H_
#define MIXFEED_CLIENT_CLI_CLI_H_

#include <ostream>
#include <string>
#include <vector>

#include "client/cancellation.h"

namespace mixfeed {

// Exit codes of `mixfeed`.
inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;          // one line on `err` says what, and what to do
inline constexpr int kExitUsage = 2;          // the command line was wrong
inline constexpr int kExitInterrupted = 130;  // Ctrl-C or SIGTERM, as shells count it

struct CliOptions {
  // `err` is a terminal: long work shows a progress bar there.
  bool terminal = false;
  // Cancelled from another thread (the signals'): a command that can stop early does. May be null.
  Cancellation* interrupt = nullptr;
};

// Runs `mixfeed ARGS...` (without the program's name) and returns its exit code. Never throws.
int RunCli(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
           const CliOptions& options = {});

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_CLI_H_
