#ifndef MIXFEED_SERVER_STORE_REDIS_ADDRESS_H_
#define MIXFEED_SERVER_STORE_REDIS_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"

namespace mixfeed {

// Where a Redis server is, and as whom to speak to it.
struct RedisAddress {
  std::string host;  // a name, or an address without brackets
  int port = 0;
  std::string user;      // empty: the default user
  std::string password;  // empty: none
  int database = 0;

  // "redis HOST:PORT", as errors and the log name it: without the password.
  std::string Name() const;
};

// Reads redis://[[USER]:PASSWORD@]HOST:PORT[/DB]; an IPv6 host stands in brackets, and %XX is a
// byte of the user or the password. InvalidArgument says what is allowed, and shows no password.
absl::StatusOr<RedisAddress> ParseRedisUrl(const std::string& url);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_STORE_REDIS_ADDRESS_H_
