#ifndef MIXFEED_AUGMENT_PLAN_PAIRING_H_
#define MIXFEED_AUGMENT_PLAN_PAIRING_H_

#include <cstdint>
#include <vector>

#include "augment/plan/philox.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// The partner of each of `rows` rows. The stream is used by kPermutation only, which is uniform
// over all permutations, fixed points included.
std::vector<int32_t> DrawPartners(Pairing pairing, int rows, PhiloxStream stream);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PAIRING_H_
