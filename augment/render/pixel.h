#ifndef MIXFEED_AUGMENT_RENDER_PIXEL_H_
#define MIXFEED_AUGMENT_RENDER_PIXEL_H_

#include <cstdint>

#include "augment/pool/dataset.h"
#include "augment/pool/view_effects.h"
#include "augment/render/host_device.h"

// Where a view's pixels lie, and how the pixels of a row's images are weighed into one.
namespace mixfeed {

// Byte distances in a padded pool (the layout of Pool in pool.h).
struct PoolStrides {
  int32_t row = 0;    // from a pixel to the one below it
  int32_t plane = 0;  // to the same pixel of the next channel
  int64_t image = 0;
};

inline PoolStrides MakePoolStrides(const ImageShape& shape, int pad) {
  PoolStrides strides;
  strides.row = shape.width + 2 * pad;
  strides.plane = (shape.height + 2 * pad) * strides.row;
  strides.image = int64_t{shape.channels} * strides.plane;
  return strides;
}

// Where one view's pixels lie in a padded pool.
struct ViewSource {
  int64_t origin = 0;  // byte of the view's channel 0, y 0, x 0
  int32_t step = 1;    // to the next x: 1, or -1 where the view is mirrored
};

// The crop is of the mirrored, padded image, and padding is symmetric: column x of a mirrored view
// is column row - 1 - (crop_x + x) of the padded image.
inline ViewSource LocateView(const PoolStrides& strides, int64_t image, int crop_y, int crop_x,
                             bool flip) {
  const int64_t line = image * strides.image + int64_t{crop_y} * strides.row;
  if (flip) return {line + strides.row - 1 - crop_x, -1};
  return {line + crop_x, 1};
}

// The byte of the pool that shows at (c, y, x) of a view.
MIXFEED_HD inline int64_t SourceByte(const PoolStrides& strides, const ViewSource& view, int c,
                                     int y, int x) {
  return view.origin + int64_t{c} * strides.plane + int64_t{y} * strides.row +
         int64_t{x} * view.step;
}

// Nothing is in an empty box.
MIXFEED_HD inline bool InBox(const Box& box, int y, int x) {
  return y >= box.y0 && y < box.y1 && x >= box.x0 && x < box.x1;
}

// One channel's mix and normalisation, folded into three numbers. For two images:
//   lambda * (a/255 - mean)/std + (1 - lambda) * (b/255 - mean)/std = a*a_weight + b*b_weight +
//   offset.
struct ChannelMix {
  float a_weight = 1.0f;  // lambda / (255 std)
  float b_weight = 0.0f;  // (1 - lambda) / (255 std)
  float offset = 0.0f;    // -mean / std
};

// `share`, an image's part of the whole, with the normalisation folded in. Computed in double and
// rounded to float32 once.
inline float FoldedWeight(double share, double std) {
  const double scale = 1.0 / (255.0 * std);
  return static_cast<float>(share * scale);
}

// The offset is never -0, so that b_share == 0 leaves exactly a * a_weight + offset, whatever b is.
inline ChannelMix MakeChannelMix(double mean, double std, double a_share, double b_share) {
  return {FoldedWeight(a_share, std), FoldedWeight(b_share, std),
          static_cast<float>(-mean / std) + 0.0f};
}

// Adds one image's pixel, a level of 0..255, to what the others gave; each operation is rounded to
// nearest even. A row starts with the offset and adds its images from the last to the first, so
// that a pair is (a * a_weight) + ((b * b_weight) + offset).
MIXFEED_HD inline float AddShare(float level, float weight, float rest) {
  return level * weight + rest;
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_PIXEL_H_
