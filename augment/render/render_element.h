#ifndef MIXFEED_AUGMENT_RENDER_RENDER_ELEMENT_H_
#define MIXFEED_AUGMENT_RENDER_RENDER_ELEMENT_H_

#include <cstdint>

#include "augment/render/narrow.h"
#include "augment/render/pixel.h"
#include "augment/render/render_job.h"

namespace mixfeed {

// Where one element of an output image lies.
struct Coordinates {
  int32_t c = 0;
  int32_t y = 0;
  int32_t x = 0;
};

// Of element `index`, counted in the output's layout.
MIXFEED_HD inline Coordinates CoordinatesOf(const RenderJob& job, uint32_t index) {
  const auto channels = static_cast<uint32_t>(job.channels);
  const auto height = static_cast<uint32_t>(job.height);
  const auto width = static_cast<uint32_t>(job.width);
  uint32_t c = 0;
  if (job.layout == PixelLayout::kNhwc) {
    c = index % channels;
    index /= channels;
  } else {
    c = index / (height * width);
    index %= height * width;
  }
  return {static_cast<int32_t>(c), static_cast<int32_t>(index / width),
          static_cast<int32_t>(index % width)};
}

// Writes `value` as element `index` of `out`, rounded to `type`.
MIXFEED_HD inline void StorePixel(PixelType type, float value, std::byte* out, int64_t index) {
  switch (type) {
    case PixelType::kUint8:
      reinterpret_cast<uint8_t*>(out)[index] = ToUint8(value);
      break;
    case PixelType::kFloat16:
      reinterpret_cast<uint16_t*>(out)[index] = ToFloat16(value);
      break;
    case PixelType::kBfloat16:
      reinterpret_cast<uint16_t*>(out)[index] = ToBfloat16(value);
      break;
    case PixelType::kFloat32:
      reinterpret_cast<float*>(out)[index] = value;
      break;
  }
}

// Renders element `index` (in the output's layout) of image `row`: what one thread of the CUDA
// kernel does.
MIXFEED_HD inline void RenderElement(const RenderJob& job, int64_t row, uint32_t index) {
  const RowJob& source = job.rows[row];
  const Coordinates at = CoordinatesOf(job, index);
  const uint8_t a = job.pool[SourceByte(job.strides, source.a, at.c, at.y, at.x)];
  const uint8_t b = job.pool[SourceByte(job.strides, source.b, at.c, at.y, at.x)];
  const int64_t elements = int64_t{job.channels} * job.height * job.width;
  StorePixel(job.type, MixPixel(a, b, source.channels[at.c]), job.out, row * elements + index);
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_RENDER_ELEMENT_H_
