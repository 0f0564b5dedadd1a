#ifndef MIXFEED_PROTO_FRAME_FRAME_READER_H_
#define MIXFEED_PROTO_FRAME_FRAME_READER_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <functional>
#include <span>

#include "absl/status/status.h"
#include "mixfeed/v1/feed.pb.h"

namespace mixfeed {

// Memory that a reader wants the bulk of a frame in. Called at most once a frame, after the header
// was read and the sizes were checked against it; both spans must have exactly the asked sizes.
struct FrameDestination {
  std::span<std::byte> pixels;
  std::span<std::byte> targets;
};
using AllocateBulk = std::function<FrameDestination(size_t pixel_bytes, size_t target_bytes)>;

// Decodes a mixfeed.v1.Batch, copying each bulk byte exactly once, from the received slices to the
// memory that `allocate` gives. Nothing is allocated on the word of the wire: lengths must equal
// what the header's rows, shape, type and classes say, and fit in `frame`. Fields may come in any
// order that has the header first; unknown fields are skipped. DataLoss says what is wrong:
// truncated or malformed bytes, a length that does not fit the header, a bulk field twice, missing
// or before the header, row arrays that are not `rows` long.
absl::Status ReadFrame(const grpc::ByteBuffer& frame, const AllocateBulk& allocate,
                       v1::BatchHeader* header);
// The same of a mixfeed.v1.Views: lengths must equal what the header's images say, and what refers
// to an image or a row of the guesses must be within them.
absl::Status ReadFrame(const grpc::ByteBuffer& frame, const AllocateBulk& allocate,
                       v1::ViewsHeader* header);

}  // namespace mixfeed

#endif  // MIXFEED_PROTO_FRAME_FRAME_READER_H_
