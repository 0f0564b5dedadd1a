#ifndef MIXFEED_AUGMENT_BATCH_BATCH_MAKER_H_
#define MIXFEED_AUGMENT_BATCH_BATCH_MAKER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/batch/batch.h"
#include "augment/guess/guesser.h"
#include "augment/plan/planner.h"
#include "augment/pool/dataset.h"
#include "augment/render/renderer.h"

namespace mixfeed {

struct BatchMakerOptions {
  FeedSpec spec;
  std::string feed_id;                       // the journal's key
  std::shared_ptr<const Dataset> dataset;    // the one that spec.dataset names
  Split split;                               // of spec.split
  std::shared_ptr<const ResidentPool> pool;  // the recipe's partition, padded as it asks
  Renderer* renderer = nullptr;              // must outlive the maker
  std::unique_ptr<Guesser> guesser;          // needed exactly when the recipe guesses
  SlotPool* slots = nullptr;                 // must outlive the maker and its batches
};

// Makes the batches of one feed: plan -> views -> guesses -> finished Batch in a slot. Make(step)
// is idempotent: same step, same bytes. Thread safe.
class BatchMaker {
 public:
  static absl::StatusOr<std::unique_ptr<BatchMaker>> Create(BatchMakerOptions options);

  // Errors: OutOfRange (step), InvalidArgument (format, share), ResourceExhausted (no slot), and
  // whatever guessing and rendering return.
  absl::StatusOr<std::shared_ptr<const Batch>> Make(int64_t step, const PixelFormat& format,
                                                    const Share& share) const;

  absl::StatusOr<Plan> MakePlan(int64_t step) const { return planner_->MakePlan(step); }

  // InvalidArgument when `world` does not divide the batch, or rank is not in 0..world-1.
  absl::Status CheckShare(const Share& share) const;

  // Slot bytes of a full batch of `share`.
  int64_t SlotBytes(const PixelFormat& format, const Share& share) const;

  const FeedSpec& spec() const { return options_.spec; }
  const Dataset& dataset() const { return *options_.dataset; }
  std::optional<int64_t> steps() const { return planner_->steps(); }

 private:
  BatchMaker(BatchMakerOptions options, std::unique_ptr<Planner> planner);
  absl::StatusOr<StepGuess> Guess(const Plan& plan) const;

  const BatchMakerOptions options_;
  const std::unique_ptr<Planner> planner_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BATCH_BATCH_MAKER_H_
