#ifndef MIXFEED_SERVER_CORE_NAMES_H_
#define MIXFEED_SERVER_CORE_NAMES_H_

#include <string>

#include "absl/status/status.h"

namespace mixfeed {

// Names of runs and models: 1 to 128 characters of [A-Za-z0-9._-]. InvalidArgument names `field`.
absl::Status CheckName(const std::string& field, const std::string& name);

// 16 hex digits of 64 random bits from the operating system.
std::string RandomName();

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_NAMES_H_
