#include "server/rpc/wire_frame.h"

#include <utility>

#include "augment/base/status_macros.h"
#include "proto/frame/frame_writer.h"
#include "server/core/batch_convert.h"

namespace mixfeed {
namespace {

class WireFrame final : public EncodedFrame {
 public:
  explicit WireFrame(const grpc::ByteBuffer& bytes) : bytes_(bytes) {}
  const grpc::ByteBuffer& bytes() const { return bytes_; }

 private:
  const grpc::ByteBuffer bytes_;
};

absl::StatusOr<FramePtr> Encode(const std::string& feed_id, std::shared_ptr<const Batch> batch) {
  const FrameBulk bulk{.pixels = batch->pixels, .targets = std::as_bytes(batch->targets)};
  MIXFEED_ASSIGN_OR_RETURN(const grpc::ByteBuffer bytes,
                           batch->views ? WriteFrame(ViewsHeaderOf(feed_id, *batch), bulk, batch)
                                        : WriteFrame(HeaderOf(feed_id, *batch), bulk, batch));
  return std::make_shared<const WireFrame>(bytes);
}

}  // namespace

EncodeFrame MakeWireEncoder() { return &Encode; }

const grpc::ByteBuffer& BytesOf(const EncodedFrame& frame) {
  return static_cast<const WireFrame&>(frame).bytes();
}

}  // namespace mixfeed
