#ifndef MIXFEED_AUGMENT_POOL_PAINTER_H_
#define MIXFEED_AUGMENT_POOL_PAINTER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "augment/pool/image_random.h"

namespace mixfeed {

// Side of the images that PaintImage draws.
inline constexpr int kPaintedSide = 32;

// Draws one image of the generated dataset into `pixels`, [3][32][32] RGB: a shape of class `label`
// (shapes.h), which alone tells the class for sure, at a random place, size, angle and aspect, with
// a random pattern on a random patterned background, among clutter, partly covered at times, then
// blur, exposure and noise. Colour tells a little about the class, as it does in photographs.
// Internal when OpenCV fails.
absl::Status PaintImage(int label, ImageRandom random, uint8_t* pixels);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_PAINTER_H_
