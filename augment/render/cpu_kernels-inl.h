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

// Everything is written for a tag D of float vectors with N lanes. Types narrower than 32 bits are
// made 2 N pixels at a time, the even ones in one vector and the odd ones in another: splitting and
// joining those needs shifts only, which more ports of a CPU do than shuffles.

template <class D>
using BitsOf = hn::RebindToUnsigned<D>;
template <class D>
using IntsOf = hn::RebindToSigned<D>;
template <class D>
using HalvesOf = hn::Repartition<uint16_t, D>;  // 2 N lanes
template <class D>
using BytesOf = hn::Rebind<uint8_t, HalvesOf<D>>;  // 2 N lanes

// One line of a view in the pool.
template <bool kMirrored>
struct ViewLine {
  const uint8_t* first;  // the pixel at x 0; the others lie before it if mirrored

  // Pixels x to x + N - 1.
  template <class D>
  HWY_INLINE hn::Vec<D> Load(D df, size_t x) const {
    const hn::Rebind<uint8_t, D> d8;
    const auto bytes = hn::LoadU(d8, Lowest(x, hn::Lanes(df)));
    const hn::Vec<D> pixels = hn::ConvertTo(df, hn::PromoteTo(IntsOf<D>(), bytes));
    return kMirrored ? hn::Reverse(df, pixels) : pixels;
  }

  // Pixels x to x + 2 N - 1.
  template <class D>
  HWY_INLINE void LoadPairs(D df, size_t x, hn::Vec<D>& even, hn::Vec<D>& odd) const {
    const BitsOf<D> d32;
    const auto bytes = hn::LoadU(BytesOf<D>(), Lowest(x, 2 * hn::Lanes(df)));
    const auto in_order = hn::BitCast(d32, hn::PromoteTo(HalvesOf<D>(), bytes));
    const auto pairs = kMirrored ? hn::Reverse(d32, in_order) : in_order;
    const auto low = ToFloats(df, hn::And(pairs, hn::Set(d32, 0xFFFF)));
    const auto high = ToFloats(df, hn::ShiftRight<16>(pairs));
    even = kMirrored ? high : low;
    odd = kMirrored ? low : high;
  }

 private:
  // Where `count` pixels from x on start in memory.
  const uint8_t* Lowest(size_t x, size_t count) const {
    return kMirrored ? first - x - (count - 1) : first + x;
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> ToFloats(D df, hn::Vec<BitsOf<D>> v) {
    return hn::ConvertTo(df, hn::BitCast(IntsOf<D>(), v));
  }
};

// A line of an output channel before it is narrowed, with the operations of MixPixel.
template <bool kMirroredA, bool kMirroredB>
struct MixedLine {
  ViewLine<kMirroredA> a;
  ViewLine<kMirroredB> b;
  ChannelMix mix;

  static MixedLine First(const RenderJob& job, const RowJob& row, int c) {
    return {{job.pool + SourceByte(job.strides, row.a, c, 0, 0)},
            {job.pool + SourceByte(job.strides, row.b, c, 0, 0)},
            row.channels[c]};
  }
  void Down(int32_t stride) {
    a.first += stride;
    b.first += stride;
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Load(D df, size_t x) const {
    return Mix(df, a.Load(df, x), b.Load(df, x));
  }
  template <class D>
  HWY_INLINE void LoadPairs(D df, size_t x, hn::Vec<D>& even, hn::Vec<D>& odd) const {
    hn::Vec<D> a_even, a_odd, b_even, b_odd;
    a.LoadPairs(df, x, a_even, a_odd);
    b.LoadPairs(df, x, b_even, b_odd);
    even = Mix(df, a_even, b_even);
    odd = Mix(df, a_odd, b_odd);
  }

 private:
  template <class D>
  HWY_INLINE hn::Vec<D> Mix(D df, hn::Vec<D> a_pixels, hn::Vec<D> b_pixels) const {
    const auto a_share = hn::Mul(a_pixels, hn::Set(df, mix.a_weight));
    const auto b_share = hn::Mul(b_pixels, hn::Set(df, mix.b_weight));
    return hn::Add(a_share, hn::Add(b_share, hn::Set(df, mix.offset)));
  }
};

// The output types. Make gives one vector of Tag, the finished pixels from x on.
template <class D>
struct Float32Pixels {
  using Tag = D;
  template <class Line>
  static HWY_INLINE hn::Vec<Tag> Make(const Line& line, size_t x) {
    return line.Load(D(), x);
  }
};

template <class D>
struct Float16Pixels {
  using Tag = hn::Rebind<uint16_t, D>;
  template <class Line>
  static HWY_INLINE hn::Vec<Tag> Make(const Line& line, size_t x) {
    return Narrow(line.Load(D(), x));
  }

