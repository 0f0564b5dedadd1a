#ifndef MIXFEED_AUGMENT_BATCH_BATCH_MAKER_H_
#define MIXFEED_AUGMENT_BATCH_BATCH_MAKER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/batch/batch.h"
#include "augment/batch/single_flight.h"
#include "augment/guess/guesser.h"
#include "augment/plan/planner.h"
#include "augment/pool/dataset.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// The view of one row as a renderer takes it.
RenderView ViewOf(const ViewPlan& plan);

// The partition whose images a feed of `recipe` shows: what BatchMakerOptions::pool must hold.
Partition PartitionOf(const Recipe& recipe);

struct BatchMakerOptions {
  FeedSpec spec;
  std::string feed_id;                       // the journal's key
  std::shared_ptr<const Dataset> dataset;    // the one that spec.dataset names
  Split split;                               // of spec.split
  std::shared_ptr<const ResidentPool> pool;  // PartitionOf(recipe), padded as the recipe asks
  Renderer* renderer = nullptr;              // must outlive the maker
  std::unique_ptr<Guesser> guesser;          // needed exactly when the recipe guesses
  SlotPool* slots = nullptr;                 // must outlive the maker and its batches
};

// Makes the batches of one feed: plan -> views -> guesses -> finished Batch in a slot. Make(step)
// is idempotent: same step, same bytes. Thread safe.
//
// Targets before mixing: the one-hot label of rows that may show one (labelled, validation, test),
// the step's guess for unlabelled rows of feeds that guess (one for all views of an image), and
// 1 / classes each where the label is hidden (an ordered unlabelled pool) or not known.
class BatchMaker {
 public:
  // Errors: what Planner::Create refuses; InvalidArgument for a part that is missing or does not
  // fit the others.
  static absl::StatusOr<std::unique_ptr<BatchMaker>> Create(BatchMakerOptions options);

  // Errors: OutOfRange (step), InvalidArgument (format, share), ResourceExhausted (no slot), and
  // whatever guessing and rendering return. `slots`: where the slot comes from; null: the options'
  // pool. Callers beside the feed engine, whose promises the options' pool backs, bring their own.
  absl::StatusOr<std::shared_ptr<const Batch>> Make(int64_t step, const PixelFormat& format,
                                                    const Share& share,
                                                    SlotPool* slots = nullptr) const;

  absl::StatusOr<Plan> MakePlan(int64_t step) const { return planner_->MakePlan(step); }

  // Renders view `k`, below plan.views, of the plan's unlabelled rows as a guess model takes it:
  // [rows][C][H][W] float32 under `normalisation`.
  absl::Status RenderGuessView(const Plan& plan, int k, const Normalisation& normalisation,
                               std::span<float> out) const;

  // InvalidArgument when `world` does not divide the batch, or rank is not in 0..world-1.
  absl::Status CheckShare(const Share& share) const;

  // Slot bytes of a full batch of `share`, which must have passed CheckShare.
  int64_t SlotBytes(const PixelFormat& format, const Share& share) const;

  const FeedSpec& spec() const { return options_.spec; }
  const Dataset& dataset() const { return *options_.dataset; }
  std::optional<int64_t> steps() const { return planner_->steps(); }

 private:
  BatchMaker(BatchMakerOptions options, std::unique_ptr<Planner> planner);
  // Calls for one step share one guess while it is made: the shares of a step run the model once.
  absl::StatusOr<StepGuess> Guess(const Plan& plan) const;
  absl::StatusOr<StepGuess> GuessAlone(const Plan& plan) const;
  // Writes the batch's pixels and targets into a slot of `slots`.
  absl::Status FillSlot(const Plan& plan, const StepGuess& guess, SlotPool* slots,
                        Batch* batch) const;
  absl::Status RenderPixels(const Plan& plan, const Batch& batch, std::span<std::byte> out) const;
  void MixRows(const Plan& plan, const StepGuess& guess, const Batch& batch,
               std::span<float> out) const;
  // The target of the step's row `row` before mixing.
  void SourceTarget(const Plan& plan, const StepGuess& guess, int32_t row,
                    std::span<float> target) const;

  const BatchMakerOptions options_;
  const std::unique_ptr<Planner> planner_;
  mutable SingleFlight<int64_t, absl::StatusOr<StepGuess>> guesses_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BATCH_BATCH_MAKER_H_
