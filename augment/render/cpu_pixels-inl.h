// Vectors of finished pixels in each output type, bit for bit as narrow.h defines them.

// Highway's toggling guard: the pass of each target gets in once.
#if defined(MIXFEED_AUGMENT_RENDER_CPU_PIXELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MIXFEED_AUGMENT_RENDER_CPU_PIXELS_INL_H_
#undef MIXFEED_AUGMENT_RENDER_CPU_PIXELS_INL_H_
#else
#define MIXFEED_AUGMENT_RENDER_CPU_PIXELS_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "augment/render/cpu_lines-inl.h"
#include "augment/render/narrow.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace HWY_NAMESPACE {

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
    return hn::DemoteTo(Tag(), hn::BitCast(SignedHalvesOf<D>(), joined));
  }
  // A raw pixel with a weight of 1 is what it was.
  template <bool kMirrored>
  static HWY_INLINE hn::Vec<Tag> Make(const SumLine<ViewLine<kMirrored>, ConstantLine>& line,
                                      size_t x) {
    return line.view.LoadBytes(D(), x);
  }

 private:
  // As ToUint8, whose clamping a mix of raw pixels does not need. The integer is in the low half.
  static HWY_INLINE hn::Vec<BitsOf<D>> Rounded(hn::Vec<D> v) {
    return hn::BitCast(BitsOf<D>(), hn::Add(v, hn::Set(D(), kIntegersApart)));
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
