#ifndef MIXFEED_SERVER_RPC_ANSWER_H_
#define MIXFEED_SERVER_RPC_ANSWER_H_

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/task_pool.h"

namespace grpc {
class CallbackServerContext;
class ServerUnaryReactor;
}  // namespace grpc

namespace mixfeed {

// Answers a unary call with what `call` returns, on a thread of `pool`; a call that was cancelled
// or ran out of time before its turn is not begun. `call` writes the response itself.
grpc::ServerUnaryReactor* AnswerLater(grpc::CallbackServerContext* context, TaskPool* pool,
                                      std::function<absl::Status()> call);

// Answers at once, for calls that only look something up.
grpc::ServerUnaryReactor* AnswerNow(grpc::CallbackServerContext* context,
                                    const absl::Status& status);

// Moves a result to where gRPC wants it.
template <typename Response>
absl::Status Put(absl::StatusOr<Response> result, Response* response) {
  if (!result.ok()) return result.status();
  *response = *std::move(result);
  return absl::OkStatus();
}

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_ANSWER_H_
