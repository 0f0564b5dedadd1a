#include "augment/render/narrow.h"

#include <bit>
#include <cmath>
#include <cstdint>

#include "gtest/gtest.h"
#include "tests/augment/render/narrow_reference.h"

namespace mixfeed {
namespace {

using testing::DecodeNarrow;
using testing::kBfloat16Type;
using testing::kFloat16Type;
using testing::NarrowType;
using testing::RoundNarrow;

constexpr uint32_t kInfinityBits = 0x7F800000;

// Every sign, exponent and leading mantissa bits of a float32, with low halves around every place
// where a rounding can turn: float16 drops 13 bits, bfloat16 16.
template <class Check>
void ForManyFloats(const Check& check) {
  constexpr uint32_t kLowHalves[] = {0x0000, 0x0001, 0x0FFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001,
                                     0x7FFF, 0x8000, 0x8001, 0xCFFF, 0xD000, 0xD001, 0xFFFF};
  for (uint32_t high = 0; high <= 0xFFFF; ++high) {
    for (const uint32_t low : kLowHalves) {
      const uint32_t bits = (high << 16) | low;
      if ((bits & 0x7FFFFFFF) < kInfinityBits) check(std::bit_cast<float>(bits));
    }
  }
}

// Compared as bits of a double, so that the sign of zero counts.
void ExpectRounds(const NarrowType& type, uint16_t (*convert)(float)) {
  int64_t wrong = 0;
  ForManyFloats([&](float value) {
    const double got = DecodeNarrow(type, convert(value));
    const double want = RoundNarrow(type, value);
    if (std::bit_cast<uint64_t>(got) == std::bit_cast<uint64_t>(want)) return;
    if (wrong++ == 0) ADD_FAILURE() << value << " became " << got << ", not " << want;
  });
  EXPECT_EQ(wrong, 0);
}

TEST(NarrowTest, Float16IsTheNearestWithTiesToEven) { ExpectRounds(kFloat16Type, ToFloat16); }

TEST(NarrowTest, Bfloat16IsTheNearestWithTiesToEven) { ExpectRounds(kBfloat16Type, ToBfloat16); }

TEST(NarrowTest, Float16OfEveryFloat16IsItself) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const double value = DecodeNarrow(kFloat16Type, static_cast<uint16_t>(bits));
    const bool nan = (bits & 0x7FFF) > 0x7C00;
    if (nan) continue;
    ASSERT_EQ(ToFloat16(static_cast<float>(value)), bits);
  }
}

// Values from IEEE 754's tables of binary16.
TEST(NarrowTest, Float16KnowsTheKnownValues) {
  EXPECT_EQ(ToFloat16(1.0f), 0x3C00);
  EXPECT_EQ(ToFloat16(-2.0f), 0xC000);
  EXPECT_EQ(ToFloat16(65504.0f), 0x7BFF);
  EXPECT_EQ(ToFloat16(65519.996f), 0x7BFF);
  EXPECT_EQ(ToFloat16(65520.0f), 0x7C00);
  EXPECT_EQ(ToFloat16(1e30f), 0x7C00);
  EXPECT_EQ(ToFloat16(0.000060975552f), 0x03FF);
  EXPECT_EQ(ToFloat16(0.000061035156f), 0x0400);
  EXPECT_EQ(ToFloat16(5.9604645e-8f), 0x0001);
}

TEST(NarrowTest, Uint8IsTheNearestWithTiesToEvenFrom0To255) {
  for (int sixteenth = 0; sixteenth <= 255 * 16; ++sixteenth) {
    const float value = static_cast<float>(sixteenth) / 16;
    ASSERT_EQ(ToUint8(value), std::nearbyint(value)) << value;
  }
}

TEST(NarrowTest, Uint8ClampsWhatLiesOutside) {
  EXPECT_EQ(ToUint8(-0.1f), 0);
  EXPECT_EQ(ToUint8(-1e30f), 0);
  EXPECT_EQ(ToUint8(255.1f), 255);
  EXPECT_EQ(ToUint8(256.5f), 255);
  EXPECT_EQ(ToUint8(1e30f), 255);
}

}  // namespace
}  // namespace mixfeed
