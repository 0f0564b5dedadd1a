#ifndef MIXFEED_CLIENT_CLI_CLI_H_
#define MIXFEED_CLIENT_CLI_CLI_H_

#include <ostream>
#include <string>
#include <vector>

#include "client/cli/program.h"

namespace mixfeed {

// Runs `mixfeed ARGS...` (without the program's name) and returns its exit code. Never throws.
int RunCli(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
           const CliOptions& options = {});

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_CLI_H_
