#ifndef MIXFEED_CLIENT_RECEIVED_BATCH_H_
#define MIXFEED_CLIENT_RECEIVED_BATCH_H_

#include <cstddef>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "client/buffer_pool.h"
#include "client/feed_client.h"

namespace grpc {
class ByteBuffer;
}  // namespace grpc

namespace mixfeed {

// Pixels and targets lie in one buffer, which goes back to its pool with the object.
template <typename Header>
struct ReceivedFrame {
  explicit ReceivedFrame(std::shared_ptr<BufferPool> buffers) : pool(std::move(buffers)) {}
  ~ReceivedFrame() { pool->Release(std::move(buffer)); }
  ReceivedFrame(const ReceivedFrame&) = delete;
  ReceivedFrame& operator=(const ReceivedFrame&) = delete;

  void Allocate(size_t pixel_bytes, size_t target_bytes) {
    const size_t targets_at = AlignUp(pixel_bytes);
    buffer = pool->Acquire(targets_at + target_bytes);
    pixels = {buffer.data(), pixel_bytes};
    targets = {reinterpret_cast<float*>(buffer.data() + targets_at), target_bytes / sizeof(float)};
  }

  const std::shared_ptr<BufferPool> pool;
  AlignedBuffer buffer;
  Header header;
  std::span<std::byte> pixels;
  std::span<float> targets;
};

struct ReceivedBatch::Impl : ReceivedFrame<v1::BatchHeader> {
  using ReceivedFrame::ReceivedFrame;
};
struct ReceivedViews::Impl : ReceivedFrame<v1::ViewsHeader> {
  using ReceivedFrame::ReceivedFrame;
};

// Decodes a frame into a buffer of `pool`, with one copy. DataLoss: what ReadFrame says.
absl::StatusOr<ReceivedBatch> DecodeBatch(const grpc::ByteBuffer& frame,
                                          const std::shared_ptr<BufferPool>& pool);
absl::StatusOr<ReceivedViews> DecodeViews(const grpc::ByteBuffer& frame,
                                          const std::shared_ptr<BufferPool>& pool);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_RECEIVED_BATCH_H_
