#ifndef MIXFEED_CLIENT_TRAIN_TRAIN_PROGRAM_H_
#define MIXFEED_CLIENT_TRAIN_TRAIN_PROGRAM_H_

#include <ostream>
#include <string>
#include <vector>

#include "client/cli/program.h"

namespace mixfeed {

// Runs `mixfeed-train ARGS...` (without the program's name) and returns its exit code, as `mixfeed`
// has them (program.h). Never throws.
int RunTrain(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
             const CliOptions& options = {});

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_TRAIN_PROGRAM_H_
