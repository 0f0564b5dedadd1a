#ifndef MIXFEED_AUGMENT_RENDER_PIXEL_H_
#define MIXFEED_AUGMENT_RENDER_PIXEL_H_

#include <cstdint>

#include "augment/pool/dataset.h"

// Scalar functions that define every output pixel, for host and device alike. The vector and CUDA
// code must equal them bit for bit; both are built without contraction into fused multiply-adds.
#if defined(__CUDACC__)
#define MIXFEED_HD __host__ __device__
#else
#define MIXFEED_HD
#endif

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

// One channel's mix and normalisation, folded into three numbers:
//   lambda * (a/255 - mean)/std + (1 - lambda) * (b/255 - mean)/std = a*a_weight + b*b_weight +
//   offset.
struct ChannelMix {
  float a_weight = 1.0f;  // lambda / (255 std)
  float b_weight = 0.0f;  // (1 - lambda) / (255 std)
  float offset = 0.0f;    // -mean / std
};

// Each number is computed in double and rounded to float32 once. The offset is never -0, so that
// b_weight == 0 leaves exactly a * a_weight + offset, whatever b is.
inline ChannelMix MakeChannelMix(double mean, double std, float lambda) {
  const double scale = 1.0 / (255.0 * std);
  const double share = lambda;
  return {static_cast<float>(share * scale), static_cast<float>((1.0 - share) * scale),
          static_cast<float>(-mean / std) + 0.0f};
}

// Order of operations: (a * a_weight) + ((b * b_weight) + offset), each rounded to nearest even.
MIXFEED_HD inline float MixPixel(uint8_t a, uint8_t b, const ChannelMix& mix) {
  const float a_share = static_cast<float>(a) * mix.a_weight;
  const float b_share = static_cast<float>(b) * mix.b_weight;
  return a_share + (b_share + mix.offset);
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_PIXEL_H_
