#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/service_type.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "grpc/health/v1/health.pb.h"
#include "server/core/core.h"
#include "server/core/guess_report.h"
#include "server/metrics/metric_families.h"
#include "server/metrics/metrics_server.h"
#include "server/rpc/credentials.h"
#include "server/rpc/services.h"
#include "server/rpc/wire_frame.h"

namespace mixfeed {
namespace {

// Threads of the pools for calls (services.h), and how many calls may wait for each.
constexpr int kLookupThreads = 2;
constexpr int kBuildThreads = 2;
constexpr int kPushThreads = 1;          // the registry takes one at a time
constexpr int kRegistrationThreads = 1;  // the registry takes one at a time
constexpr int kMeasurementThreads = 1;
constexpr size_t kMaxWaitingCalls = 256;
constexpr size_t kMaxWaitingMeasurements = 4;

// Whose health can be asked for by name, besides that of the whole server.
constexpr const char* kServices[] = {"mixfeed.v1.FeedService", "mixfeed.v1.ModelService",
                                     "mixfeed.v1.InspectService"};

// Requests are small: the largest are a chunk of 1 MiB and a spec with index lists.
constexpr int kMaxRequestBytes = 8 << 20;

// Clients may ping as often as this, so that a long stream without data does not end with
// too_many_pings; dead ones are noticed after the two below together.
constexpr int kMinPingIntervalMs = 5'000;
constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 20'000;

// For the status of streams that the engine has ended to reach their clients.
constexpr std::chrono::milliseconds kFinishGrace(500);

std::string HostOf(const std::string& listen) { return listen.substr(0, listen.rfind(':')); }

void SetChannelArguments(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder->SetMaxSendMessageSize(-1);  // batches are checked against 2 GiB when asked for
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              kMinPingIntervalMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  // A port that another server has is an error, not shared with it.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace

// Members are destroyed in reverse: the transport before what its services call.
struct Server::Impl {
  std::string host;
  int port = 0;
  std::unique_ptr<Core> core;
  std::unique_ptr<FeedCalls> feed_calls;
  std::unique_ptr<ModelCalls> model_calls;
  std::unique_ptr<InspectCalls> inspect_calls;
  TaskPool lookups{kLookupThreads, kMaxWaitingCalls};
  TaskPool builds{kBuildThreads, kMaxWaitingCalls};
  TaskPool pushes{kPushThreads, kMaxWaitingCalls};
  TaskPool registrations{kRegistrationThreads, kMaxWaitingCalls};
  TaskPool measurements{kMeasurementThreads, kMaxWaitingMeasurements};
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<grpc::Server> transport;
  std::unique_ptr<MetricsServer> metrics;  // null without --metrics

  absl::Status Start(const ServerOptions& options);
  absl::Status Listen(const ServerOptions& options);
  absl::Status ServeMetrics(const ServerOptions& options);
  void MakeServices(const ServerOptions& options);
};

absl::Status Server::Impl::Start(const ServerOptions& options) {
  MIXFEED_RETURN_IF_ERROR(ValidateOptions(options));
  MIXFEED_ASSIGN_OR_RETURN(core, Core::Start(options, MakeWireEncoder()));
  MakeServices(options);
  MIXFEED_RETURN_IF_ERROR(ServeMetrics(options));
  return Listen(options);
}

void Server::Impl::MakeServices(const ServerOptions& options) {
  feed_calls = std::make_unique<FeedCalls>(core.get());
  model_calls =
      std::make_unique<ModelCalls>(options, core->datasets(), core->models(), core->feeds());
  inspect_calls = std::make_unique<InspectCalls>(core.get());
  const CallPools pools{.lookups = &lookups,
                        .builds = &builds,
                        .pushes = &pushes,
                        .registrations = &registrations,
                        .measurements = &measurements};
  services.push_back(
      MakeFeedService(feed_calls.get(), core->engine(), options.idle_limit_ms, pools));
  services.push_back(MakeModelService(model_calls.get(), options.idle_limit_ms, pools));
  services.push_back(MakeInspectService(inspect_calls.get(), pools));
}

absl::Status Server::Impl::ServeMetrics(const ServerOptions& options) {
  if (options.metrics.empty()) return absl::OkStatus();
  const auto collect = [this] {
    std::vector<v1::GetGuessStatsResponse> guesses;
    for (const auto& feed : core->feeds()->List()) {
      if (feed->guess_stats) guesses.push_back(ReportGuesses(*feed));
    }
    return MakeMetricFamilies(inspect_calls->GetServerInfo(), guesses);
  };
  MIXFEED_ASSIGN_OR_RETURN(metrics, MetricsServer::Start(options.metrics, collect));
  spdlog::info("metrics on port {}", metrics->port());
  return absl::OkStatus();
}

absl::Status Server::Impl::Listen(const ServerOptions& options) {
  MIXFEED_ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(options));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::health::v1::HealthCheckRequest::descriptor();  // links it, so that reflection describes it
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetChannelArguments(&builder);
  builder.AddListeningPort(options.listen, credentials, &port);
  for (const auto& service : services) builder.RegisterService(service.get());
  transport = builder.BuildAndStart();
  host = HostOf(options.listen);
  if (transport && port != 0) {
    for (const char* name : kServices) {
      transport->GetHealthCheckService()->SetServingStatus(name, true);
    }
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("--listen ", options.listen,
                   ": cannot be bound: the port is taken, the host is not this machine's, or the "
                   "TLS files do not fit together"));
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  auto impl = std::make_unique<Impl>();
  MIXFEED_RETURN_IF_ERROR(impl->Start(options));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { Shutdown(0); }

int Server::port() const { return impl_->port; }

int Server::metrics_port() const { return impl_->metrics ? impl_->metrics->port() : 0; }

std::string Server::address() const { return absl::StrCat(impl_->host, ":", impl_->port); }

void Server::Shutdown(int64_t drain_ms) {
  const auto drained = std::chrono::system_clock::now() + std::chrono::milliseconds(drain_ms);
  impl_->transport->GetHealthCheckService()->SetServingStatus(false);
  impl_->core->engine()->Shutdown(drain_ms);
  // Refuses new calls, and cancels those that are left at the deadline; returns when none are left.
  impl_->transport->Shutdown(std::max(drained, std::chrono::system_clock::now() + kFinishGrace));
}

}  // namespace mixfeed
