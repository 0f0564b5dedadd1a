#ifndef MIXFEED_CLIENT_CLI_FILES_H_
#define MIXFEED_CLIENT_CLI_FILES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed {

// Whole files that a flag names. InvalidArgument names the flag and the path.
absl::StatusOr<std::string> ReadFile(const std::string& flag, const std::string& path);
absl::Status WriteFile(const std::string& flag, const std::string& path, const std::string& bytes);

// Whether a file that is written later can be, as far as that is known now: it is there and may be
// written, or its folder is and may. InvalidArgument names the flag, the path and the reason.
absl::Status CheckWritable(const std::string& flag, const std::string& path);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CLI_FILES_H_
