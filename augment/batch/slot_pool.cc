#include "augment/batch/slot_pool.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {

SlotPool::SlotPool(Renderer* renderer, int64_t max_bytes)
    : renderer_(renderer), max_bytes_(max_bytes) {}

SlotPool::~SlotPool() = default;

absl::StatusOr<std::unique_ptr<Slot>> SlotPool::Acquire(size_t bytes) {
  const size_t size = RoundUpToSlotAlignment(std::max<size_t>(bytes, 1));
  std::vector<std::unique_ptr<HostBuffer>> evicted;  // freed outside the lock
  {
    MutexLock lock(&mu_);
    if (std::unique_ptr<HostBuffer> kept = TakeKept(size)) {
      return std::make_unique<Slot>(this, std::move(kept));
    }
    if (!Reserve(static_cast<int64_t>(size), &evicted)) {
      return absl::ResourceExhaustedError(absl::StrCat("no room for a slot of ", size,
                                                       " bytes: ", live_bytes_, " of ", max_bytes_,
                                                       " are in use"));
    }
  }
  evicted.clear();
  absl::StatusOr<std::unique_ptr<HostBuffer>> buffer = renderer_->Allocate(size);
  if (!buffer.ok()) {
    MutexLock lock(&mu_);
    --live_slots_;
    live_bytes_ -= static_cast<int64_t>(size);
    return buffer.status();
  }
  return std::make_unique<Slot>(this, *std::move(buffer));
}

std::unique_ptr<HostBuffer> SlotPool::TakeKept(size_t size) {
  // The latest returned first: its memory is the likeliest to be in the CPU's cache.
  const auto found = std::find_if(kept_.rbegin(), kept_.rend(),
                                  [&](const auto& buffer) { return buffer->size() == size; });
  if (found == kept_.rend()) return nullptr;
  std::unique_ptr<HostBuffer> buffer = std::move(*found);
  kept_.erase(std::next(found).base());
  kept_bytes_ -= static_cast<int64_t>(size);
  live_bytes_ += static_cast<int64_t>(size);
  ++live_slots_;
  return buffer;
}

bool SlotPool::Reserve(int64_t size, std::vector<std::unique_ptr<HostBuffer>>* evicted) {
  if (size > max_bytes_ - live_bytes_) return false;
  size_t oldest = 0;
  while (size > max_bytes_ - live_bytes_ - kept_bytes_) {
    kept_bytes_ -= static_cast<int64_t>(kept_[oldest]->size());
    evicted->push_back(std::move(kept_[oldest++]));
  }
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(oldest));
  live_bytes_ += size;
  ++live_slots_;
  return true;
}

void SlotPool::Return(std::unique_ptr<HostBuffer> buffer) {
  const int64_t size = static_cast<int64_t>(buffer->size());
  MutexLock lock(&mu_);
  --live_slots_;
  live_bytes_ -= size;
  kept_bytes_ += size;
  kept_.push_back(std::move(buffer));
}

int64_t SlotPool::live_slots() const {
  MutexLock lock(&mu_);
  return live_slots_;
}

int64_t SlotPool::live_bytes() const {
  MutexLock lock(&mu_);
  return live_bytes_;
}

}  // namespace mixfeed
