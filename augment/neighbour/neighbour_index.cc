#include "augment/neighbour/neighbour_index.h"

#include <xxhash.h>

namespace mixfeed {

uint64_t NeighbourIndex::fingerprint() const {
  return XXH3_64bits_withSeed(places_.data(), places_.size() * sizeof(int32_t),
                              static_cast<uint64_t>(k_));
}

}  // namespace mixfeed
