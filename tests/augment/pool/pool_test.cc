#include "augment/pool/pool.h"

#include <gtest/gtest.h>

#include <opencv2/core.hpp>

#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IsOk;

struct PoolCase {
  ImageShape shape;
  int pad;
  PadMode mode;
  int opencv_border;  // the same, as OpenCV calls it
  PadFill fill = {};
};

void PrintTo(const PoolCase& c, std::ostream* out) {
  *out << c.shape.channels << "x" << c.shape.height << "x" << c.shape.width << " pad " << c.pad
       << " mode " << static_cast<int>(c.mode);
}

class PoolPaddingTest : public ::testing::TestWithParam<PoolCase> {};

TEST_P(PoolPaddingTest, EqualsOpenCvsBorders) {
  const PoolCase& c = GetParam();
  constexpr int64_t kCount = 67;  // more than one chunk
  ImageSet images = testing::TinyImages(c.shape, kCount, 10, 3);
  ThreadPool threads(3);
  const auto pool = MakePool(c.shape, images.pixels, c.pad, c.mode, &threads, c.fill);
  ASSERT_THAT(pool, IsOk());
  EXPECT_EQ(pool->count, kCount);
  EXPECT_EQ(pool->shape, c.shape);
  EXPECT_EQ(pool->pad, c.pad);
  ASSERT_EQ(static_cast<int64_t>(pool->pixels.size()), kCount * pool->image_bytes());
  for (int64_t plane = 0; plane < kCount * c.shape.channels; ++plane) {
    const cv::Mat image(c.shape.height, c.shape.width, CV_8UC1,
                        images.pixels.data() + plane * c.shape.height * c.shape.width);
    cv::Mat padded;
    const uint8_t fill = c.fill[static_cast<size_t>(plane % c.shape.channels)];
    cv::copyMakeBorder(image, padded, c.pad, c.pad, c.pad, c.pad, c.opencv_border,
                       cv::Scalar(fill));
    const auto begin = pool->pixels.begin() + plane * pool->plane_bytes();
    const std::vector<uint8_t> made(begin, begin + pool->plane_bytes());
    ASSERT_EQ(made, std::vector<uint8_t>(padded.begin<uint8_t>(), padded.end<uint8_t>()))
        << "plane " << plane;
  }
}

constexpr ImageShape kCifar{};
constexpr ImageShape kOdd{.channels = 1, .height = 5, .width = 9};
constexpr PadMode kReflect = PadMode::kReflect;
constexpr PadMode kZero = PadMode::kZero;
constexpr PadMode kEdge = PadMode::kEdge;

INSTANTIATE_TEST_SUITE_P(All, PoolPaddingTest,
                         ::testing::Values(PoolCase{kCifar, 4, kReflect, cv::BORDER_REFLECT_101},
                                           PoolCase{kCifar, 31, kReflect, cv::BORDER_REFLECT_101},
                                           PoolCase{kOdd, 4, kReflect, cv::BORDER_REFLECT_101},
                                           PoolCase{kOdd, 0, kReflect, cv::BORDER_REFLECT_101},
                                           PoolCase{kCifar, 4, kZero, cv::BORDER_CONSTANT},
                                           PoolCase{kOdd, kMaxPad, kZero, cv::BORDER_CONSTANT},
                                           PoolCase{kCifar, 2, kEdge, cv::BORDER_REPLICATE},
                                           PoolCase{kOdd, kMaxPad, kEdge, cv::BORDER_REPLICATE}));

constexpr PadFill kFill = {124, 0, 255, 7};

std::vector<PoolCase> EveryPadWithAColour() {
  std::vector<PoolCase> cases;
  for (const ImageShape& shape : {kOdd, ImageShape{.channels = 3, .height = 5, .width = 9}}) {
    for (int pad = 0; pad <= kMaxPad; ++pad) {
      cases.push_back({shape, pad, PadMode::kConstant, cv::BORDER_CONSTANT, kFill});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Colour, PoolPaddingTest, ::testing::ValuesIn(EveryPadWithAColour()));

std::vector<PoolCase> EverySize() {
  std::vector<PoolCase> cases;
  for (const int side : {28, 32, 64, 96, 224, kMaxImageSide}) {
    for (const int channels : {1, 3}) {
      const ImageShape shape{.channels = channels, .height = side, .width = side};
      cases.push_back({shape, side / 8, kReflect, cv::BORDER_REFLECT_101});
      cases.push_back({shape, side / 8, PadMode::kConstant, cv::BORDER_CONSTANT, kFill});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Sizes, PoolPaddingTest, ::testing::ValuesIn(EverySize()));

TEST(PoolTest, TheFillIsForConstantPaddingOnly) {
  ThreadPool threads(1);
  const ImageSet images = testing::TinyImages(kOdd, 2, 2, 1);
  for (const PadMode mode : {kReflect, kZero, kEdge}) {
    EXPECT_EQ(MakePool(kOdd, images.pixels, 3, mode, &threads, kFill)->pixels,
              MakePool(kOdd, images.pixels, 3, mode, &threads)->pixels);
  }
}

TEST(PoolTest, HoldsNoImagesWhenGivenNone) {
  ThreadPool threads(1);
  const auto pool = MakePool({}, {}, 4, kReflect, &threads);
  ASSERT_THAT(pool, IsOk());
  EXPECT_EQ(pool->count, 0);
}

TEST(PoolTest, RefusesPadsOutOfRange) {
  ThreadPool threads(1);
  for (int pad : {-1, kMaxPad + 1}) {
    EXPECT_THAT(MakePool({}, {}, pad, kZero, &threads),
                FailsWith(absl::StatusCode::kInvalidArgument, "; allowed: 0..64"));
  }
}

TEST(PoolTest, RefusesToReflectMoreThanTheImageHas) {
  ThreadPool threads(1);
  EXPECT_THAT(MakePool(kOdd, {}, 5, kReflect, &threads),
              FailsWith(absl::StatusCode::kInvalidArgument,
                        "recipe.view.pad is 5; allowed: 0..4 on images of"));
}

TEST(PoolTest, RefusesBytesThatAreNoWholeImages) {
  ThreadPool threads(1);
  const std::vector<uint8_t> bytes(3 * 32 * 32 + 1);
  EXPECT_THAT(MakePool(kCifar, bytes, 4, kReflect, &threads),
              FailsWith(absl::StatusCode::kInvalidArgument, "images are 3073 bytes"));
  EXPECT_THAT(MakePool({.channels = 0, .height = 1, .width = 1}, bytes, 0, kZero, &threads),
              FailsWith(absl::StatusCode::kInvalidArgument, "0x1x1"));
}

TEST(PoolTest, MoreMemoryThanThereIsIsAnError) {
  if (testing::kSanitized) GTEST_SKIP() << "the sanitizer's allocator does not throw";
  // Never read: the padded pool of it would take 16 PB.
  const uint8_t pixel = 0;
  const std::span<const uint8_t> images(&pixel, size_t{1} << 40);
  ThreadPool threads(1);
  EXPECT_THAT(
      MakePool({.channels = 1, .height = 1, .width = 1}, images, kMaxPad, PadMode::kEdge, &threads),
      FailsWith(absl::StatusCode::kResourceExhausted, "no memory for a padded pool of"));
}

}  // namespace
}  // namespace mixfeed
