#include "server/engine/slot_budget.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {

SlotPromise::SlotPromise(std::shared_ptr<SlotBudget> budget, int64_t bytes)
    : budget_(std::move(budget)), bytes_(bytes) {}

SlotPromise::~SlotPromise() { budget_->GiveBackPromise(bytes_); }

SlotClaim::SlotClaim(std::shared_ptr<SlotBudget> budget, int64_t bytes)
    : budget_(std::move(budget)), bytes_(bytes) {}

SlotClaim::~SlotClaim() { budget_->GiveBackClaim(bytes_); }

void SlotClaim::KeepPromise(std::shared_ptr<const SlotPromise> promise) {
  MutexLock lock(&mu_);
  // A stream that repeats one batch is sent it again and again.
  if (std::find(promises_.begin(), promises_.end(), promise) != promises_.end()) return;
  promises_.push_back(std::move(promise));
}

absl::StatusOr<std::shared_ptr<const SlotPromise>> SlotBudget::Promise(int64_t slots,
                                                                       int64_t slot_bytes) {
  const int64_t bytes = slots * slot_bytes;
  {
    MutexLock lock(&mu_);
    if (bytes > max_bytes_ - promised_bytes_) {
      return absl::ResourceExhaustedError(absl::StrCat(
          slots, " slots of ", slot_bytes, " bytes are needed, and of the server's ", max_bytes_,
          " bytes for slots ", max_bytes_ - promised_bytes_,
          " are not promised to others; ask for fewer credits, less prefetch or smaller batches"));
    }
    promised_bytes_ += bytes;
  }
  return std::make_shared<const SlotPromise>(shared_from_this(), bytes);
}

std::shared_ptr<SlotClaim> SlotBudget::Claim(int64_t bytes,
                                             std::shared_ptr<const SlotPromise> promise) {
  {
    MutexLock lock(&mu_);
    ++waiting_claims_;
    while (!closed_ && bytes > max_bytes_ - claimed_bytes_) given_back_.Wait(&mu_);
    --waiting_claims_;
    if (closed_) return nullptr;
    claimed_bytes_ += bytes;
  }
  auto claim = std::make_shared<SlotClaim>(shared_from_this(), bytes);
  claim->KeepPromise(std::move(promise));
  return claim;
}

void SlotBudget::Close() {
  MutexLock lock(&mu_);
  closed_ = true;
  given_back_.NotifyAll();
}

void SlotBudget::GiveBackPromise(int64_t bytes) {
  MutexLock lock(&mu_);
  promised_bytes_ -= bytes;
}

void SlotBudget::GiveBackClaim(int64_t bytes) {
  MutexLock lock(&mu_);
  claimed_bytes_ -= bytes;
  given_back_.NotifyAll();
}

int64_t SlotBudget::promised_bytes() const {
  MutexLock lock(&mu_);
  return promised_bytes_;
}

int64_t SlotBudget::claimed_bytes() const {
  MutexLock lock(&mu_);
  return claimed_bytes_;
}

int SlotBudget::waiting_claims() const {
  MutexLock lock(&mu_);
  return waiting_claims_;
}

}  // namespace mixfeed