 private:
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  // Here DemoteTo is the F16C instruction, which rounds to nearest even; elsewhere it may truncate.
  static HWY_INLINE hn::Vec<Tag> Narrow(hn::Vec<D> v) {
    return hn::BitCast(Tag(), hn::DemoteTo(hn::Rebind<hwy::float16_t, D>(), v));
  }
#else
  static HWY_INLINE hn::Vec<Tag> Narrow(hn::Vec<D> v) {
    using B = Float16Bits;
    const BitsOf<D> d32;
    const auto bits = hn::BitCast(d32, v);
    const auto magnitude = hn::And(bits, hn::Set(d32, 0x7FFFFFFF));
    const auto sign = hn::ShiftRight<16>(hn::Xor(bits, magnitude));
    const auto odd = hn::And(hn::ShiftRight<B::kDropped>(magnitude), hn::Set(d32, 1));
    const auto normal = hn::ShiftRight<B::kDropped>(
        hn::Add(hn::Add(magnitude, hn::Set(d32, B::kRebias + B::kJustUnderHalf)), odd));
    const auto apart = hn::Set(D(), B::kSubnormalApart);
    const auto subnormal = hn::Sub(hn::BitCast(d32, hn::Add(hn::BitCast(D(), magnitude), apart)),
                                   hn::BitCast(d32, apart));
    auto narrow = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d32, B::kMinNormal)), subnormal, normal);
    narrow = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d32, B::kOverflow)), narrow,
                            hn::Set(d32, B::kInfinity));
    return hn::DemoteTo(Tag(), hn::BitCast(IntsOf<D>(), hn::Or(narrow, sign)));
  }
#endif
};

template <class D>
struct Bfloat16Pixels {
  using Tag = HalvesOf<D>;
  template <class Line>
  static HWY_INLINE hn::Vec<Tag> Make(const Line& line, size_t x) {
    hn::Vec<D> even, odd;
    line.LoadPairs(D(), x, even, odd);
    const auto low = hn::ShiftRight<16>(Rounded(even));
    return hn::OddEven(hn::BitCast(Tag(), Rounded(odd)), hn::BitCast(Tag(), low));
  }

 private:
  // The bfloat16 is in the upper half.
  static HWY_INLINE hn::Vec<BitsOf<D>> Rounded(hn::Vec<D> v) {
    const BitsOf<D> d32;
    const auto bits = hn::BitCast(d32, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
    return hn::Add(hn::Add(bits, hn::Set(d32, kBfloat16JustUnderHalf)), odd);
  }
};

template <class D>
struct Uint8Pixels {
  using Tag = BytesOf<D>;
  template <class Line>
  static HWY_INLINE hn::Vec<Tag> Make(const Line& line, size_t x) {
    hn::Vec<D> even, odd;
    line.LoadPairs(D(), x, even, odd);
    const HalvesOf<D> d16;
    const auto high = hn::BitCast(d16, hn::ShiftLeft<16>(Rounded(odd)));
    const auto joined = hn::OddEven(high, hn::BitCast(d16, Rounded(even)));
    return hn::DemoteTo(Tag(), hn::BitCast(hn::RebindToSigned<HalvesOf<D>>(), joined));
  }

 private:
  // As ToUint8, whose clamping a mix of raw pixels does not need. The integer is in the low half.
  static HWY_INLINE hn::Vec<BitsOf<D>> Rounded(hn::Vec<D> v) {
    return hn::BitCast(BitsOf<D>(), hn::Add(v, hn::Set(D(), kIntegersApart)));
  }
};

// Calls make(x) for the starts of vectors of `lanes` pixels that together cover [0, width); the
// last two may overlap. The width is at least `lanes`.
template <class Make>
HWY_INLINE void CoverLine(size_t width, size_t lanes, const Make& make) {
  size_t x = 0;
  for (; x + lanes <= width; x += lanes) make(x);
  if (x < width) make(width - lanes);
}

// Samples are random in a pool that no cache holds: while one row is worked on, the lines of the
// next are asked for.
class NextRow {
 public:
  NextRow(const RenderJob& job, const RowJob& next, int c)
      : a_(job.pool + SourceByte(job.strides, next.a, c, 0, 0)),
        b_(job.pool + SourceByte(job.strides, next.b, c, 0, 0)) {}
  HWY_INLINE void PrefetchLine(int32_t stride) {
    hwy::Prefetch(a_);
    hwy::Prefetch(b_);
    a_ += stride;
    b_ += stride;
  }

