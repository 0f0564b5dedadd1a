#ifndef MIXFEED_AUGMENT_RENDER_NARROW_H_
#define MIXFEED_AUGMENT_RENDER_NARROW_H_

#include <bit>
#include <cstdint>

#include "augment/render/pixel.h"

// Rounding of a finished float32 pixel to the narrower types, by integer arithmetic on its bits, so
// that every compiler, CPU and GPU gives the same. Arguments are numbers, not NaN.
namespace mixfeed {

// Nearest integer, ties to even, clamped to 0..255.
MIXFEED_HD inline uint8_t ToUint8(float value) {
  constexpr float kMax = 255.0f;
  const float clamped = value < 0.0f ? 0.0f : (value > kMax ? kMax : value);
  // From 2^23 on, neighbouring floats are 1 apart: the addition rounds to the integer.
  constexpr float kOneApart = 8388608.0f;
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(clamped + kOneApart));
}

// The bits of the nearest bfloat16, ties to even; beyond the largest, infinity.
MIXFEED_HD inline uint16_t ToBfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  constexpr uint32_t kJustUnderHalf = 0x7FFF;
  const uint32_t odd = (bits >> 16) & 1;
  return static_cast<uint16_t>((bits + kJustUnderHalf + odd) >> 16);
}

// The bits of the nearest float16 (IEEE 754 binary16), ties to even; subnormal where they are due;
// beyond the largest, infinity.
MIXFEED_HD inline uint16_t ToFloat16(float value) {
  constexpr uint32_t kOverflow = 0x47800000;   // 65536
  constexpr uint32_t kMinNormal = 0x38800000;  // 2^-14
  constexpr uint32_t kRebias = 0xC8000000;     // (15 - 127) << 23
  constexpr int kDropped = 13;                 // mantissa bits that float16 lacks
  constexpr uint32_t kInfinity = 0x7C00;
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude >= kOverflow) return static_cast<uint16_t>(sign | kInfinity);
  if (magnitude < kMinNormal) {
    // 0.5 has the spacing of float16's subnormals, 2^-24: the addition rounds, and leaves the
    // subnormal's mantissa in the low bits.
    constexpr float kSubnormalApart = 0.5f;
    const float shifted = std::bit_cast<float>(magnitude) + kSubnormalApart;
    const uint32_t mantissa =
        std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kSubnormalApart);
    return static_cast<uint16_t>(sign | mantissa);
  }
  const uint32_t odd = (magnitude >> kDropped) & 1;
  constexpr uint32_t kJustUnderHalf = (1u << (kDropped - 1)) - 1;
  return static_cast<uint16_t>(sign | ((magnitude + kRebias + kJustUnderHalf + odd) >> kDropped));
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_NARROW_H_
