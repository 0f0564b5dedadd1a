#ifndef MIXFEED_SERVER_ENGINE_SLOT_BUDGET_H_
#define MIXFEED_SERVER_ENGINE_SLOT_BUDGET_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/base/mutex.h"

namespace mixfeed {

class SlotBudget;

// Bytes set aside for a stream's slots, given back by the destructor.
class SlotPromise {
 public:
  SlotPromise(std::shared_ptr<SlotBudget> budget, int64_t bytes);
  ~SlotPromise();
  SlotPromise(const SlotPromise&) = delete;
  SlotPromise& operator=(const SlotPromise&) = delete;

 private:
  const std::shared_ptr<SlotBudget> budget_;
  const int64_t bytes_;
};

// One slot in use. Lives exactly as long as the batch in it.
class SlotClaim {
 public:
  SlotClaim(std::shared_ptr<SlotBudget> budget, int64_t bytes);
  ~SlotClaim();
  SlotClaim(const SlotClaim&) = delete;
  SlotClaim& operator=(const SlotClaim&) = delete;

  // Keeps `promise`, of a stream that was sent the batch, for as long as the slot is in use: a
  // stream that is gone still pays for what the transport holds of it. Thread safe.
  void KeepPromise(std::shared_ptr<const SlotPromise> promise);

 private:
  const std::shared_ptr<SlotBudget> budget_;
  const int64_t bytes_;

  Mutex mu_;
  std::vector<std::shared_ptr<const SlotPromise>> promises_ ABSL_GUARDED_BY(mu_);
};

// Divides a slot pool's bytes among streams, so that making a batch never fails for want of memory.
// Promises add up to no more than the pool, and every slot in use is paid for by the promise of a
// stream that holds it or was sent it. What may exceed that is a frame that the transport reported
// as taken and yet holds for a moment: for this one Claim waits. Thread safe; made by make_shared
// and kept alive by its promises and claims.
class SlotBudget : public std::enable_shared_from_this<SlotBudget> {
 public:
  explicit SlotBudget(int64_t max_bytes) : max_bytes_(max_bytes) {}

  // ResourceExhausted when so much is not left.
  absl::StatusOr<std::shared_ptr<const SlotPromise>> Promise(int64_t slots, int64_t slot_bytes);

  // Room for one slot under `promise`; waits while the pool is full. Null after Close.
  std::shared_ptr<SlotClaim> Claim(int64_t bytes, std::shared_ptr<const SlotPromise> promise);

  // Ends the waiting of all claims, for good.
  void Close();

  int64_t promised_bytes() const;
  int64_t claimed_bytes() const;
  int waiting_claims() const;

 private:
  friend class SlotPromise;
  friend class SlotClaim;
  void GiveBackPromise(int64_t bytes);
  void GiveBackClaim(int64_t bytes);

  const int64_t max_bytes_;

  mutable Mutex mu_;
  CondVar given_back_;
  int64_t promised_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t claimed_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int waiting_claims_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_ENGINE_SLOT_BUDGET_H_
