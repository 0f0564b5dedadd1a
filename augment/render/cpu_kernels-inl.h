// The CPU renderer's vector code, included once for every instruction set.

// Highway's toggling guard: the pass of each target gets in once.
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
#include "augment/render/render_element.h"
#include "augment/render/render_job.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using Floats = hn::Vec<FloatTag>;
using BitsTag = hn::RebindToUnsigned<FloatTag>;
using IntTag = hn::RebindToSigned<FloatTag>;
using HalfTag = hn::Rebind<uint16_t, FloatTag>;
using ByteTag = hn::Rebind<uint8_t, FloatTag>;

// Vectors and scalars of the output types: Narrow of a vector gives as many lanes as Floats has.
struct Float32Pixels {
  using Lane = float;
  static Floats Narrow(Floats v) { return v; }
  static float Narrow(float v) { return v; }
};

struct Bfloat16Pixels {
  using Lane = uint16_t;
  static hn::Vec<HalfTag> Narrow(Floats v) {
    const BitsTag d32;
    const auto bits = hn::BitCast(d32, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
    const auto rounded = hn::Add(hn::Add(bits, hn::Set(d32, kBfloat16JustUnderHalf)), odd);
    return hn::DemoteTo(HalfTag(), hn::BitCast(IntTag(), hn::ShiftRight<16>(rounded)));
  }
  static uint16_t Narrow(float v) { return ToBfloat16(v); }
};

struct Float16Pixels {
  using Lane = uint16_t;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  // Here DemoteTo is the F16C instruction, which rounds to nearest even; elsewhere it may truncate.
  static hn::Vec<HalfTag> Narrow(Floats v) {
    return hn::BitCast(HalfTag(), hn::DemoteTo(hn::Rebind<hwy::float16_t, FloatTag>(), v));
  }
#else
  static hn::Vec<HalfTag> Narrow(Floats v) {
    using B = Float16Bits;
    const BitsTag d32;
    const auto bits = hn::BitCast(d32, v);
    const auto magnitude = hn::And(bits, hn::Set(d32, 0x7FFFFFFF));
    const auto sign = hn::ShiftRight<16>(hn::Xor(bits, magnitude));
    const auto odd = hn::And(hn::ShiftRight<B::kDropped>(magnitude), hn::Set(d32, 1));
    const auto normal = hn::ShiftRight<B::kDropped>(
        hn::Add(hn::Add(magnitude, hn::Set(d32, B::kRebias + B::kJustUnderHalf)), odd));
    const Floats apart = hn::Set(FloatTag(), B::kSubnormalApart);
    const auto subnormal =
        hn::Sub(hn::BitCast(d32, hn::Add(hn::BitCast(FloatTag(), magnitude), apart)),
                hn::BitCast(d32, apart));
    auto narrow = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d32, B::kMinNormal)), subnormal, normal);
    narrow = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d32, B::kOverflow)), narrow,
                            hn::Set(d32, B::kInfinity));
    return hn::DemoteTo(HalfTag(), hn::BitCast(IntTag(), hn::Or(narrow, sign)));
  }
#endif
  static uint16_t Narrow(float v) { return ToFloat16(v); }
};

struct Uint8Pixels {
  using Lane = uint8_t;
  static hn::Vec<ByteTag> Narrow(Floats v) { return hn::DemoteTo(ByteTag(), hn::NearestInt(v)); }
  static uint8_t Narrow(float v) { return ToUint8(v); }
};

// One line of a view in the pool.
template <bool kMirrored>
struct ViewLine {
  const uint8_t* first;  // the pixel at x 0; the others lie before it if mirrored

  // Pixels x, x+1, ... as floats.
  HWY_INLINE Floats Load(size_t x) const {
    const FloatTag df;
    if constexpr (kMirrored) {
      return hn::Reverse(df, LoadBytes(first - x - (hn::Lanes(df) - 1)));
    } else {
      return LoadBytes(first + x);
    }
  }
  uint8_t Get(size_t x) const { return kMirrored ? *(first - x) : first[x]; }

