#include "client/channel.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <limits>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "client/retry.h"

namespace mixfeed {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A lost server is tried again soon and often: a trainer waits for it.
constexpr int kFirstReconnectMs = 100;
constexpr int kLongestReconnectMs = 1000;
// How long one attempt to connect may take, for a host that does not answer at all. gRPC names the
// argument for its other effect.
constexpr int kConnectTimeoutMs = 5000;
// Tells a dead peer (pulled cable, frozen machine) from a slow one. The server allows pings this
// often; gRPC's default allows one in 5 minutes.
constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 20'000;

// How long the reason of a failed connection is asked for.
constexpr milliseconds kProbeTime(200);

constexpr char kTooLargeMark[] = "larger than max";  // gRPC's words, surface/message_size filter

grpc::ChannelArguments MakeArguments(const ChannelLimits& limits) {
  constexpr size_t kLargest = std::numeric_limits<int>::max();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(
      static_cast<int>(std::min(limits.max_message_bytes, kLargest)));
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  if (limits.read_bytes > 0) {
    for (const char* argument : {GRPC_ARG_TCP_READ_CHUNK_SIZE, GRPC_ARG_TCP_MIN_READ_CHUNK_SIZE,
                                 GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE}) {
      arguments.SetInt(argument, limits.read_bytes);
    }
  }
  return arguments;
}

absl::StatusOr<std::string> ReadPem(const char* field, const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": cannot read a PEM file at '", path, "'"));
  }
  return text.str();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(const TlsFiles& tls) {
  const bool none = tls.ca.empty() && tls.cert.empty() && tls.key.empty();
  if (none && !tls.use_tls) return grpc::InsecureChannelCredentials();
  if (tls.cert.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tls.cert '", tls.cert, "' and tls.key '", tls.key,
                     "': give both, or neither when the server asks for no client certificate"));
  }
  grpc::SslCredentialsOptions pem;
  MIXFEED_ASSIGN_OR_RETURN(pem.pem_root_certs, ReadPem("tls.ca", tls.ca));
  MIXFEED_ASSIGN_OR_RETURN(pem.pem_cert_chain, ReadPem("tls.cert", tls.cert));
  MIXFEED_ASSIGN_OR_RETURN(pem.pem_private_key, ReadPem("tls.key", tls.key));
  return grpc::SslCredentials(pem);
}

// gRPC's deadlines are of the system's clock; ours do not jump with it.
std::chrono::system_clock::time_point OnSystemClock(Clock::time_point deadline) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline - Clock::now());
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  auto code = static_cast<absl::StatusCode>(status.error_code());
  if (code == absl::StatusCode::kResourceExhausted &&
      absl::StrContains(status.error_message(), kTooLargeMark)) {
    code = absl::StatusCode::kDataLoss;
  }
  return absl::Status(code, status.error_message());
}

Channel::Channel(const ConnectOptions& options, std::shared_ptr<grpc::Channel> channel)
    : options_(options), channel_(std::move(channel)) {}

absl::StatusOr<std::shared_ptr<Channel>> Channel::Create(const ConnectOptions& options,
                                                         const ChannelLimits& limits) {
  MIXFEED_ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(options.tls));
  return std::shared_ptr<Channel>(new Channel(
      options, grpc::CreateCustomChannel(options.server, credentials, MakeArguments(limits))));
}

CallOptions Channel::BeginCall(int64_t busy_ms) const {
  CallOptions call;
  call.deadline = Clock::now() + milliseconds(options_.deadline_ms + busy_ms);
  return call;
}

absl::Status Channel::WaitUntilConnected() {
  const Clock::time_point deadline = Clock::now() + milliseconds(options_.connect_deadline_ms);
  if (channel_->WaitForConnected(OnSystemClock(deadline))) return absl::OkStatus();
  // The channel does not tell why it is not connected; a call on it does.
  const grpc::Slice nothing;
  grpc::ByteBuffer answer;
  const absl::Status reason = Attempt("/grpc.health.v1.Health/Check", grpc::ByteBuffer(&nothing, 1),
                                      Clock::now() + kProbeTime, /*cancellation=*/nullptr, &answer);
  return absl::UnavailableError(absl::StrCat("no mixfeed server answered at ", options_.server,
                                             " within ", options_.connect_deadline_ms,
                                             " ms: ", std::string(reason.message())));
}

absl::Status Channel::Attempt(const std::string& method, const grpc::ByteBuffer& request,
                              Clock::time_point deadline, Cancellation* cancellation,
                              grpc::ByteBuffer* response) {
  grpc::ClientContext context;
  context.set_deadline(OnSystemClock(deadline));
  // Shared with the callback, which may still be inside set_value when get() has returned.
  const auto done = std::make_shared<std::promise<grpc::Status>>();
  grpc::GenericStub(channel_).UnaryCall(
      &context, method, grpc::StubOptions(), &request, response,
      [done](grpc::Status status) { done->set_value(std::move(status)); });
  std::optional<Cancellation::Scope> scope;
  if (cancellation != nullptr) scope.emplace(cancellation, [&context] { context.TryCancel(); });
  return FromGrpc(done->get_future().get());
}

absl::Status Channel::Call(const std::string& method, const google::protobuf::MessageLite& request,
                           const CallOptions& call, const ParseResponse& parse) {
  grpc::ByteBuffer encoded;
  bool own_buffer = false;
  MIXFEED_RETURN_IF_ERROR(
      FromGrpc(grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::MessageLite>(
          request, &encoded, &own_buffer)));
  const auto attempt = [&] {
    grpc::ByteBuffer response;
    MIXFEED_RETURN_IF_ERROR(Attempt(method, encoded, call.deadline, call.cancellation, &response));
    return parse(response);
  };
  if (!call.retry) return attempt();
  const auto left = std::chrono::duration_cast<milliseconds>(call.deadline - Clock::now());
  return Retry({CallKind::kUnary, left.count(), call.cancellation}, attempt);
}

absl::Status Channel::Call(const std::string& method, const google::protobuf::MessageLite& request,
                           const CallOptions& call, google::protobuf::MessageLite* response) {
  return Call(method, request, call, [&](const grpc::ByteBuffer& answer) {
    grpc::ByteBuffer copy = answer;
    grpc::ProtoBufferReader reader(&copy);
    if (response->ParseFromZeroCopyStream(&reader)) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat(method, ": the answer is not a ", response->GetTypeName()));
  });
}

}  // namespace mixfeed
