#ifndef MIXFEED_TESTS_AUGMENT_RENDER_NARROW_REFERENCE_H_
#define MIXFEED_TESTS_AUGMENT_RENDER_NARROW_REFERENCE_H_

#include <cmath>
#include <cstdint>
#include <limits>

namespace mixfeed::testing {

// A binary floating point type with an implied leading one, as IEEE 754 describes it.
struct NarrowType {
  int mantissa_bits;  // without the implied one
  int min_exponent;   // of the smallest normal number
  int max_exponent;   // of the largest finite numbers
};

inline constexpr NarrowType kFloat16Type = {10, -14, 15};
inline constexpr NarrowType kBfloat16Type = {7, -126, 127};

// The number that 16 bits stand for.
inline double DecodeNarrow(const NarrowType& type, uint16_t bits) {
  const int mantissa = bits & ((1 << type.mantissa_bits) - 1);
  const int biased = (bits & 0x7FFF) >> type.mantissa_bits;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int one = 1 << type.mantissa_bits;
  if (biased == 0) return sign * std::ldexp(mantissa, type.min_exponent - type.mantissa_bits);
  const int exponent = biased - 1 + type.min_exponent;
  if (exponent > type.max_exponent) return sign * std::numeric_limits<double>::infinity();
  return sign * std::ldexp(one + mantissa, exponent - type.mantissa_bits);
}

// The number of `type` nearest to `value`, ties to even; infinity from the largest plus half a
// step.
inline double RoundNarrow(const NarrowType& type, double value) {
  if (value == 0) return value;
  const int exponent = std::max(std::ilogb(value), type.min_exponent);
  const double step = std::ldexp(1.0, exponent - type.mantissa_bits);
  const double rounded = std::nearbyint(value / step) * step;
  if (std::abs(rounded) < std::ldexp(1.0, type.max_exponent + 1)) return rounded;
  return std::copysign(std::numeric_limits<double>::infinity(), value);
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_RENDER_NARROW_REFERENCE_H_
