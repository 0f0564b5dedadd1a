// The CPU renderer's vector code, included once for every instruction set.

// The toggling guard of Highway's -inl.h headers: one pass per target.
#if defined(MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_
#undef MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_
#else
#define MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "augment/render/narrow.h"
#include "augment/render/pixel.h"
#include "augment/render/render_job.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using Floats = hn::Vec<FloatTag>;

// An output type: its vectors have as many lanes as Floats.
struct Float32Pixels {
  using Lane = float;
  static Floats Narrow(Floats v) { return v; }
  static float Narrow(float v) { return v; }
};

struct Bfloat16Pixels {
  using Lane = uint16_t;
  using Tag = hn::Rebind<uint16_t, FloatTag>;
  static hn::Vec<Tag> Narrow(Floats v) {
    const hn::RebindToUnsigned<FloatTag> d32;
    const auto bits = hn::BitCast(d32, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
    const auto rounded = hn::Add(hn::Add(bits, hn::Set(d32, 0x7FFF)), odd);
    const hn::RebindToSigned<FloatTag> di32;
    return hn::DemoteTo(Tag(), hn::BitCast(di32, hn::ShiftRight<16>(rounded)));
  }
  static uint16_t Narrow(float v) { return ToBfloat16(v); }
};

struct Float16Pixels {
  using Lane = uint16_t;
  using Tag = hn::Rebind<uint16_t, FloatTag>;
  static hn::Vec<Tag> Narrow(Floats v) {
    const hn::Rebind<hwy::float16_t, FloatTag> df16;
    return hn::BitCast(Tag(), hn::DemoteTo(df16, v));
  }
  static uint16_t Narrow(float v) { return ToFloat16(v); }
};

struct Uint8Pixels {
  using Lane = uint8_t;
  using Tag = hn::Rebind<uint8_t, FloatTag>;
  static hn::Vec<Tag> Narrow(Floats v) { return hn::DemoteTo(Tag(), hn::NearestInt(v)); }
  static uint8_t Narrow(float v) { return ToUint8(v); }
};

// One line of a view in the pool.
template <bool kMirrored>
struct Line {
  const uint8_t* first;

  Floats Load(size_t x) const {
    const hn::Rebind<uint8_t, FloatTag> d8;
    const hn::RebindToSigned<FloatTag> di32;
    const FloatTag df;
    if constexpr (kMirrored) {
      const uint8_t* lowest = first - x - (hn::Lanes(df) - 1);
      return hn::Reverse(df, hn::ConvertTo(df, hn::PromoteTo(di32, hn::LoadU(d8, lowest))));
    } else {
      return hn::ConvertTo(df, hn::PromoteTo(di32, hn::LoadU(d8, first + x)));
    }
  }
  uint8_t Get(size_t x) const { return kMirrored ? *(first - x) : first[x]; }
};

template <bool kMirroredA, bool kMirroredB>
struct MixedLine {
  Line<kMirroredA> a;
  Line<kMirroredB> b;
  ChannelMix mix;

  Floats Load(size_t x) const {
    const FloatTag df;
    const Floats a_share = hn::Mul(a.Load(x), hn::Set(df, mix.a_weight));
    const Floats b_share = hn::Mul(b.Load(x), hn::Set(df, mix.b_weight));
    return hn::Add(a_share, hn::Add(b_share, hn::Set(df, mix.offset)));
  }
  float Get(size_t x) const { return MixPixel(a.Get(x), b.Get(x), mix); }
};

template <class Pixels, class Source>
HWY_INLINE void RenderLine(const Source& line, size_t width, typename Pixels::Lane* out) {
  const FloatTag df;
  const hn::Rebind<typename Pixels::Lane, FloatTag> d;
  const size_t lanes = hn::Lanes(df);
  if (width < lanes) {
    for (size_t x = 0; x < width; ++x) out[x] = Pixels::Narrow(line.Get(x));
    return;
  }
  for (size_t x = 0; x + lanes <= width; x += lanes) {
    hn::StoreU(Pixels::Narrow(line.Load(x)), d, out + x);
  }
  if (width % lanes != 0) {
    const size_t x = width - lanes;
    hn::StoreU(Pixels::Narrow(line.Load(x)), d, out + x);
  }
}

template <class Pixels, bool kMirroredA, bool kMirroredB>
void RenderRow(const RenderJob& job, const RowJob& row, const RowJob& next,
               typename Pixels::Lane* out) {
  const auto width = static_cast<size_t>(job.width);
  for (int c = 0; c < job.channels; ++c) {
    for (int y = 0; y < job.height; ++y) {
      const int64_t offset = int64_t{c} * job.strides.plane + int64_t{y} * job.strides.row;
      hwy::Prefetch(job.pool + next.a.origin + offset);
      hwy::Prefetch(job.pool + next.b.origin + offset);
      const MixedLine<kMirroredA, kMirroredB> line = {
          {job.pool + row.a.origin + offset}, {job.pool + row.b.origin + offset}, row.channels[c]};
      RenderLine<Pixels>(line, width, out);
      out += width;
    }
  }
}

template <class Pixels>
void RenderRowsAs(const RenderJob& job, int64_t begin, int64_t end) {
  using Lane = typename Pixels::Lane;
  constexpr decltype(&RenderRow<Pixels, false, false>) kRender[2][2] = {
      {RenderRow<Pixels, false, false>, RenderRow<Pixels, false, true>},
      {RenderRow<Pixels, true, false>, RenderRow<Pixels, true, true>}};
  const int64_t elements = int64_t{job.channels} * job.height * job.width;
  for (int64_t i = begin; i < end; ++i) {
    const RowJob& row = job.rows[i];
    const RowJob& next = job.rows[i + 1 < end ? i + 1 : i];
    Lane* out = reinterpret_cast<Lane*>(job.out) + i * elements;
    kRender[row.a.step < 0][row.b.step < 0](job, row, next, out);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