 private:
  static HWY_INLINE Floats LoadBytes(const uint8_t* lowest) {
    return hn::ConvertTo(FloatTag(), hn::PromoteTo(IntTag(), hn::LoadU(ByteTag(), lowest)));
  }
};

// One line of an output image before it is narrowed, with the operations of MixPixel ...
template <bool kMirroredA, bool kMirroredB>
struct MixedLine {
  ViewLine<kMirroredA> a;
  ViewLine<kMirroredB> b;
  ChannelMix mix;

  static MixedLine At(const RenderJob& job, const RowJob& row, int c, int y) {
    return {{job.pool + SourceByte(job.strides, row.a, c, y, 0)},
            {job.pool + SourceByte(job.strides, row.b, c, y, 0)},
            row.channels[c]};
  }
  HWY_INLINE Floats Load(size_t x) const {
    const FloatTag df;
    const Floats a_share = hn::Mul(a.Load(x), hn::Set(df, mix.a_weight));
    const Floats b_share = hn::Mul(b.Load(x), hn::Set(df, mix.b_weight));
    return hn::Add(a_share, hn::Add(b_share, hn::Set(df, mix.offset)));
  }
  float Get(size_t x) const { return MixPixel(a.Get(x), b.Get(x), mix); }
};

// ... and with those of ScalePixel.
template <bool kMirrored>
struct ScaledLine {
  ViewLine<kMirrored> a;
  ChannelMix mix;

  static ScaledLine At(const RenderJob& job, const RowJob& row, int c, int y) {
    return {{job.pool + SourceByte(job.strides, row.a, c, y, 0)}, row.channels[c]};
  }
  HWY_INLINE Floats Load(size_t x) const {
    const FloatTag df;
    return hn::Add(hn::Mul(a.Load(x), hn::Set(df, mix.a_weight)), hn::Set(df, mix.offset));
  }
  float Get(size_t x) const { return ScalePixel(a.Get(x), mix); }
};

// Calls vector(x) for the starts of whole vectors that together cover [0, width); the last two may
// overlap. A width under one vector is covered by calls of scalar(x).
template <class Vector, class Scalar>
HWY_INLINE void CoverLine(size_t width, const Vector& vector, const Scalar& scalar) {
  const size_t lanes = hn::Lanes(FloatTag());
  if (width < lanes) {
    for (size_t x = 0; x < width; ++x) scalar(x);
    return;
  }
  for (size_t x = 0; x + lanes <= width; x += lanes) vector(x);
  if (width % lanes != 0) vector(width - lanes);
}

template <class Pixels, class Source>
HWY_INLINE void RenderPlanarLine(const Source& line, size_t width, typename Pixels::Lane* out) {
  const hn::Rebind<typename Pixels::Lane, FloatTag> d;
  CoverLine(
      width, [&](size_t x) HWY_ATTR { hn::StoreU(Pixels::Narrow(line.Load(x)), d, out + x); },
      [&](size_t x) HWY_ATTR { out[x] = Pixels::Narrow(line.Get(x)); });
}

template <class Pixels, class Source>
HWY_INLINE void RenderColourLine(const Source& r, const Source& g, const Source& b, size_t width,
                                 typename Pixels::Lane* out) {
  const hn::Rebind<typename Pixels::Lane, FloatTag> d;
  CoverLine(
      width,
      [&](size_t x) HWY_ATTR {
        hn::StoreInterleaved3(Pixels::Narrow(r.Load(x)), Pixels::Narrow(g.Load(x)),
                              Pixels::Narrow(b.Load(x)), d, out + 3 * x);
      },
      [&](size_t x) HWY_ATTR {
        out[3 * x] = Pixels::Narrow(r.Get(x));
        out[3 * x + 1] = Pixels::Narrow(g.Get(x));
        out[3 * x + 2] = Pixels::Narrow(b.Get(x));
      });
}

