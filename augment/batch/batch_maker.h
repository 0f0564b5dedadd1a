#ifndef MIXFEED_AUGMENT_BATCH_BATCH_MAKER_H_
#define MIXFEED_AUGMENT_BATCH_BATCH_MAKER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/batch/batch.h"
#include "augment/batch/single_flight.h"
#include "augment/guess/guess_stats.h"
#include "augment/guess/guesser.h"
#include "augment/plan/planner.h"
#include "augment/pool/dataset.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// The view of one of the plan's rows as a renderer takes it; points into the plan.
RenderView ViewOf(const Plan& plan, int32_t row);

// The partition whose images a feed of `recipe` shows: what BatchMakerOptions::pool must hold.
Partition PartitionOf(const Recipe& recipe);

struct BatchMakerOptions {
  FeedSpec spec;
  std::string feed_id;                       // the journal's key
  std::string run;                           // the feed's; batches carry it
  std::shared_ptr<const Dataset> dataset;    // the one that spec.dataset names
  Split split;                               // of spec.split
  std::shared_ptr<const ResidentPool> pool;  // PartitionOf(recipe), padded as the recipe asks
  Renderer* renderer = nullptr;              // must outlive the maker
  std::unique_ptr<Guesser> guesser;          // needed exactly when the recipe guesses
  // PlannerData::neighbours of the split.
  std::shared_ptr<const NeighbourIndex> neighbours;
  SlotPool* slots = nullptr;                          // must outlive the maker and its batches
  std::shared_ptr<GuessStats> guess_stats = nullptr;  // of fresh guesses; may be null
};

// Makes the batches of one feed: plan -> views -> guesses -> finished Batch in a slot. Make(step)
// is idempotent: same step, same bytes. Thread safe. What targets are: target_maker.h.
class BatchMaker {
 public:
  // Errors: what Planner::Create refuses; InvalidArgument for a part that is missing or does not
  // fit the others.
  static absl::StatusOr<std::unique_ptr<BatchMaker>> Create(BatchMakerOptions options);

  // Errors: OutOfRange (step), InvalidArgument (format, share), ResourceExhausted (no slot), and
  // whatever guessing and rendering return. `slots`: where the slot comes from; null: the options'
  // pool. Callers beside the feed engine, whose promises the options' pool backs, bring their own.
  absl::StatusOr<std::shared_ptr<const Batch>> Make(int64_t step, const BatchFormat& format,
                                                    const Share& share,
                                                    SlotPool* slots = nullptr) const;

  // Whether a step for which Make said NotYetError (augment/guess/not_yet.h), since its weights
  // have not been pushed, may be made now. Cheap.
  bool IsReady(int64_t step) const;

  absl::StatusOr<Plan> MakePlan(int64_t step) const { return planner_->MakePlan(step); }

  // The guesses for `plan`'s unlabelled images, as they are before mixing. Only of recipes that
  // guess. Calls for one step share one guess while it is made: the shares of a step run the model
  // once. Errors: what Guesser::Guess returns.
  absl::StatusOr<StepGuess> Guess(const Plan& plan) const;

  // Renders view `k`, below plan.views, of the plan's unlabelled rows as a guess model takes it:
  // [rows][C][H][W] float32 under `normalisation`.
  absl::Status RenderGuessView(const Plan& plan, int k, const Normalisation& normalisation,
                               std::span<float> out) const;

  // InvalidArgument when `world` does not divide the labelled rows, or rank is not in 0..world-1.
  absl::Status CheckShare(const Share& share) const;

  // InvalidArgument for pixels as ValidatePixelFormat, for pairs of targets that are no pairs, and
  // for views in another format than ViewsFormat.
  absl::Status CheckFormat(const BatchFormat& format) const;

  // The format of BatchContent::kViews: NCHW, not normalised; uint8, or float32 where the recipe's
  // views have levels between the whole ones, so that nothing is rounded before it is mixed.
  BatchFormat ViewsFormat() const;

  // Images that a full batch of `share` holds in that content: the rows, or, of views, all images
  // of the plan.
  int Images(BatchContent content, const Share& share) const;

  // Slot bytes of a full batch of `share`, which must have passed CheckShare.
  int64_t SlotBytes(const BatchFormat& format, const Share& share) const;

  const FeedSpec& spec() const { return options_.spec; }
  const Dataset& dataset() const { return *options_.dataset; }
  std::optional<int64_t> steps() const { return planner_->steps(); }

 private:
  BatchMaker(BatchMakerOptions options, std::unique_ptr<Planner> planner);
  absl::StatusOr<StepGuess> GuessAlone(const Plan& plan) const;
  // Classes of the plan's unlabelled images, of which only sums may leave the server.
  std::vector<int16_t> HiddenLabels(const Plan& plan) const;
  // Writes the batch's pixels and targets into a slot of `slots`.
  absl::Status FillSlot(const Plan& plan, const StepGuess& guess, SlotPool* slots,
                        Batch* batch) const;
  void FillTargets(const Plan& plan, const StepGuess& guess, const Batch& batch,
                   std::span<float> out) const;
  absl::Status RenderPixels(const Plan& plan, const Batch& batch, std::span<std::byte> out) const;
  absl::Status RenderViews(const Plan& plan, const BatchFormat& format,
                           std::span<std::byte> out) const;

  const BatchMakerOptions options_;
  const std::unique_ptr<Planner> planner_;
  mutable SingleFlight<int64_t, absl::StatusOr<StepGuess>> guesses_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BATCH_BATCH_MAKER_H_
