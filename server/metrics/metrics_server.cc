#include "server/metrics/metrics_server.h"

#include <httplib.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "augment/base/status_macros.h"
#include "server/host_port.h"

namespace mixfeed {
namespace {

constexpr size_t kThreads = 2;

// What listens, without SO_REUSEPORT: a port that another server has is an error, not shared.
void AllowOnlyFreePorts(socket_t socket) {
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

}  // namespace

struct MetricsServer::Impl {
  httplib::Server http;
  int port = -1;
  std::thread listening;

  absl::Status Listen(const std::string& address, Collect collect);
  void Stop();
};

absl::Status MetricsServer::Impl::Listen(const std::string& address, Collect collect) {
  MIXFEED_ASSIGN_OR_RETURN(const HostPort at, ParseHostPort("--metrics", address));
  http.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  http.set_socket_options(AllowOnlyFreePorts);
  http.set_keep_alive_max_count(1);  // two idle connections would hold both threads
  http.Get("/metrics",
           [collect = std::move(collect)](const httplib::Request&, httplib::Response& response) {
             response.set_content(prometheus::TextSerializer().Serialize(collect()),
                                  "text/plain; version=0.0.4; charset=utf-8");
           });
  const std::string host(absl::StripSuffix(absl::StripPrefix(at.host, "["), "]"));
  if (at.port == 0) {
    port = http.bind_to_any_port(host);
  } else if (http.bind_to_port(host, at.port)) {
    port = at.port;
  }
  if (port < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("--metrics ", address,
                     ": cannot be bound: the port is taken, or the host is not this machine's"));
  }
  listening = std::thread([this] { http.listen_after_bind(); });
  while (!http.is_running()) std::this_thread::yield();  // stop() does nothing before
  return absl::OkStatus();
}

void MetricsServer::Impl::Stop() {
  http.stop();
  if (listening.joinable()) listening.join();
}

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address,
                                                                    Collect collect) {
  auto impl = std::make_unique<Impl>();
  MIXFEED_RETURN_IF_ERROR(impl->Listen(address, std::move(collect)));
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(impl)));
}

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

MetricsServer::~MetricsServer() { impl_->Stop(); }

int MetricsServer::port() const { return impl_->port; }

}  // namespace mixfeed