// Samples are random in a pool that no cache holds, so the next row's lines are asked for while
// this row's are worked on.
HWY_INLINE void PrefetchLine(const RenderJob& job, const RowJob& next, int c, int y) {
  hwy::Prefetch(job.pool + SourceByte(job.strides, next.a, c, y, 0));
  hwy::Prefetch(job.pool + SourceByte(job.strides, next.b, c, y, 0));
}

template <class Pixels, class Source>
void RenderPlanar(const RenderJob& job, const RowJob& row, const RowJob& next,
                  typename Pixels::Lane* out) {
  const auto width = static_cast<size_t>(job.width);
  for (int c = 0; c < job.channels; ++c) {
    for (int y = 0; y < job.height; ++y) {
      PrefetchLine(job, next, c, y);
      RenderPlanarLine<Pixels>(Source::At(job, row, c, y), width, out);
      out += width;
    }
  }
}

template <class Pixels, class Source>
void RenderColour(const RenderJob& job, const RowJob& row, const RowJob& next,
                  typename Pixels::Lane* out) {
  const auto width = static_cast<size_t>(job.width);
  for (int y = 0; y < job.height; ++y) {
    for (int c = 0; c < 3; ++c) PrefetchLine(job, next, c, y);
    RenderColourLine<Pixels>(Source::At(job, row, 0, y), Source::At(job, row, 1, y),
                             Source::At(job, row, 2, y), width, out);
    out += 3 * width;
  }
}

// The layouts that vectors are made for.
enum class Order { kPlanar, kColour };

template <class Pixels, Order kOrder, class Source>
void RenderRow(const RenderJob& job, const RowJob& row, const RowJob& next,
               typename Pixels::Lane* out) {
  if constexpr (kOrder == Order::kPlanar) {
    RenderPlanar<Pixels, Source>(job, row, next, out);
  } else {
    RenderColour<Pixels, Source>(job, row, next, out);
  }
}

template <class Pixels, Order kOrder>
void RenderRowsIn(const RenderJob& job, int64_t begin, int64_t end) {
  using Lane = typename Pixels::Lane;
  using RowFunction = void (*)(const RenderJob&, const RowJob&, const RowJob&, Lane*);
  static constexpr RowFunction kScaled[2] = {RenderRow<Pixels, kOrder, ScaledLine<false>>,
                                             RenderRow<Pixels, kOrder, ScaledLine<true>>};
  static constexpr RowFunction kMixed[2][2] = {{RenderRow<Pixels, kOrder, MixedLine<false, false>>,
                                                RenderRow<Pixels, kOrder, MixedLine<false, true>>},
                                               {RenderRow<Pixels, kOrder, MixedLine<true, false>>,
                                                RenderRow<Pixels, kOrder, MixedLine<true, true>>}};
  const int64_t elements = int64_t{job.channels} * job.height * job.width;
  for (int64_t i = begin; i < end; ++i) {
    const RowJob& row = job.rows[i];
    const RowJob& next = job.rows[i + 1 < end ? i + 1 : i];
    const bool mirrored_a = row.a.step < 0;
    const bool mirrored_b = row.b.step < 0;
    const RowFunction render = row.mixed ? kMixed[mirrored_a][mirrored_b] : kScaled[mirrored_a];
    render(job, row, next, reinterpret_cast<Lane*>(job.out) + i * elements);
  }
}

void RenderElements(const RenderJob& job, int64_t begin, int64_t end) {
  const auto elements = static_cast<uint32_t>(job.channels * job.height * job.width);
  for (int64_t i = begin; i < end; ++i) {
    for (uint32_t index = 0; index < elements; ++index) RenderElement(job, i, index);
  }
}

template <class Pixels>
void RenderRowsAs(const RenderJob& job, int64_t begin, int64_t end) {
  if (job.layout == PixelLayout::kNchw || job.channels == 1) {
    RenderRowsIn<Pixels, Order::kPlanar>(job, begin, end);
  } else if (job.channels == 3) {
    RenderRowsIn<Pixels, Order::kColour>(job, begin, end);
  } else {
    RenderElements(job, begin, end);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
