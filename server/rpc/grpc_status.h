#ifndef MIXFEED_SERVER_RPC_GRPC_STATUS_H_
#define MIXFEED_SERVER_RPC_GRPC_STATUS_H_

#include "absl/status/status.h"

namespace grpc {
class Status;
}

namespace mixfeed {

// The same code and message; the two libraries number their codes alike. Messages may repeat what a
// client sent: a long one is cut, so that it does not hide the code.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_GRPC_STATUS_H_
