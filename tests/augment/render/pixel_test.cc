#include "augment/render/pixel.h"

#include <bit>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/largest_difference.h"

namespace mixfeed {
namespace {

ChannelMix MixOf(double mean, double std, float lambda) {
  return MakeChannelMix(mean, std, lambda, 1.0 - lambda);
}

float MixPixel(uint8_t a, uint8_t b, const ChannelMix& mix) {
  return AddShare(a, mix.a_weight, AddShare(b, mix.b_weight, mix.offset));
}

constexpr ImageShape kShape = {3, 4, 5};
constexpr int kPad = 2;

TEST(PixelTest, StridesAreThoseOfThePaddedPool) {
  const PoolStrides strides = MakePoolStrides(kShape, kPad);
  EXPECT_EQ(strides.row, 9);
  EXPECT_EQ(strides.plane, 9 * 8);
  EXPECT_EQ(strides.image, 9 * 8 * 3);
}

TEST(PixelTest, AViewStartsAtItsCropsCorner) {
  const PoolStrides strides = MakePoolStrides(kShape, kPad);
  const ViewSource view = LocateView(strides, 7, 3, 1, false);
  EXPECT_EQ(SourceByte(strides, view, 0, 0, 0), 7 * 216 + 3 * 9 + 1);
  EXPECT_EQ(SourceByte(strides, view, 2, 1, 4), 7 * 216 + 2 * 72 + 4 * 9 + 5);
}

// In the mirrored, padded image a crop at 1 shows columns 1..5, which are 7..3 of the padded one.
TEST(PixelTest, AMirroredViewReadsBackwardsFromTheOtherSide) {
  const PoolStrides strides = MakePoolStrides(kShape, kPad);
  const ViewSource view = LocateView(strides, 0, 0, 1, true);
  EXPECT_EQ(SourceByte(strides, view, 0, 0, 0), 7);
  EXPECT_EQ(SourceByte(strides, view, 0, 0, 4), 3);
}

TEST(PixelTest, BytesOfLargePoolsNeedMoreThan32Bits) {
  const PoolStrides strides = MakePoolStrides({3, 256, 256}, 64);
  const ViewSource view = LocateView(strides, 100000, 0, 0, false);
  EXPECT_EQ(view.origin, int64_t{100000} * 3 * 384 * 384);
}

TEST(PixelTest, MixIsLambdaOfTheFirstAndTheRestOfTheSecond) {
  const ChannelMix mix = MixOf(0.0, 1.0 / 255, 0.25f);
  EXPECT_EQ(MixPixel(200, 100, mix), 125.0f);
}

TEST(PixelTest, TheRawNormalisationLeavesThePixel) {
  const ChannelMix mix = MixOf(0.0, 1.0 / 255, 1.0f);
  for (int pixel = 0; pixel <= 255; ++pixel) {
    EXPECT_EQ(MixPixel(static_cast<uint8_t>(pixel), 255, mix), static_cast<float>(pixel));
  }
}

TEST(PixelTest, SignedNormalisationSpansMinusOneToOne) {
  const ChannelMix mix = MixOf(0.5, 0.5, 1.0f);
  EXPECT_EQ(MixPixel(0, 0, mix), -1.0f);
  EXPECT_NEAR(MixPixel(255, 0, mix), 1.0f, 1e-7);
}

// Also with the offsets whose sign or size invites a -0.
TEST(PixelTest, WithoutAShareOfTheSecondItsPixelsLeaveNoTrace) {
  for (const double mean : {0.0, -0.0, 0.4914, -0.3, 1.0, 1e-320}) {
    for (const double std : {0.2471, 1.0 / 255, 1e6}) {
      const ChannelMix mix = MixOf(mean, std, 1.0f);
      for (int pixel = 0; pixel <= 255; ++pixel) {
        const auto a = static_cast<uint8_t>(pixel);
        const float scaled = static_cast<float>(a) * mix.a_weight;
        const auto alone = std::bit_cast<uint32_t>(scaled + mix.offset);
        ASSERT_EQ(std::bit_cast<uint32_t>(MixPixel(a, 0, mix)), alone) << mean << ", " << std;
        ASSERT_EQ(std::bit_cast<uint32_t>(MixPixel(a, 255, mix)), alone) << mean << ", " << std;
      }
    }
  }
}

TEST(PixelTest, ABoxHoldsItsFirstLineAndColumnAndNotItsEnds) {
  const Box box = {1, 2, 3, 5};
  int held = 0;
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 6; ++x) held += InBox(box, y, x) ? 1 : 0;
  }
  EXPECT_EQ(held, 6);
  EXPECT_TRUE(InBox(box, 1, 2));
  EXPECT_TRUE(InBox(box, 2, 4));
}

TEST(PixelTest, NothingIsInAnEmptyBox) {
  EXPECT_FALSE(InBox({2, 0, 2, 5}, 2, 0));
  EXPECT_FALSE(InBox({0, 3, 5, 1}, 2, 2));
}

// The largest error over all pairs of pixels, against the exact value in double.
double LargestError(double mean, double std, float lambda) {
  const ChannelMix mix = MixOf(mean, std, lambda);
  std::vector<double> exact;
  std::vector<float> got;
  for (int a = 0; a <= 255; ++a) {
    for (int b = 0; b <= 255; ++b) {
      const double mixed = double{lambda} * a + (1.0 - double{lambda}) * b;
      exact.push_back((mixed / 255 - mean) / std);
      got.push_back(MixPixel(static_cast<uint8_t>(a), static_cast<uint8_t>(b), mix));
    }
  }
  return testing::LargestDifference(got, exact);
}

constexpr float kLambdas[] = {0.0f, 1e-30f, 1e-4f,      0.1f, 0.3333333f,
                              0.5f, 0.777f, 0.9999999f, 1.0f};

TEST(PixelTest, ErrorStaysUnderOneMillionthFromMinusOneToOne) {
  for (const float lambda : kLambdas) EXPECT_LT(LargestError(0.5, 0.5, lambda), 1e-6) << lambda;
}

TEST(PixelTest, ErrorStaysUnderTwoMillionthsUnderMeanAndStd) {
  for (const float lambda : kLambdas) {
    EXPECT_LT(LargestError(0.4914, 0.2471, lambda), 2e-6) << lambda;
    EXPECT_LT(LargestError(0.4465, 0.2010, lambda), 2e-6) << lambda;
  }
}

}  // namespace
}  // namespace mixfeed
