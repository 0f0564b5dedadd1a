#include "client/buffer_pool.h"

#include <algorithm>
#include <new>
#include <utility>

namespace mixfeed {

AlignedBuffer::AlignedBuffer(size_t bytes)
    : data_(static_cast<std::byte*>(
          ::operator new[](bytes, static_cast<std::align_val_t>(kBufferAlignment)))),
      size_(bytes) {}

void AlignedBuffer::Free::operator()(std::byte* data) const {
  ::operator delete[](data, static_cast<std::align_val_t>(kBufferAlignment));
}

BufferPool::BufferPool(size_t max_idle) : max_idle_(max_idle) {}

AlignedBuffer BufferPool::Acquire(size_t bytes) {
  {
    MutexLock lock(&mu_);
    // The youngest first: its memory is the likeliest to be in the cache.
    const auto fits = std::find_if(idle_.rbegin(), idle_.rend(), [bytes](const AlignedBuffer& b) {
      return b.size() >= bytes && b.size() / 2 < bytes;
    });
    if (fits != idle_.rend()) {
      AlignedBuffer buffer = std::move(*fits);
      idle_.erase(std::next(fits).base());
      return buffer;
    }
  }
  return AlignedBuffer(bytes);
}

void BufferPool::Release(AlignedBuffer buffer) {
  if (buffer.data() == nullptr) return;
  AlignedBuffer evicted;  // freed after the lock
  MutexLock lock(&mu_);
  idle_.push_back(std::move(buffer));
  if (idle_.size() <= max_idle_) return;
  evicted = std::move(idle_.front());
  idle_.pop_front();
}

size_t BufferPool::idle() const {
  MutexLock lock(&mu_);
  return idle_.size();
}

}  // namespace mixfeed
