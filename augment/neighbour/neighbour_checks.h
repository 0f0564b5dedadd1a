#ifndef MIXFEED_AUGMENT_NEIGHBOUR_NEIGHBOUR_CHECKS_H_
#define MIXFEED_AUGMENT_NEIGHBOUR_NEIGHBOUR_CHECKS_H_

#include "absl/status/status.h"
#include "augment/neighbour/neighbour_index.h"

namespace mixfeed {

// The largest magnitude of a coordinate.
inline constexpr int kMaxCoordinate = 2047;

// InvalidArgument where the sizes of the spans do not fit together, a coordinate or label is out of
// range, or some point has fewer than k allowed neighbours.
absl::Status CheckNeighbourBuild(const NeighbourPoints& points, const NeighbourBuild& build);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_NEIGHBOUR_NEIGHBOUR_CHECKS_H_
