#ifndef MIXFEED_SERVER_RPC_BATCH_STREAM_H_
#define MIXFEED_SERVER_RPC_BATCH_STREAM_H_

#include <cstdint>

#include "server/core/feed_calls.h"

namespace grpc {
class ByteBuffer;
class CallbackServerContext;
template <class Request, class Response>
class ServerBidiReactor;
}  // namespace grpc

namespace mixfeed {

// Serves one StreamBatches call. The engine pushes frames, at most as many as the client granted;
// they go out one after the other. A stream that has ended, but whose last frame the client does
// not take, is cut off after `linger_ms`: it gets its status without that frame.
grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StartBatchStream(
    const FeedCalls* calls, FeedEngine* engine, int64_t linger_ms,
    grpc::CallbackServerContext* context);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_BATCH_STREAM_H_
