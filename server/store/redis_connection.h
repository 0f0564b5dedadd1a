#ifndef MIXFEED_SERVER_STORE_REDIS_CONNECTION_H_
#define MIXFEED_SERVER_STORE_REDIS_CONNECTION_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/redis_address.h"

struct redisContext;

namespace mixfeed {

struct RedisOptions {
  RedisAddress address;
  int connect_timeout_ms = 1'000;
  int command_timeout_ms = 5'000;  // without a byte of the answer
  // Connections of a RedisClient at once; a further call waits for one of them.
  int max_connections = 8;
};

struct RedisReply {
  enum class Kind : uint8_t { kNil, kInteger, kText, kArray };
  Kind kind = Kind::kNil;
  int64_t integer = 0;
  std::string text;
  std::vector<RedisReply> elements;
};

// The parts of a command, each of any bytes.
using RedisCommand = std::span<const std::string_view>;

// One connection to a Redis server. Not thread safe. Its errors begin with the server's name
// (RedisAddress::Name). From the first of them on the process ignores SIGPIPE.
class RedisConnection {
 public:
  // Connects, and says who we are. Errors as Call's; Unavailable: nobody answers there.
  static absl::StatusOr<std::unique_ptr<RedisConnection>> Open(const RedisOptions& options);
  ~RedisConnection();

  // Errors: Unavailable where the server is lost, starts up or takes no writes for now;
  // PermissionDenied for a wrong password or too few rights; ResourceExhausted where its memory is
  // full; DataLoss for a key of another type; Internal for other refusals.
  absl::StatusOr<RedisReply> Call(RedisCommand command);
  absl::StatusOr<RedisReply> Call(std::initializer_list<std::string_view> command) {
    return Call(RedisCommand(command.begin(), command.size()));
  }

  // Of a connection that has subscribed to a channel: `file` can be read when something has come,
  // and TakeMessages, which then does not block for long, returns how many messages it was.
  int file() const;
  absl::StatusOr<int> TakeMessages();

  // Of no more use: the server was lost.
  bool broken() const;
  // Broken because the server did not answer in time.
  bool timed_out() const { return timed_out_; }

 private:
  struct Free {
    void operator()(redisContext* context) const;
  };

  RedisConnection(const RedisOptions& options, redisContext* context)
      : options_(options), context_(context) {}
  absl::Status Introduce();
  absl::Status Lost();

  const RedisOptions options_;
  const std::unique_ptr<redisContext, Free> context_;
  bool timed_out_ = false;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_STORE_REDIS_CONNECTION_H_
