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

// Pixels and targets lie in one buffer, which goes back to its pool with the batch.
struct ReceivedBatch::Impl {
  explicit Impl(std::shared_ptr<BufferPool> buffers) : pool(std::move(buffers)) {}
  ~Impl() { pool->Release(std::move(buffer)); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  const std::shared_ptr<BufferPool> pool;
  AlignedBuffer buffer;
  v1::BatchHeader header;
  std::span<std::byte> pixels;
  std::span<float> targets;
};

// Decodes a frame into a buffer of `pool`, with one copy. DataLoss: what ReadFrame says.
absl::StatusOr<ReceivedBatch> DecodeBatch(const grpc::ByteBuffer& frame,
                                          const std::shared_ptr<BufferPool>& pool);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_RECEIVED_BATCH_H_
