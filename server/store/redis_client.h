#ifndef MIXFEED_SERVER_STORE_REDIS_CLIENT_H_
#define MIXFEED_SERVER_STORE_REDIS_CLIENT_H_

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "server/store/redis_connection.h"

namespace mixfeed {

// What the keys of this format begin with. Another format has another number and leaves these
// alone.
inline constexpr char kRedisPrefix[] = "mixfeed:1:";
// The channel on which a server tells the others that a model has changed.
inline constexpr char kRedisChannel[] = "mixfeed:1:changed";

// Calls to one Redis server, over a few connections that are opened when needed. Thread safe;
// blocking, for no longer than the timeouts of its options, but for waiting for a free connection.
//
// After a call that found the server lost, it counts as away until a call succeeds, or, while a
// RedisWatch looks after it, until that has found it again: calls then fail at once.
class RedisClient {
 public:
  // Tries a connection. Errors as RedisConnection's.
  static absl::StatusOr<std::unique_ptr<RedisClient>> Connect(const RedisOptions& options);

  // May send the command twice when a connection breaks: for commands that may be repeated. Errors
  // as RedisConnection's.
  absl::StatusOr<RedisReply> Call(RedisCommand command);
  absl::StatusOr<RedisReply> Call(std::initializer_list<std::string_view> command) {
    return Call(RedisCommand(command.begin(), command.size()));
  }

  // Why the server counts as away, or OK.
  absl::Status Outage() const;
  bool IsAway() const { return !Outage().ok(); }

  const RedisOptions& options() const { return options_; }
  std::string name() const { return options_.address.Name(); }

 private:
  friend class RedisWatch;

  explicit RedisClient(const RedisOptions& options) : options_(options) {}

  struct Taken {
    std::unique_ptr<RedisConnection> connection;
    bool used_before = false;
  };
  // A free connection, or a new one.
  absl::StatusOr<Taken> Take();
  void Return(std::unique_ptr<RedisConnection> connection);
  absl::StatusOr<RedisReply> CallOnce(RedisCommand command, bool* retry);

  // For the watch. `lost` is called, under a lock, when the server is found away and was not
  // before; null: there is no watch.
  void SetWatch(std::function<void()> lost);
  void NoteAway(const absl::Status& failure);
  void NoteBack();

  const RedisOptions options_;
  mutable Mutex mu_;
  CondVar returned_;
  std::vector<std::unique_ptr<RedisConnection>> idle_ ABSL_GUARDED_BY(mu_);
  int in_use_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status away_ ABSL_GUARDED_BY(mu_);  // why, or OK
  std::function<void()> lost_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_STORE_REDIS_CLIENT_H_