 private:
  const uint8_t* a_;
  const uint8_t* b_;
};

// The orders of elements that vectors are made for.
enum class Order { kPlanar, kColour };

template <class Pixels, class Line>
void RenderPlanar(const RenderJob& job, const RowJob& row, const RowJob& next,
                  hn::TFromD<typename Pixels::Tag>* HWY_RESTRICT out) {
  const typename Pixels::Tag d;
  const auto width = static_cast<size_t>(job.width);
  const int height = job.height;
  const int32_t stride = job.strides.row;
  for (int c = 0; c < job.channels; ++c) {
    Line line = Line::First(job, row, c);
    NextRow ahead(job, next, c);
    for (int y = 0; y < height; ++y) {
      ahead.PrefetchLine(stride);
      CoverLine(width, hn::Lanes(d),
                [&](size_t x) HWY_ATTR { hn::StoreU(Pixels::Make(line, x), d, out + x); });
      line.Down(stride);
      out += width;
    }
  }
}

template <class Pixels, class Line>
void RenderColour(const RenderJob& job, const RowJob& row, const RowJob& next,
                  hn::TFromD<typename Pixels::Tag>* HWY_RESTRICT out) {
  const typename Pixels::Tag d;
  const auto width = static_cast<size_t>(job.width);
  const int height = job.height;
  const int32_t stride = job.strides.row;
  Line lines[3] = {Line::First(job, row, 0), Line::First(job, row, 1), Line::First(job, row, 2)};
  NextRow ahead[3] = {{job, next, 0}, {job, next, 1}, {job, next, 2}};
  for (int y = 0; y < height; ++y) {
    for (NextRow& channel : ahead) channel.PrefetchLine(stride);
    CoverLine(width, hn::Lanes(d), [&](size_t x) HWY_ATTR {
      hn::StoreInterleaved3(Pixels::Make(lines[0], x), Pixels::Make(lines[1], x),
                            Pixels::Make(lines[2], x), d, out + 3 * x);
    });
    for (Line& line : lines) line.Down(stride);
    out += 3 * width;
  }
}

template <class Pixels, Order kOrder, class Line>
void RenderRow(const RenderJob& job, const RowJob& row, const RowJob& next, std::byte* out) {
  auto* const pixels = reinterpret_cast<hn::TFromD<typename Pixels::Tag>*>(out);
  if constexpr (kOrder == Order::kPlanar) {
    RenderPlanar<Pixels, Line>(job, row, next, pixels);
  } else {
    RenderColour<Pixels, Line>(job, row, next, pixels);
  }
}

using RowFunction = void (*)(const RenderJob&, const RowJob&, const RowJob&, std::byte*);

template <class Pixels, Order kOrder>
void RenderVectors(const RenderJob& job, int64_t begin, int64_t end) {
  static constexpr RowFunction kRender[2][2] = {{RenderRow<Pixels, kOrder, MixedLine<false, false>>,
                                                 RenderRow<Pixels, kOrder, MixedLine<false, true>>},
                                                {RenderRow<Pixels, kOrder, MixedLine<true, false>>,
                                                 RenderRow<Pixels, kOrder, MixedLine<true, true>>}};
  const int64_t elements = int64_t{job.channels} * job.height * job.width;
  const auto row_bytes = elements * static_cast<int64_t>(sizeof(hn::TFromD<typename Pixels::Tag>));
  for (int64_t i = begin; i < end; ++i) {
    const RowJob& row = job.rows[i];
    const RowJob& next = job.rows[i + 1 < job.row_count ? i + 1 : i];
    kRender[row.a.step < 0][row.b.step < 0](job, row, next, job.out + i * row_bytes);
  }
}

// Returns false where the lines are shorter than a vector or the layout is not made for vectors.
template <class Pixels>
bool TryVectors(const RenderJob& job, int64_t begin, int64_t end) {
  if (static_cast<size_t>(job.width) < hn::Lanes(typename Pixels::Tag())) return false;
  if (job.layout == PixelLayout::kNchw || job.channels == 1) {
    RenderVectors<Pixels, Order::kPlanar>(job, begin, end);
  } else if (job.channels == 3) {
    RenderVectors<Pixels, Order::kColour>(job, begin, end);
  } else {
    return false;
  }
  return true;
}

// The widest vectors that fit into a line, else the scalar functions.
template <template <class D> class Pixels>
void RenderRowsAs(const RenderJob& job, int64_t begin, int64_t end) {
#if HWY_TARGET != HWY_SCALAR
  if (TryVectors<Pixels<hn::ScalableTag<float>>>(job, begin, end)) return;
  if (TryVectors<Pixels<hn::CappedTag<float, 4>>>(job, begin, end)) return;
#endif
  const auto elements = static_cast<uint32_t>(job.channels * job.height * job.width);
  for (int64_t i = begin; i < end; ++i) {
    for (uint32_t index = 0; index < elements; ++index) RenderElement(job, i, index);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
