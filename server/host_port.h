#ifndef MIXFEED_SERVER_HOST_PORT_H_
#define MIXFEED_SERVER_HOST_PORT_H_

#include <string>

#include "absl/status/statusor.h"

namespace mixfeed {

struct HostPort {
  std::string host;  // an IPv6 address in brackets
  int port = 0;      // 0: a free one
};

// Splits HOST:PORT or [HOST]:PORT, the value of `flag`. InvalidArgument names the flag, its value
// and what is allowed.
absl::StatusOr<HostPort> ParseHostPort(const char* flag, const std::string& value);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_HOST_PORT_H_
