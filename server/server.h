#ifndef MIXFEED_SERVER_SERVER_H_
#define MIXFEED_SERVER_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/options.h"

namespace mixfeed {

// A running mixfeed server: the services of mixfeed.v1, grpc.health.v1 and reflection on one port.
// Thread safe.
class Server {
 public:
  // Returns once calls are answered. Errors say which option is wrong and what would do: a flag
  // that ValidateOptions refuses, an address that is taken, unreadable TLS files, a device that
  // does not work, datasets none of which can be read.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);

  // Shuts down without draining.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The port that was bound, and the host of options.listen with it: HOST:PORT.
  int port() const;
  std::string address() const;
  // Of options.metrics; 0: none.
  int metrics_port() const;

  // Reports NOT_SERVING, refuses new streams and batches, lets them and all other calls (a model's
  // trial too) go on until `drain_ms` have passed or none are left, then ends streams and batches
  // with Unavailable, cancels what else is left, and stops. Idempotent.
  void Shutdown(int64_t drain_ms);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_SERVER_H_
