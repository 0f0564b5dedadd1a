#ifndef MIXFEED_PROTO_FRAME_FRAME_WRITER_H_
#define MIXFEED_PROTO_FRAME_FRAME_WRITER_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "mixfeed/v1/feed.pb.h"

namespace mixfeed {

// The bulk fields of a mixfeed.v1.Batch, and of a mixfeed.v1.Views, which has the same.
struct FrameBulk {
  std::span<const std::byte> pixels;
  std::span<const std::byte> targets;
};

// Encodes a mixfeed.v1.Batch whose bulk fields are slices over `bulk`'s memory: nothing but the
// header is copied. `owner` keeps that memory alive and is released, on any thread, when the last
// copy of the ByteBuffer and everything the transport still holds of it are gone; not before.
// The bytes are what protobuf would write. ResourceExhausted for a frame of 2 GiB or more.
absl::StatusOr<grpc::ByteBuffer> WriteFrame(const v1::BatchHeader& header, const FrameBulk& bulk,
                                            std::shared_ptr<const void> owner);
// The same of a mixfeed.v1.Views.
absl::StatusOr<grpc::ByteBuffer> WriteFrame(const v1::ViewsHeader& header, const FrameBulk& bulk,
                                            std::shared_ptr<const void> owner);

// Bytes that a frame takes on the wire beyond its bulk, at most: for message limits. The images of
// a mixfeed.v1.Views count as rows beside those of its batch.
size_t MaxFrameOverhead(size_t rows, size_t feed_id_bytes, size_t guess_bytes);

}  // namespace mixfeed

#endif  // MIXFEED_PROTO_FRAME_FRAME_WRITER_H_
