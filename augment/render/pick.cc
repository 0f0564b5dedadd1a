#include "augment/render/pick.h"

namespace mixfeed {
namespace {

uint32_t PairAt(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8;
}

// All channels at once, since they share the places.
template <int kChannels>
void PickQuadsOf(const uint8_t* image, int32_t plane, int32_t below, const int32_t* places,
                 size_t count, uint32_t* quads) {
#pragma GCC unroll 2
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* const first = image + places[i];
    for (int c = 0; c < kChannels; ++c) {
      const uint8_t* const top = first + ptrdiff_t{c} * plane;
      quads[static_cast<size_t>(c) * count + i] = PairAt(top) | PairAt(top + below) << 16;
    }
  }
}

}  // namespace

void PickQuads(const uint8_t* image, const PoolStrides& strides, int channels, int32_t below,
               const int32_t* places, size_t count, uint32_t* quads) {
  static constexpr decltype(&PickQuadsOf<1>) kOfChannels[] = {PickQuadsOf<1>, PickQuadsOf<2>,
                                                              PickQuadsOf<3>, PickQuadsOf<4>};
  kOfChannels[channels - 1](image, strides.plane, below, places, count, quads);
}

void Pick(const uint64_t* table, const int32_t* places, size_t count, uint64_t* picked) {
#pragma GCC unroll 4
  for (size_t i = 0; i < count; ++i) picked[i] = table[places[i]];
}

}  // namespace mixfeed
