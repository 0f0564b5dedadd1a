#ifndef MIXFEED_AUGMENT_PLAN_PLAN_H_
#define MIXFEED_AUGMENT_PLAN_PLAN_H_

#include <cstdint>
#include <vector>

#include "augment/pool/view_effects.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// One view of one image. Trivially copyable.
struct ViewPlan {
  int32_t sample = 0;  // index into the partition: test for PoolId::kTest, else train
  int16_t crop_y = 0;  // offset of the crop in the padded image, 0..2*pad
  int16_t crop_x = 0;
  uint8_t flip = 0;  // 1: mirrored left to right. The crop is of the mirrored, padded image
  PoolId pool = PoolId::kLabelled;
  uint8_t view = 0;      // which of the K views of its image
  int32_t effects = -1;  // index into Plan::effects; -1: nothing beyond crop and mirror

  friend bool operator==(const ViewPlan&, const ViewPlan&) = default;
};

// Everything random about one batch. Row order: the labelled rows, then for k = 0..K-1 the
// unlabelled rows' k-th views (K-major): row labelled_rows + k*unlabelled_rows + i is view k of
// unlabelled image i; these are sent. After them come rows that only others are mixed with: the
// dropped half of MixSpec::half, partners drawn from a pool. Unmixed rows have partner == own index
// and lambda == 1.
struct Plan {
  int64_t step = 0;
  int labelled_rows = 0;    // rows before the unlabelled groups; of kOrdered all, whatever the pool
  int unlabelled_rows = 0;  // of one view index
  int views = 0;            // K; 0 without unlabelled rows
  bool interleaved = false;  // rows are sent in the order of Recipe::interleave
  std::vector<ViewPlan> rows;
  std::vector<ViewEffects> effects;
  std::vector<int32_t> partner;  // [size()] index into rows
  std::vector<float> lambda;     // [size()], weight of the row itself in pixels and targets, 0..1
  // Multi-way mixing: further partners of each row, source-major, and their weights; the first
  // partner's weight is what is left of 1, exactly and not below 0. [(sources - 2) * size()], empty
  // for two sources.
  std::vector<int32_t> more_partners;
  std::vector<float> more_weights;
  // CutMix: where the partner shows instead of the row; an empty box where the row is blended.
  // [size()], or empty when no row has one.
  std::vector<Box> box;
  // The layer whose activations are mixed. Other than 0: pixels are not mixed, targets are.
  int layer = 0;
  double unlabelled_weight = 0;  // lambda_u of the step; 0 without unlabelled rows

  // Rows that are sent.
  int size() const { return labelled_rows + views * unlabelled_rows; }
  friend bool operator==(const Plan&, const Plan&) = default;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PLAN_H_
