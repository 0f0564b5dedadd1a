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
using SignedHalvesOf = hn::RebindToSigned<HalvesOf<D>>;
template <class D>
using BytesOf = hn::Rebind<uint8_t, HalvesOf<D>>;  // 2 N lanes

// One line of a view in the pool.
template <bool kMirrored>
struct ViewLine {
  const uint8_t* first;  // the pixel at x 0; the others lie before it if mirrored
  int32_t stride;        // to the line below

  void Down() { first += stride; }

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

  // Pixels x to x + 2 N - 1 as they are.
  template <class D>
  HWY_INLINE hn::Vec<BytesOf<D>> LoadBytes(D df, size_t x) const {
    const BytesOf<D> d8;
    const auto bytes = hn::LoadU(d8, Lowest(x, 2 * hn::Lanes(df)));
    if constexpr (!kMirrored) return bytes;
    return hn::DemoteTo(
        d8, hn::Reverse(SignedHalvesOf<D>(), hn::PromoteTo(SignedHalvesOf<D>(), bytes)));
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

// A line that is float32 already.
struct FloatLine {
  const float* first;
  size_t stride;  // to the line below

  void Down() { first += stride; }
  template <class D>
  HWY_INLINE hn::Vec<D> Load(D df, size_t x) const {
    return hn::LoadU(df, first + x);
  }
  template <class D>
  HWY_INLINE void LoadPairs(D df, size_t x, hn::Vec<D>& even, hn::Vec<D>& odd) const {
    hn::LoadInterleaved2(df, first + x, even, odd);
  }
};

// A line of levels after a tone table (see tone.h).
struct TonedLine {
  const float* steps;  // of each pixel the table's level and rise
  const float* parts;  // how far each pixel is from that level
  size_t stride;       // pixels to the line below

  void Down() {
    steps += 2 * stride;
    parts += stride;
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Load(D df, size_t x) const {
    hn::Vec<D> level, rise;
    hn::LoadInterleaved2(df, steps + 2 * x, level, rise);
    return hn::Add(level, hn::Mul(hn::LoadU(df, parts + x), rise));
  }
  template <class D>
  HWY_INLINE void LoadPairs(D df, size_t x, hn::Vec<D>& even, hn::Vec<D>& odd) const {
    hn::Vec<D> even_level, even_rise, odd_level, odd_rise;
    hn::LoadInterleaved4(df, steps + 2 * x, even_level, even_rise, odd_level, odd_rise);
    hn::Vec<D> even_part, odd_part;
    hn::LoadInterleaved2(df, parts + x, even_part, odd_part);
    even = hn::Add(even_level, hn::Mul(even_part, even_rise));
    odd = hn::Add(odd_level, hn::Mul(odd_part, odd_rise));
  }
};

// A line of one number.
struct ConstantLine {
  float number;

  void Down() {}
  template <class D>
  HWY_INLINE hn::Vec<D> Load(D df, size_t) const {
    return hn::Set(df, number);
  }
  template <class D>
  HWY_INLINE void LoadPairs(D df, size_t, hn::Vec<D>& even, hn::Vec<D>& odd) const {
    even = odd = hn::Set(df, number);
  }
};

// pixel.h's AddShare of a view to what the others gave, `rest`. Each of the two is one of the lines
// above.
template <class View, class Rest>
struct SumLine {
  View view;
  float weight;
  Rest rest;

  void Down() {
    view.Down();
    rest.Down();
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Load(D df, size_t x) const {
    return Sum(df, view.Load(df, x), rest.Load(df, x));
  }
  template <class D>
  HWY_INLINE void LoadPairs(D df, size_t x, hn::Vec<D>& even, hn::Vec<D>& odd) const {
    hn::Vec<D> rest_even, rest_odd;
    rest.LoadPairs(df, x, rest_even, rest_odd);
    view.LoadPairs(df, x, even, odd);
    even = Sum(df, even, rest_even);
    odd = Sum(df, odd, rest_odd);
  }

 private:
  template <class D>
  HWY_INLINE hn::Vec<D> Sum(D df, hn::Vec<D> levels, hn::Vec<D> others) const {
    return hn::Add(hn::Mul(levels, hn::Set(df, weight)), others);
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

// Writes `lines` lines of `width` from `line` on, one after another.
template <class D, class Line>
HWY_INLINE void StoreLines(Line line, size_t width, int lines, float* HWY_RESTRICT out) {
  const D df;
  for (int y = 0; y < lines; ++y) {
    CoverLine(width, hn::Lanes(df),
              [&](size_t x) HWY_ATTR { hn::StoreU(line.Load(df, x), df, out + x); });
    line.Down();
    out += width;
  }
}

// The first line of a window of a view in the pool, of channel c.
template <bool kMirrored>
ViewLine<kMirrored> FirstLine(const RenderJob& job, const ViewSource& view, int c, int y, int x) {
  return {job.pool + SourceByte(job.strides, view, c, y, x), job.strides.row};
}

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
