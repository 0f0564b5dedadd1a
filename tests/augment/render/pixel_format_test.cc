#include "augment/render/pixel_format.h"

#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Values as the sets' authors publish them.
TEST(FindNormalisationTest, NamedSetsHaveThePublishedNumbers) {
  struct Known {
    const char* name;
    std::array<double, 3> mean;
    std::array<double, 3> std;
  };
  const Known known[] = {
      {"raw", {0, 0, 0}, {1.0 / 255, 1.0 / 255, 1.0 / 255}},
      {"unit", {0, 0, 0}, {1, 1, 1}},
      {"signed", {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}},
      {"cifar10", {0.4914, 0.4822, 0.4465}, {0.2471, 0.2435, 0.2616}},
      {"cifar10-mixup", {0.4914, 0.4822, 0.4465}, {0.2023, 0.1994, 0.2010}},
      {"cifar100", {0.5071, 0.4867, 0.4408}, {0.2675, 0.2565, 0.2761}},
      {"imagenet", {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
  };
  for (const Known& set : known) {
    const absl::StatusOr<Normalisation> found = FindNormalisation(set.name);
    ASSERT_TRUE(found.ok()) << found.status();
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(found->mean[c], set.mean[c], 5e-5) << set.name;
      EXPECT_NEAR(found->std[c], set.std[c], 5e-5) << set.name;
    }
  }
}

TEST(FindNormalisationTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const absl::Status status = FindNormalisation("cifar").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  for (const char* name : {"\"cifar\"", "raw", "unit", "signed", "cifar10-mixup", "imagenet"}) {
    EXPECT_THAT(Message(status), HasSubstr(name));
  }
}

TEST(FindNormalisationTest, GreyImagesHaveNoColourTriples) {
  EXPECT_TRUE(FindNormalisation("signed", 1).ok());
  const absl::Status status = FindNormalisation("cifar10", 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr("cifar10"));
}

TEST(ValidatePixelFormatTest, AcceptsEveryTypeAndLayout) {
  for (const PixelType type :
       {PixelType::kUint8, PixelType::kFloat16, PixelType::kBfloat16, PixelType::kFloat32}) {
    for (const PixelLayout layout : {PixelLayout::kNchw, PixelLayout::kNhwc}) {
      for (int channels = 1; channels <= kMaxChannels; ++channels) {
        EXPECT_TRUE(ValidatePixelFormat({type, layout, {}}, channels).ok());
      }
    }
  }
}

void ExpectRefused(const PixelFormat& format, int channels, const std::string& says) {
  const absl::Status status = ValidatePixelFormat(format, channels);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr(says));
}

TEST(ValidatePixelFormatTest, RefusesUint8WithANormalisation) {
  PixelFormat format;
  format.type = PixelType::kUint8;
  format.normalisation = *FindNormalisation("signed");
  ExpectRefused(format, 3, "uint8");
}

TEST(ValidatePixelFormatTest, RefusesAStdThatIsNotPositiveAndFinite) {
  for (const double std : {0.0, -1.0, 1e-7, 1e7, kNan, kInfinity}) {
    PixelFormat format;
    format.normalisation.std[1] = std;
    ExpectRefused(format, 3, "std[1]");
  }
}

TEST(ValidatePixelFormatTest, RefusesAMeanThatIsNotFinite) {
  for (const double mean : {1e7, -1e7, kNan, kInfinity, -kInfinity}) {
    PixelFormat format;
    format.normalisation.mean[2] = mean;
    ExpectRefused(format, 3, "mean[2]");
  }
}

TEST(ValidatePixelFormatTest, IgnoresEntriesBeyondTheChannels) {
  PixelFormat format;
  format.normalisation.std[1] = 0;
  EXPECT_TRUE(ValidatePixelFormat(format, 1).ok());
}

TEST(ValidatePixelFormatTest, RefusesChannelCountsTypesAndLayoutsThatAreNone) {
  ExpectRefused({}, 0, "channels is 0");
  ExpectRefused({}, kMaxChannels + 1, "channels is 5");
  PixelFormat format;
  format.type = static_cast<PixelType>(4);
  ExpectRefused(format, 3, "type is 4");
  format = {};
  format.layout = static_cast<PixelLayout>(2);
  ExpectRefused(format, 3, "layout is 2");
}

TEST(PixelFormatTest, SizesAreThoseOfTheTypes) {
  EXPECT_EQ(ImageBytes({3, 32, 32}, PixelType::kUint8), 3072u);
  EXPECT_EQ(ImageBytes({3, 32, 32}, PixelType::kFloat16), 6144u);
  EXPECT_EQ(ImageBytes({3, 32, 32}, PixelType::kBfloat16), 6144u);
  EXPECT_EQ(ImageBytes({1, 28, 28}, PixelType::kFloat32), 3136u);
}

}  // namespace
}  // namespace mixfeed
