#ifndef MIXFEED_CLIENT_BUFFER_POOL_H_
#define MIXFEED_CLIENT_BUFFER_POOL_H_

#include <cstddef>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "augment/base/mutex.h"

namespace mixfeed {

inline constexpr size_t kBufferAlignment = 64;

// `bytes` rounded up to the alignment of buffers.
constexpr size_t AlignUp(size_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

// Owns uninitialised memory that begins at a multiple of kBufferAlignment. Movable; empty when
// default-constructed or moved from.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);

  std::byte* data() const { return data_.get(); }
  size_t size() const { return data_ == nullptr ? 0 : size_; }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte[], Free> data_;
  size_t size_ = 0;
};

// Keeps the buffers that batches gave back for the batches to come, since fresh memory costs a page
// fault every 4 KiB. At most `max_idle` are kept; the one that waited longest is freed for one
// more. How many are in use at once is for those to bound who hold the batches. Thread safe.
class BufferPool {
 public:
  explicit BufferPool(size_t max_idle);

  // A buffer of at least `bytes` and less than twice that; its contents are whatever they were.
  AlignedBuffer Acquire(size_t bytes);
  void Release(AlignedBuffer buffer);

  size_t idle() const;

 private:
  const size_t max_idle_;

  mutable Mutex mu_;
  std::deque<AlignedBuffer> idle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_BUFFER_POOL_H_
