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

// The inverse of CoordinatesOf.
MIXFEED_HD inline int64_t IndexOf(const RenderJob& job, const Coordinates& at) {
  if (job.layout == PixelLayout::kNhwc) {
    return (int64_t{at.y} * job.width + at.x) * job.channels + at.c;
  }
  return (int64_t{at.c} * job.height + at.y) * job.width + at.x;
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

MIXFEED_HD inline float PoolLevel(const RenderJob& job, const ViewSource& view,
                                  const Coordinates& at) {
  return static_cast<float>(job.pool[SourceByte(job.strides, view, at.c, at.y, at.x)]);
}

// `view` is a whole padded image here.
MIXFEED_HD inline float ResampledLevel(const RenderJob& job, const ViewSource& view,
                                       const ProjectiveMap& map, const Coordinates& at) {
  const uint8_t* const plane = job.pool + SourceByte(job.strides, view, at.c, 0, 0);
  const Point point = MapPoint(map, MapLineAt(map, at.y), at.x);
  return LevelAt(plane, job.strides.row,
                 {Reflect(point.x, job.x_axis), Reflect(point.y, job.y_axis)}, job.x_axis,
                 job.y_axis);
}

// The level, 0..255, that `source` shows at a place: resampled, then toned, then covered by the
// hole.
MIXFEED_HD inline float SourceLevel(const RenderJob& job, const SourceJob& source,
                                    const Coordinates& at) {
  if (source.effects == kNone) return PoolLevel(job, source.view, at);
  const EffectsJob& effects = job.effects[source.effects];
  if (InBox(effects.hole, at.y, at.x)) return effects.fill[at.c];
  const float level = effects.resampled ? ResampledLevel(job, source.view, effects.map, at)
                                        : PoolLevel(job, source.view, at);
  return effects.tone == kNone ? level : ToneLevel(job.tones[effects.tone], level);
}

// SourceLevel of images in the job's pool.
struct PooledLevels {
  MIXFEED_HD float operator()(const RenderJob& job, const SourceJob& source,
                              const Coordinates& at) const {
    return SourceLevel(job, source, at);
  }
};

// A row's finished pixel before it is narrowed, of the levels that `level` says its images show.
template <typename Levels>
MIXFEED_HD inline float RowPixel(const RenderJob& job, const RowJob& row, const Coordinates& at,
                                 const Levels& level) {
  const ChannelMix& mix = row.channels[at.c];
  if (row.kind == RowKind::kSingle || row.kind == RowKind::kBoxed) {
    const bool in_box = row.kind == RowKind::kBoxed && InBox(row.box, at.y, at.x);
    return AddShare(level(job, in_box ? row.b : row.a, at), mix.a_weight, mix.offset);
  }
  float rest = mix.offset;
  for (int32_t i = row.more_count - 1; i >= 0; --i) {
    const MoreJob& further = job.more[row.first_more + i];
    rest = AddShare(level(job, further.source, at), further.weights[at.c], rest);
  }
  rest = AddShare(level(job, row.b, at), mix.b_weight, rest);
  return AddShare(level(job, row.a, at), mix.a_weight, rest);
}

// Renders element `index` (in the output's layout) of image `row`: what one thread of the CUDA
// kernel does.
MIXFEED_HD inline void RenderElement(const RenderJob& job, int64_t row, uint32_t index) {
  const Coordinates at = CoordinatesOf(job, index);
  const int64_t elements = int64_t{job.channels} * job.height * job.width;
  const float value = RowPixel(job, job.rows[row], at, PooledLevels{});
  StorePixel(job.type, value, job.out, row * elements + index);
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_RENDER_ELEMENT_H_
