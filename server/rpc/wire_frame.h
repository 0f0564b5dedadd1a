#ifndef MIXFEED_SERVER_RPC_WIRE_FRAME_H_
#define MIXFEED_SERVER_RPC_WIRE_FRAME_H_

#include "server/engine/feed_engine.h"

namespace grpc {
class ByteBuffer;
}

namespace mixfeed {

// Encodes batches as messages over the slots' own memory (proto/frame/frame_writer.h). Each frame,
// and whatever gRPC still holds of it, keeps its batch alive.
EncodeFrame MakeWireEncoder();

// The message of a frame that MakeWireEncoder's function made; lives as long as the frame.
const grpc::ByteBuffer& BytesOf(const EncodedFrame& frame);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_RPC_WIRE_FRAME_H_
