#ifndef MIXFEED_CLIENT_CHANNEL_H_
#define MIXFEED_CLIENT_CHANNEL_H_

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cancellation.h"
#include "client/feed_client.h"

namespace grpc {
class ByteBuffer;
class Channel;
class Status;
}  // namespace grpc

namespace mixfeed {

// The same code and message; a message over the channel's limit becomes DataLoss, since trying
// again cannot help.
absl::Status FromGrpc(const grpc::Status& status);

struct CallOptions {
  std::chrono::steady_clock::time_point deadline;  // of the call, all its attempts together
  bool retry = true;                               // see retry.h; off for one attempt only
  Cancellation* cancellation = nullptr;            // may be null; ends the call with Cancelled
};

// What a channel is made for. Channels with equal limits to one server share a connection.
struct ChannelLimits {
  size_t max_message_bytes = 0;  // a larger one is refused
  // Bytes that one read of the socket may take; 0: gRPC's choice (8 KiB at first).
  int read_bytes = 0;
};

// A connection to one server: what all calls of the client go through. Thread safe.
class Channel {
 public:
  using ParseResponse = std::function<absl::Status(const grpc::ByteBuffer& response)>;

  // Does not wait for the connection. InvalidArgument: TLS files that cannot be read.
  static absl::StatusOr<std::shared_ptr<Channel>> Create(const ConnectOptions& options,
                                                         const ChannelLimits& limits);

  // Unavailable, with the address and the transport's own reason, when no server answers within
  // options().connect_deadline_ms.
  absl::Status WaitUntilConnected();

  // Calls `method` ("/package.Service/Method") and hands the answer to `parse`.
  absl::Status Call(const std::string& method, const google::protobuf::MessageLite& request,
                    const CallOptions& call, const ParseResponse& parse);
  absl::Status Call(const std::string& method, const google::protobuf::MessageLite& request,
                    const CallOptions& call, google::protobuf::MessageLite* response);

  const ConnectOptions& options() const { return options_; }
  // For a call that begins now, with the deadline of options() and `busy_ms` more.
  CallOptions BeginCall(int64_t busy_ms = 0) const;
  const std::shared_ptr<grpc::Channel>& grpc_channel() const { return channel_; }

 private:
  Channel(const ConnectOptions& options, std::shared_ptr<grpc::Channel> channel);

  absl::Status Attempt(const std::string& method, const grpc::ByteBuffer& request,
                       std::chrono::steady_clock::time_point deadline, Cancellation* cancellation,
                       grpc::ByteBuffer* response);

  const ConnectOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CHANNEL_H_
