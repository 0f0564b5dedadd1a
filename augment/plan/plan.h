#ifndef MIXFEED_AUGMENT_PLAN_PLAN_H_
#define MIXFEED_AUGMENT_PLAN_PLAN_H_

#include <cstdint>
#include <vector>

#include "augment/recipe/recipe.h"

namespace mixfeed {

// One view of one image. Trivially copyable.
struct ViewPlan {
  int32_t sample = 0;  // index into the partition: test for PoolId::kTest, else train
  int16_t crop_y = 0;  // offset of the crop in the padded image, 0..2*pad
  int16_t crop_x = 0;
  uint8_t flip = 0;  // 1: mirrored left to right. The crop is of the mirrored, padded image
  PoolId pool = PoolId::kLabelled;
  uint8_t view = 0;  // which of the K views of its image

  friend bool operator==(const ViewPlan&, const ViewPlan&) = default;
};

// Everything random about one batch. Row order: the B labelled rows, then for k = 0..K-1 the B
// unlabelled rows' k-th views (K-major): row B + k*B + i is view k of unlabelled image i.
// Unmixed rows have partner == own index and lambda == 1.
struct Plan {
  int64_t step = 0;
  int labelled_rows = 0;    // rows before the unlabelled groups; of kOrdered all, whatever the pool
  int unlabelled_rows = 0;  // of one view index
  int views = 0;            // K; 0 without unlabelled rows
  std::vector<ViewPlan> rows;
  std::vector<int32_t> partner;  // [rows] index into rows
  std::vector<float> lambda;     // [rows], weight of the row itself, 0..1

  int size() const { return static_cast<int>(rows.size()); }
  friend bool operator==(const Plan&, const Plan&) = default;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PLAN_H_
