#ifndef MIXFEED_AUGMENT_RENDER_NARROW_H_
#define MIXFEED_AUGMENT_RENDER_NARROW_H_

#include <bit>
#include <cstdint>

#include "augment/render/host_device.h"

// Rounding of a finished float32 pixel to the narrower types, by integer arithmetic on its bits, so
// that every compiler, CPU and GPU gives the same. Arguments are numbers, not NaN.
namespace mixfeed {

// From 2^23 on, neighbouring float32s are 1 apart: adding this rounds to the integer, and leaves it
// in the low bits.
inline constexpr float kIntegersApart = 8388608.0f;

// Nearest integer, ties to even, clamped to 0..255.
MIXFEED_HD inline uint8_t ToUint8(float value) {
  constexpr float kMax = 255.0f;
  const float clamped = value < 0.0f ? 0.0f : (value > kMax ? kMax : value);
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(clamped + kIntegersApart));
}

inline constexpr uint32_t kBfloat16JustUnderHalf = 0x7FFF;  // of the 16 bits that it lacks

// The bits of the nearest bfloat16, ties to even; beyond the largest, infinity.
MIXFEED_HD inline uint16_t ToBfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t odd = (bits >> 16) & 1;
  return static_cast<uint16_t>((bits + kBfloat16JustUnderHalf + odd) >> 16);
}

// float16 (IEEE 754 binary16) in terms of the bits of a float32's magnitude.
struct Float16Bits {
  static constexpr uint32_t kOverflow = 0x47800000;   // 65536, for which there is no exponent
  static constexpr uint32_t kMinNormal = 0x38800000;  // 2^-14
  static constexpr uint32_t kRebias = 0xC8000000;     // (15 - 127) << 23: the exponent's bias
  static constexpr uint32_t kInfinity = 0x7C00;
  static constexpr int kDropped = 13;  // mantissa bits that float16 lacks
  static constexpr uint32_t kJustUnderHalf = (1u << (kDropped - 1)) - 1;
  // The spacing of floats here is that of float16's subnormals, 2^-24: adding it rounds, and leaves
  // the subnormal's mantissa in the low bits.
  static constexpr float kSubnormalApart = 0.5f;
};

// The bits of the nearest float16, ties to even; subnormal where they are due; beyond the largest,
// infinity.
MIXFEED_HD inline uint16_t ToFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  uint32_t narrow = Float16Bits::kInfinity;
  if (magnitude < Float16Bits::kMinNormal) {
    const float shifted = std::bit_cast<float>(magnitude) + Float16Bits::kSubnormalApart;
    narrow =
        std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(Float16Bits::kSubnormalApart);
  } else if (magnitude < Float16Bits::kOverflow) {
    const uint32_t odd = (magnitude >> Float16Bits::kDropped) & 1;
    narrow = (magnitude + Float16Bits::kRebias + Float16Bits::kJustUnderHalf + odd) >>
             Float16Bits::kDropped;
  }
  return static_cast<uint16_t>(sign | narrow);
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_NARROW_H_
