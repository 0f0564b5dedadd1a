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
    int channels = 3;
  };
  const Known known[] = {
      {"raw", {0, 0, 0}, {1.0 / 255, 1.0 / 255, 1.0 / 255}},
      {"unit", {0, 0, 0}, {1, 1, 1}},
      {"signed", {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}},
      {"cifar10", {0.4914, 0.4822, 0.4465}, {0.2471, 0.2435, 0.2616}},
      {"cifar10-mixup", {0.4914, 0.4822, 0.4465}, {0.2023, 0.1994, 0.2010}},
      {"cifar10-wrn", {0.491373, 0.482353, 0.446667}, {0.247059, 0.243529, 0.261569}},
      {"airbench", {0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}},
      {"cifar10-fastai", {0.491, 0.482, 0.447}, {0.247, 0.243, 0.261}},
      {"cifar100", {0.507059, 0.486667, 0.440784}, {0.267451, 0.256471, 0.276078}},
      {"cifar100-fixmatch", {0.5071, 0.4867, 0.4408}, {0.2675, 0.2565, 0.2761}},
      {"svhn", {0.4380, 0.4440, 0.4730}, {0.1751, 0.1771, 0.1744}},
      {"stl10", {0.440784, 0.427843, 0.386667}, {0.268235, 0.261176, 0.268627}},
      {"mnist", {0.1307, 0, 0}, {0.3081, 0, 0}, 1},
      {"fashion-mnist", {0.2860, 0, 0}, {0.3530, 0, 0}, 1},
      {"imagenet", {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
  };
  std::vector<std::string> names;
  for (const Known& set : known) {
    names.emplace_back(set.name);
    const absl::StatusOr<Normalisation> found = FindNormalisation(set.name, set.channels);
    ASSERT_TRUE(found.ok()) << found.status();
    for (size_t c = 0; c < static_cast<size_t>(set.channels); ++c) {
      EXPECT_NEAR(found->mean[c], set.mean[c], 1e-6) << set.name;
      EXPECT_NEAR(found->std[c], set.std[c], 1e-6) << set.name;
    }
  }
  EXPECT_EQ(NormalisationNames(), names);
}

TEST(FindNormalisationTest, EverySetIsAPixelFormat) {
  for (const std::string& name : NormalisationNames()) {
    const int channels = FindNormalisation(name, 3).ok() ? 3 : 1;
    PixelFormat format;
    format.normalisation = *FindNormalisation(name, channels);
    EXPECT_TRUE(ValidatePixelFormat(format, channels).ok()) << name;
  }
}

TEST(FindNormalisationTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const absl::Status status = FindNormalisation("cifar").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), HasSubstr("normalisation \"cifar\" is not known; there are raw, "));
  for (const std::string& name : NormalisationNames()) {
    EXPECT_THAT(Message(status), HasSubstr(name));
  }
}

TEST(FindNormalisationTest, GreyImagesHaveNoColourTriples) {
  EXPECT_TRUE(FindNormalisation("signed", 1).ok());
  const absl::Status status = FindNormalisation("cifar10", 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr("cifar10"));
}

TEST(FindNormalisationTest, ColourImagesHaveNoSetsOfGreyOnes) {
  EXPECT_TRUE(FindNormalisation("mnist", 1).ok());
  const absl::Status status = FindNormalisation("mnist", 3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status),
              HasSubstr("normalisation \"mnist\" is for 1-channel images; these have 3"));
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
