#ifndef MIXFEED_AUGMENT_BATCH_BATCH_H_
#define MIXFEED_AUGMENT_BATCH_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "augment/batch/batch_format.h"
#include "augment/batch/slot_pool.h"
#include "augment/guess/journal.h"
#include "augment/plan/plan.h"

namespace mixfeed {

// The part of a step's rows that one of `world` consumers gets under split sharing: of each of the
// K + 1 groups of B rows the `rank`-th of `world` equal parts, in row order. {0, 1}: all rows. Of a
// group of n rows it is the rows floor(rank n / world) to floor((rank + 1) n / world) - 1: the
// short last batch of an ordered feed is divided as evenly as it can be, and a part of it may be
// empty.
struct Share {
  int rank = 0;
  int world = 1;

  friend bool operator==(const Share&, const Share&) = default;
};

// The rows of `plan` that belong to `share`, in the order in which they are sent: row order, or, of
// an interleaved plan, MixMatch's interleave of the share's part of each group (the groups of n
// rows are cut at the same K + 1 places, as equal as can be, the larger parts last, and part k of
// group k changes places with part k of the labelled group).
std::vector<int32_t> RowsOfShare(const Plan& plan, const Share& share);

// Where a step's pseudo-labels came from; of the first model, where several guess.
struct GuessOrigin {
  std::string model;
  int64_t version = 0;
  int64_t update = 0;             // the trainer's update count that the weights are of
  std::string weights;            // their digest (GuessModelInfo::weights)
  std::vector<GuessSource> more;  // the further models
  int64_t age = 0;                // in updates
  std::string environment;
  bool environment_changed = false;  // StepGuess::environment_changed
  // Mean over the step's unlabelled images of the largest probability of the guess; in (0, 1].
  float confidence = 0;
};

// A step's images before they are guessed and mixed, and what mixing them needs beside the batch's
// own rows: those refer to the images by their index here.
struct BatchViews {
  std::vector<ViewPlan> images;  // Plan::rows
  std::vector<int32_t> guess;    // [images], TargetMaker::GuessOf
  // [images], or empty when no image has one: where a pixel is 0 after the consumer's
  // normalisation (ViewEffects::normalised_zero). The images are not filled there.
  std::vector<Box> hole;
  int labelled_rows = 0;  // as Plan
  int unlabelled_rows = 0;
  int views = 0;
  double temperature = 0;    // GuessSpec::temperature; 0 of recipes that do not guess
  bool own_targets = false;  // TargetRule::kOwn
};

// A finished batch: its memory and all that travels with it. Immutable, shared by its readers; the
// slot returns to its pool with the last of them.
struct Batch {
  int64_t step = 0;
  std::string run;  // BatchMakerOptions::run
  ImageShape shape;
  BatchFormat format;
  int classes = 0;
  // Of the plan, restricted to the share: row r of this batch is row row_index[r] of the step.
  // partner holds indices of the step's rows, so a partner may lie in another share.
  std::vector<int32_t> row_index;
  std::vector<ViewPlan> rows;
  std::vector<int32_t> partner;
  std::vector<float> lambda;
  // Multi-way mixing: Plan::more_partners and more_weights, source-major over this batch's rows.
  std::vector<int32_t> more_partners;
  std::vector<float> more_weights;
  std::vector<Box> box;  // [rows], or empty when no row has one
  int layer = 0;         // Plan::layer
  double unlabelled_weight = 0;
  std::optional<GuessOrigin> guess;
  // Under BatchContent::kViews: the memory then holds these images instead of the rows' mixtures,
  // and their targets before mixing (TargetMaker::WriteUnguessed).
  std::optional<BatchViews> views;

  std::unique_ptr<Slot> slot;
  std::span<const std::byte> pixels;  // [rows] images in `format`, 64-byte aligned, in the slot
  // [rows][format.TargetColumns(classes)], 64-byte aligned, in the slot.
  std::span<const float> targets;

  int size() const { return static_cast<int>(rows.size()); }
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BATCH_BATCH_H_
