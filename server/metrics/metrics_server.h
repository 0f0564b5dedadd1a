#ifndef MIXFEED_SERVER_METRICS_METRICS_SERVER_H_
#define MIXFEED_SERVER_METRICS_METRICS_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace prometheus {
struct MetricFamily;
}  // namespace prometheus

namespace mixfeed {

// Answers GET /metrics over HTTP in Prometheus' text format.
class MetricsServer {
 public:
  using Collect = std::function<std::vector<prometheus::MetricFamily>()>;

  // Listens on `address`, HOST:PORT as ServerOptions::metrics is; `collect` is called for every
  // request, by threads of the server's, until it is gone. FailedPrecondition when the address
  // cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address,
                                                              Collect collect);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  int port() const;

 private:
  struct Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_METRICS_METRICS_SERVER_H_
