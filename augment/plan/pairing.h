#ifndef MIXFEED_AUGMENT_PLAN_PAIRING_H_
#define MIXFEED_AUGMENT_PLAN_PAIRING_H_

#include <cstdint>
#include <span>
#include <vector>

#include "augment/plan/philox.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// The partner of each of `rows` rows. The stream is used by kPermutation only, which is uniform
// over all permutations, fixed points included. Of an odd number, kHalves leaves the last row
// alone.
std::vector<int32_t> DrawPartners(Pairing pairing, int rows, PhiloxStream stream);

// Rows that are mixed with rows of a pool: the partner of rows[i] is pool[p[first + i]], for the
// pairing p of all the pool's places.
struct PairGroup {
  std::vector<int32_t> rows;
  std::vector<int32_t> pool;
  size_t first = 0;
};

// The groups of MixMode, for labelled rows `x` and the groups of unlabelled rows `y` (none: x is
// mixed with itself). Each group has a pairing of its own.
std::vector<PairGroup> PairGroupsOf(MixMode mode, const std::vector<int32_t>& x,
                                    const std::vector<std::vector<int32_t>>& y);

// Where rows stand that are paired among themselves: `row` is the first one's number in the step.
struct PairedRows {
  uint64_t seed = 0;
  int64_t step = 0;
  uint32_t row = 0;
};

// Partners among rows by class, counted from the first of them: kSame is one uniform permutation of
// the rows of each class; kOther draws each row's uniformly among those of other classes, or gives
// the row itself where there is none. Streams are (seed; kPairing, step, row) and, for kOther's
// i-th row, (seed; kPartner, step, row + i).
std::vector<int32_t> DrawPartnersOfClass(PartnerClass classes, std::span<const int16_t> labels,
                                         const PairedRows& place);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PAIRING_H_
