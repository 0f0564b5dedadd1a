#ifndef MIXFEED_SERVER_RPC_BATCH_CALL_H_
#define MIXFEED_SERVER_RPC_BATCH_CALL_H_

#include "server/core/feed_calls.h"

namespace grpc {
class ByteBuffer;
class CallbackServerContext;
class ServerUnaryReactor;
}  // namespace grpc

namespace mixfeed {

// Answers one GetBatch call with the engine's frame. Cancelling the call drops its batch.
grpc::ServerUnaryReactor* StartBatchCall(const FeedCalls& calls, FeedEngine* engine,
                                         grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer* response);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_BATCH_CALL_H_
