#include "server/rpc/grpc_status.h"

#include <grpcpp/support/status.h>

#include <string>

namespace mixfeed {
namespace {

// Messages travel in the trailers, of which gRPC takes 8 KiB and refuses the whole call beyond it;
// escaped, a byte takes up to three.
constexpr size_t kMaxMessageBytes = 2048;

}  // namespace

static_assert(static_cast<int>(absl::StatusCode::kCancelled) == grpc::StatusCode::CANCELLED);
static_assert(static_cast<int>(absl::StatusCode::kUnauthenticated) ==
              grpc::StatusCode::UNAUTHENTICATED);

grpc::Status ToGrpc(const absl::Status& status) {
  std::string message(status.message());
  if (message.size() > kMaxMessageBytes) {
    message.resize(kMaxMessageBytes);
    message += "... (cut)";
  }
  return {static_cast<grpc::StatusCode>(status.code()), message};
}

}  // namespace mixfeed
