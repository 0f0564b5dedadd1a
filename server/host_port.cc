#include "server/host_port.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {

absl::StatusOr<HostPort> ParseHostPort(const char* flag, const std::string& value) {
  constexpr int kMaxPort = 65535;
  HostPort result;
  const size_t colon = value.rfind(':');
  if (colon != value.npos) result.host = value.substr(0, colon);
  const bool bracketed = absl::StartsWith(result.host, "[") && absl::EndsWith(result.host, "]");
  const bool bare = !result.host.empty() && result.host.find(':') == value.npos;
  if ((bracketed || bare) && absl::SimpleAtoi(value.substr(colon + 1), &result.port) &&
      result.port >= 0 && result.port <= kMaxPort) {
    return result;
  }
  return absl::InvalidArgumentError(absl::StrCat(flag, " is \"", value,
                                                 "\"; allowed: HOST:PORT, [IPV6]:PORT, port 0 to ",
                                                 kMaxPort, " (0: a free one)"));
}

}  // namespace mixfeed
