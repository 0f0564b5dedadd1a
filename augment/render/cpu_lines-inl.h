// Lines of pixels as vectors of floats.

// Highway's toggling guard: the pass of each target gets in once.
#if defined(MIXFEED_AUGMENT_RENDER_CPU_LINES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MIXFEED_AUGMENT_RENDER_CPU_LINES_INL_H_
#undef MIXFEED_AUGMENT_RENDER_CPU_LINES_INL_H_
#else
#define MIXFEED_AUGMENT_RENDER_CPU_LINES_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "augment/render/pixel.h"
#include "augment/render/render_job.h"
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

// A line of one output channel before it is narrowed: of two images, one, or finished pixels. Each
// gives the operations of pixel.h, in their order.
template <bool kMirroredA, bool kMirroredB>
struct PairLine {
  ViewLine<kMirroredA> a;
  ViewLine<kMirroredB> b;
  ChannelMix mix;

  static PairLine First(const RenderJob& job, const RowJob& row, int c) {
    return {{job.pool + SourceByte(job.strides, row.a.view, c, 0, 0)},
            {job.pool + SourceByte(job.strides, row.b.view, c, 0, 0)},
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

template <bool kMirrored>
struct SingleLine {
  ViewLine<kMirrored> a;
  ChannelMix mix;

  static SingleLine First(const RenderJob& job, const RowJob& row, int c) {
    return {{job.pool + SourceByte(job.strides, row.a.view, c, 0, 0)}, row.channels[c]};
  }
  void Down(int32_t stride) { a.first += stride; }
  template <class D>
  HWY_INLINE hn::Vec<D> Load(D df, size_t x) const {
    return Normalised(df, a.Load(df, x));
  }
  template <class D>
  HWY_INLINE void LoadPairs(D df, size_t x, hn::Vec<D>& even, hn::Vec<D>& odd) const {
    a.LoadPairs(df, x, even, odd);
    even = Normalised(df, even);
    odd = Normalised(df, odd);
  }

 private:
  template <class D>
  HWY_INLINE hn::Vec<D> Normalised(D df, hn::Vec<D> pixels) const {
    return hn::Add(hn::Mul(pixels, hn::Set(df, mix.a_weight)), hn::Set(df, mix.offset));
  }
};

struct FinishedLine {
  const float* first;

  void Down(int32_t stride) { first += stride; }
  template <class D>
  HWY_INLINE hn::Vec<D> Load(D df, size_t x) const {
    return hn::LoadU(df, first + x);
  }
  template <class D>
  HWY_INLINE void LoadPairs(D df, size_t x, hn::Vec<D>& even, hn::Vec<D>& odd) const {
    hn::LoadInterleaved2(df, first + x, even, odd);
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

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
