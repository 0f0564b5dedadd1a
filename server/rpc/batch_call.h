#ifndef MIXFEED_SERVER_RPC_BATCH_CALL_H_
#define MIXFEED_SERVER_RPC_BATCH_CALL_H_

#include <cstdint>

#include "server/core/feed_calls.h"

namespace grpc {
class ByteBuffer;
class CallbackServerContext;
class ServerUnaryReactor;
}  // namespace grpc

namespace mixfeed {

// Answers one GetBatch call with the engine's frame. Cancelling the call drops its batch, and so
// does a client that does not take the answer for `idle_limit_ms` (DeadlineExceeded).
grpc::ServerUnaryReactor* StartBatchCall(const FeedCalls& calls, FeedEngine* engine,
                                         int64_t idle_limit_ms,
                                         grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer* response);

// The same of a GetViews call.
grpc::ServerUnaryReactor* StartViewsCall(const FeedCalls& calls, FeedEngine* engine,
                                         int64_t idle_limit_ms,
                                         grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer* response);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_BATCH_CALL_H_
