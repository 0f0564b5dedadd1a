#ifndef MIXFEED_AUGMENT_RENDER_PICK_H_
#define MIXFEED_AUGMENT_RENDER_PICK_H_

#include <cstddef>
#include <cstdint>

#include "augment/render/pixel.h"

// Gathering for the vector code. These are plain loops, compiled apart from it: gather instructions
// are slower than as many loads on the CPUs at hand, and compilers would put them back.
namespace mixfeed {

// For each place, a byte's distance from the image's first, and for each of 1..kMaxChannels
// channels the 2x2 bytes from there on: the first of the line in the lowest byte, then the one to
// its right, then those `below` bytes further. Writes [channels][count].
void PickQuads(const uint8_t* image, const PoolStrides& strides, int channels, int32_t below,
               const int32_t* places, size_t count, uint32_t* quads);

// picked[i] = table[places[i]].
void Pick(const uint64_t* table, const int32_t* places, size_t count, uint64_t* picked);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_PICK_H_
