#include "server/rpc/answer.h"

#include <grpcpp/grpcpp.h>

#include "server/rpc/grpc_status.h"

namespace mixfeed {

grpc::ServerUnaryReactor* AnswerNow(grpc::CallbackServerContext* context,
                                    const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerUnaryReactor* AnswerLater(grpc::CallbackServerContext* context, TaskPool* pool,
                                      std::function<absl::Status()> call) {
  // Context, request and response live until Finish.
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::Status queued = pool->Run([context, reactor, call = std::move(call)] {
    reactor->Finish(context->IsCancelled() ? grpc::Status::CANCELLED : ToGrpc(call()));
  });
  if (!queued.ok()) reactor->Finish(ToGrpc(queued));
  return reactor;
}

}  // namespace mixfeed
