#ifndef MIXFEED_SERVER_STORE_REDIS_WATCH_H_
#define MIXFEED_SERVER_STORE_REDIS_WATCH_H_

#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "server/store/redis_client.h"

namespace mixfeed {

// Looks after a client's server in a thread of its own: listens to kRedisChannel, and when the
// server is lost connects again, with pauses that double from 10 ms to half a second.
class RedisWatch {
 public:
  // `changed` is called on the watch's thread, one call at a time: once the server can be reached,
  // now and whenever it was lost (then the client is no longer away), and after messages, of which
  // several may share a call. What was said while the server was away is not heard, but `changed`
  // is called after it. `client` must outlive the watch. ResourceExhausted: no file to wake it
  // with.
  static absl::StatusOr<std::unique_ptr<RedisWatch>> Start(RedisClient* client,
                                                           std::function<void()> changed);
  // Waits for a call of `changed` that is under way.
  ~RedisWatch();
  RedisWatch(const RedisWatch&) = delete;
  RedisWatch& operator=(const RedisWatch&) = delete;

 private:
  RedisWatch(RedisClient* client, std::function<void()> changed, int wake, int stop);
  void Run();
  // Listens until the server is lost, or the client has found it so, or the watch ends.
  absl::Status Listen();
  absl::StatusOr<std::unique_ptr<RedisConnection>> Subscribe() const;
  bool WaitForStop(int timeout_ms);

  RedisClient* const client_;
  const std::function<void()> changed_;
  const int wake_;  // eventfd: the client has found the server away
  const int stop_;  // eventfd
  std::thread thread_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_STORE_REDIS_WATCH_H_
