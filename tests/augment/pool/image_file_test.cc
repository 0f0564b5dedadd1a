#include "augment/pool/image_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/imgproc.hpp>
#include <random>

#include "absl/strings/str_cat.h"
#include "augment/pool/image_header.h"
#include "tests/augment/pool/image_files.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IsOk;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

// A smooth image with some noise, as decoders meet it.
cv::Mat3b Picture(int width, int height) {
  std::mt19937 random(5);
  cv::Mat3b image(height, width);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image(y, x) = cv::Vec3b(static_cast<uint8_t>(3 * x), static_cast<uint8_t>(2 * y),
                              static_cast<uint8_t>(random() % 64));
    }
  }
  return image;
}

class ImageFormatTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string path() const { return folder_.File(std::string("image.") + GetParam()); }
  absl::Status Read() { return ReadImageFile(path(), kSide, pixels_.data()); }
  static constexpr int kSide = 32;
  const testing::TempDir folder_;
  std::vector<uint8_t> pixels_ = std::vector<uint8_t>(size_t{3} * kSide * kSide);
};

TEST_P(ImageFormatTest, DeclaresItsSizeInItsHeader) {
  cv::imwrite(path(), Picture(57, 39));
  const std::string bytes = testing::ReadBytes(path());
  const auto size = ReadImageSize({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  ASSERT_THAT(size, IsOk());
  EXPECT_EQ(size->width, 57);
  EXPECT_EQ(size->height, 39);
}

TEST_P(ImageFormatTest, IsReadAsRedGreenBluePlanes) {
  testing::WriteColour(path(), 200, 100, 50);
  ASSERT_THAT(Read(), IsOk());
  for (int i = 0; i < 32 * 32; ++i) {
    ASSERT_NEAR(pixels_[static_cast<size_t>(i)], 200, 2);
    ASSERT_NEAR(pixels_[static_cast<size_t>(1024 + i)], 100, 2);
    ASSERT_NEAR(pixels_[static_cast<size_t>(2048 + i)], 50, 2);
  }
}

TEST_P(ImageFormatTest, IsRefusedWhenItIsCutOff) {
  cv::imwrite(path(), Picture(64, 64));
  const std::string whole = testing::ReadBytes(path());
  for (size_t length : {size_t{0}, size_t{1}, size_t{5}, size_t{20}, whole.size() / 4,
                        whole.size() / 2, whole.size() - 20}) {
    testing::WriteBytes(path(), whole.substr(0, length));
    EXPECT_THAT(Read(), FailsWith(kDataLoss, path() + ": ")) << length << " bytes";
    if (length < 20) continue;
    EXPECT_THAT(Read(), FailsWith(kDataLoss, absl::StrCat(" ends at byte ", length)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ImageFormatTest, ::testing::Values("png", "jpg", "bmp", "ppm"));

class ImageFileTest : public ::testing::Test {
 protected:
  absl::Status Read(const std::string& bytes) {
    testing::WriteBytes(path_, bytes);
    return ReadImageFile(path_, 8, pixels_.data());
  }
  const testing::TempDir folder_;
  const std::string path_ = folder_.File("image");
  std::vector<uint8_t> pixels_ = std::vector<uint8_t>(192);
};

// Each pixel is the mean of the pixels that it covers.
TEST_F(ImageFileTest, IsScaledByAreaAveraging) {
  const cv::Mat3b picture = Picture(32, 16);
  cv::imwrite(folder_.File("image.png"), picture);
  ASSERT_THAT(ReadImageFile(folder_.File("image.png"), 8, pixels_.data()), IsOk());
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const cv::Scalar mean = cv::mean(picture(cv::Rect(4 * x, 2 * y, 4, 2)));
      for (int c = 0; c < 3; ++c) {
        ASSERT_NEAR(pixels_[static_cast<size_t>(c * 64 + y * 8 + x)], mean[2 - c], 0.51);
      }
    }
  }
}

TEST_F(ImageFileTest, GreyIsRepeated) {
  ASSERT_THAT(Read("P5\n# a comment\n2 2\n255\n" + std::string(4, '\x55')), IsOk());
  EXPECT_THAT(pixels_, ::testing::Each(0x55));
}

TEST_F(ImageFileTest, TooManyPixelsAreRefusedByTheHeaderAlone) {
  // Only headers: had a decoder seen them, they would be cut off instead.
  const std::string png = std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  EXPECT_THAT(Read(png + std::string("\0\0\x1f\x41\0\0\x1f\x40", 8)),
              FailsWith(kInvalid, path_ + ": has 8001x8000 pixels; allowed are up to 64000000"));
  EXPECT_THAT(Read(png + std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8)),
              FailsWith(kInvalid, "4294967295x4294967295"));
  EXPECT_THAT(Read("P6 99999999999999999999 10 255\n"), FailsWith(kInvalid, "pixels"));
  EXPECT_THAT(Read("BM" + std::string(16, '\0') + std::string("\0\0\1\0\0\0\xff\xff", 8)),
              FailsWith(kInvalid, "65536x65536"));
  EXPECT_THAT(Read(std::string("\xff\xd8\xff\xc0\0\x09\x08\xff\xff\xff\xff\x03\0", 13) +
                   std::string("\xff\xda\0\2\0\0\0\0\0\xff\xd9", 11)),
              FailsWith(kInvalid, "65535x65535"));
  // The largest that are allowed are looked at further.
  EXPECT_THAT(Read(png + std::string("\0\0\x1f\x40\0\0\x1f\x40", 8)),
              FailsWith(kDataLoss, "PNG ends at byte 24"));
}

TEST_F(ImageFileTest, NoPixelsAreRefused) {
  EXPECT_THAT(Read("P6 0 10 255\n"), FailsWith(kDataLoss, path_ + ": declares 0x10 pixels"));
  EXPECT_THAT(Read("P6 x 10 255\n"), FailsWith(kDataLoss, "declares 0x0 pixels"));
}

// What is missing is told by the header, or by the chunk that is cut off.
TEST_F(ImageFileTest, TheLengthThatIsMissingIsNamed) {
  EXPECT_THAT(Read("P5 4 4 255\n" + std::string(15, 'x')),
              FailsWith(kDataLoss, path_ + ": PGM or PPM ends at byte 26 of 27"));
  EXPECT_THAT(Read("P6 4 4 65535\n" + std::string(95, 'x')),
              FailsWith(kDataLoss, "ends at byte 108 of 109"));
  std::vector<uint8_t> bmp;
  cv::imencode(".bmp", Picture(5, 4), bmp);
  EXPECT_THAT(Read(std::string(bmp.begin(), bmp.end() - 1)),
              FailsWith(kDataLoss, "BMP ends at byte 117 of 118"));
  std::vector<uint8_t> png;
  cv::imencode(".png", Picture(5, 4), png);
  EXPECT_THAT(Read(std::string(png.begin(), png.end() - 1)),
              FailsWith(kDataLoss, absl::StrCat("PNG ends at byte ", png.size() - 1)));
  EXPECT_THAT(Read(std::string(png.begin(), png.end() - 13)),
              FailsWith(kDataLoss, absl::StrCat("PNG ends at byte ", png.size() - 13, " of ",
                                                png.size() - 12)));
}

std::string SmallJpeg() {
  std::vector<uint8_t> jpeg;
  cv::imencode(".jpg", Picture(8, 8), jpeg);
  return {jpeg.begin(), jpeg.end()};
}

TEST_F(ImageFileTest, MarkersOfAJpegThatStandAloneHaveNoLength) {
  const std::string jpeg = SmallJpeg();
  EXPECT_THAT(Read(jpeg.substr(0, 2) + "\xff\x01" + jpeg.substr(2)), IsOk());
}

TEST_F(ImageFileTest, ASecondFrameHeaderInAJpegIsRefused) {
  const std::string jpeg = SmallJpeg();
  const size_t at = jpeg.find("\xff\xc0");
  ASSERT_NE(at, std::string::npos);
  EXPECT_THAT(Read(jpeg.substr(0, at + 19) + jpeg.substr(at)),
              FailsWith(kDataLoss, absl::StrCat("second frame header at byte ", at + 19)));
}

TEST_F(ImageFileTest, HugeFilesAreRefusedUnread) {
  std::ofstream(path_).close();
  std::filesystem::resize_file(path_, uintmax_t{kMaxImageFileBytes} + 1);
  EXPECT_THAT(ReadImageFile(path_, 8, pixels_.data()),
              FailsWith(kInvalid, path_ + ": has 268435457 bytes; allowed are up to 268435456"));
}

TEST_F(ImageFileTest, OtherFilesAreRefused) {
  EXPECT_THAT(Read("label,file\n"),
              FailsWith(kDataLoss, path_ + ": byte 0 begins no known format; allowed are PNG"));
  EXPECT_THAT(Read("\xff\xd8 no marker"), FailsWith(kDataLoss, "no marker at byte 2"));
  EXPECT_THAT(ReadImageFile(folder_.File("none"), 8, pixels_.data()),
              FailsWith(absl::StatusCode::kNotFound, folder_.File("none")));
}

TEST_F(ImageFileTest, DamagedPixelsAreRefused) {
  std::vector<uint8_t> png;
  cv::imencode(".png", Picture(64, 64), png);
  png[png.size() / 2] ^= 0xFF;
  EXPECT_THAT(Read(std::string(png.begin(), png.end())),
              FailsWith(kDataLoss, path_ + ": cannot be decoded"));
}

}  // namespace
}  // namespace mixfeed
