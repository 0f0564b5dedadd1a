#ifndef MIXFEED_SERVER_RPC_CALL_REF_H_
#define MIXFEED_SERVER_RPC_CALL_REF_H_

#include <memory>

#include "absl/status/status.h"

struct grpc_call;
namespace grpc {
class CallbackServerContext;
}

namespace mixfeed {

// Keeps gRPC's side of a call alive, so that it can be ended when the context may be gone already.
// To be made while the context lives. Copies share the call. Thread safe.
class CallRef {
 public:
  explicit CallRef(grpc::CallbackServerContext* context);

  // Ends the call, whatever is under way: unlike Finish, this does not wait for a client that takes
  // no more data. Does nothing to a call that has finished.
  void End(const absl::Status& status) const;

 private:
  const std::shared_ptr<grpc_call> call_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_CALL_REF_H_
