#ifndef MIXFEED_AUGMENT_BATCH_SLOT_POOL_H_
#define MIXFEED_AUGMENT_BATCH_SLOT_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// The memory of one finished batch, returned to its pool by the destructor (on any thread).
class Slot;

// Slots, and the parts of a slot, begin on multiples of this many bytes.
inline constexpr size_t kSlotAlignment = 64;

constexpr size_t RoundUpToSlotAlignment(size_t bytes) {
  return (bytes + kSlotAlignment - 1) / kSlotAlignment * kSlotAlignment;
}

// Hands out 64-byte aligned buffers (page-locked on CUDA) and takes them back for reuse. Bounded by
// `max_bytes`, counting buffers in use and buffers kept for reuse; at the bound, kept buffers of
// other sizes are freed first, oldest first, then Acquire answers ResourceExhausted. Thread safe.
// Must outlive its slots.
class SlotPool {
 public:
  SlotPool(Renderer* renderer, int64_t max_bytes);
  ~SlotPool();
  SlotPool(const SlotPool&) = delete;
  SlotPool& operator=(const SlotPool&) = delete;

  // `bytes` is rounded up to kSlotAlignment. Also returns what the renderer's Allocate does.
  absl::StatusOr<std::unique_ptr<Slot>> Acquire(size_t bytes);

  int64_t max_bytes() const { return max_bytes_; }
  int64_t live_slots() const;  // acquired and not yet returned
  int64_t live_bytes() const;

 private:
  friend class Slot;
  void Return(std::unique_ptr<HostBuffer> buffer);
  // A kept buffer of exactly `size` bytes, counted as in use; null without one.
  std::unique_ptr<HostBuffer> TakeKept(size_t size) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Counts `size` bytes as in use before they are allocated, moving kept buffers to `evicted` until
  // they fit. False, with nothing changed, when they cannot.
  bool Reserve(int64_t size, std::vector<std::unique_ptr<HostBuffer>>* evicted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Renderer* const renderer_;
  const int64_t max_bytes_;

  mutable Mutex mu_;
  std::vector<std::unique_ptr<HostBuffer>> kept_ ABSL_GUARDED_BY(mu_);
  int64_t live_slots_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t live_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t kept_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

class Slot {
 public:
  Slot(SlotPool* pool, std::unique_ptr<HostBuffer> buffer)
      : pool_(pool), buffer_(std::move(buffer)) {}
  ~Slot() { pool_->Return(std::move(buffer_)); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  std::byte* data() { return buffer_->data(); }
  size_t size() const { return buffer_->size(); }

 private:
  SlotPool* const pool_;
  std::unique_ptr<HostBuffer> buffer_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BATCH_SLOT_POOL_H_
