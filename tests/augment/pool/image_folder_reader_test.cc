#include "augment/pool/image_folder_reader.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/augment/pool/image_files.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::WriteColour;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

class ImageFolderTest : public ::testing::Test {
 protected:
  // An image whose red tells it apart.
  void Add(const std::string& file, int red) { WriteColour(folder_.File(file), red, 0, 0, 16, 16); }
  void AddFolder(const std::string& name) {
    std::filesystem::create_directories(folder_.File(name));
  }
  absl::StatusOr<Dataset> Read(int side = 8) { return ReadImageFolder(folder_.path(), side); }
  // The first red value of each image.
  static std::vector<int> Reds(const Dataset& dataset, const ImageSet& images) {
    std::vector<int> reds;
    for (int64_t i = 0; i < images.count(); ++i) {
      reds.push_back(images.pixels[static_cast<size_t>(i * dataset.shape.pixels())]);
    }
    return reds;
  }
  const testing::TempDir folder_;
};

TEST_F(ImageFolderTest, ReadsTrainAndTestByClassAndName) {
  Add("train/dog/b.png", 4);
  Add("train/dog/a.bmp", 3);
  Add("train/cat/10.png", 1);
  Add("train/cat/9.png", 2);
  Add("test/dog/x.png", 5);
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(read->class_names, ElementsAre("cat", "dog"));
  EXPECT_EQ(read->shape, (ImageShape{.channels = 3, .height = 8, .width = 8}));
  EXPECT_THAT(Reds(*read, read->train), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(read->train.labels, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(Reds(*read, read->test), ElementsAre(5));
  EXPECT_THAT(read->test.labels, ElementsAre(1));
}

TEST_F(ImageFolderTest, ReadsClassFoldersAsTrainingImages) {
  Add("train/1.png", 1);  // a class, since there are others
  Add("plane/1.png", 2);
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(read->class_names, ElementsAre("plane", "train"));
  EXPECT_THAT(Reds(*read, read->train), ElementsAre(2, 1));
  EXPECT_EQ(read->test.count(), 0);
}

TEST_F(ImageFolderTest, ReadsTrainWithoutTest) {
  Add("train/cat/1.png", 1);
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(read->class_names, ElementsAre("cat"));
}

TEST_F(ImageFolderTest, ReadsAFlatFolderWithoutLabels) {
  Add("2.png", 2);
  Add("1.png", 1);
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(read->class_names, IsEmpty());
  EXPECT_THAT(Reds(*read, read->train), ElementsAre(1, 2));
  EXPECT_THAT(read->train.labels, Each(kNoLabel));
}

TEST_F(ImageFolderTest, PassesOverHiddenEntries) {
  Add("cat/1.png", 1);
  Add(".thumbnails/1.png", 1);
  testing::WriteBytes(folder_.File(".DS_Store"), "x");
  testing::WriteBytes(folder_.File("cat/.DS_Store"), "x");
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->train.count(), 1);
}

TEST_F(ImageFolderTest, ReportsProgressUpToOne) {
  Add("train/cat/1.png", 1);
  Add("train/cat/2.png", 1);
  Add("test/cat/1.png", 1);
  Add("test/cat/2.png", 1);
  std::vector<double> progress;
  ASSERT_THAT(ReadImageFolder(folder_.path(), 8, [&](double p) { progress.push_back(p); }), IsOk());
  EXPECT_THAT(progress, ElementsAre(0.5, 1));
}

TEST_F(ImageFolderTest, NamesAnEmptyClass) {
  Add("train/cat/1.png", 1);
  AddFolder("train/dog");
  EXPECT_THAT(Read(), FailsWith(kInvalid, folder_.File("train/dog") + ": class has no images"));
}

TEST_F(ImageFolderTest, NamesAClassThatIsNotUtf8) {
  Add("train/caf\xe9/1.png", 1);
  EXPECT_THAT(Read(), FailsWith(absl::StatusCode::kDataLoss,
                                folder_.File("train") + ": the name of class 0, \"caf\\xe9\""));
}

TEST_F(ImageFolderTest, NamesATestClassThatTrainingLacks) {
  Add("train/cat/1.png", 1);
  Add("test/dog/1.png", 1);
  EXPECT_THAT(Read(), FailsWith(kInvalid, folder_.File("test/dog")));
}

TEST_F(ImageFolderTest, NamesAFileBesideClassFolders) {
  Add("cat/1.png", 1);
  Add("1.png", 1);
  EXPECT_THAT(Read(), FailsWith(kInvalid, folder_.File("1.png") + ": is a file"));
}

TEST_F(ImageFolderTest, NamesATestImageWithoutAClass) {
  Add("train/cat/1.png", 1);
  Add("test/1.png", 1);
  EXPECT_THAT(Read(), FailsWith(kInvalid, folder_.File("test/1.png")));
}

TEST_F(ImageFolderTest, NamesAFolderInAClass) {
  Add("cat/1.png", 1);
  Add("cat/more/1.png", 1);
  EXPECT_THAT(Read(), FailsWith(kInvalid, folder_.File("cat/more") + ": is a folder"));
}

TEST_F(ImageFolderTest, NamesTheFirstImageThatCannotBeRead) {
  for (int i = 100; i < 200; ++i) Add("cat/" + std::to_string(i) + ".png", 1);
  testing::WriteBytes(folder_.File("cat/137.png"), "x");
  testing::WriteBytes(folder_.File("cat/150.png"), "x");
  EXPECT_THAT(Read(), FailsWith(absl::StatusCode::kDataLoss, folder_.File("cat/137.png")));
}

TEST_F(ImageFolderTest, NamesAFolderWithoutImages) {
  EXPECT_THAT(Read(), FailsWith(absl::StatusCode::kNotFound, folder_.path() + ": has no images"));
  AddFolder("train");
  EXPECT_THAT(Read(), FailsWith(absl::StatusCode::kNotFound, folder_.File("train")));
  EXPECT_THAT(ReadImageFolder(folder_.File("none"), 8),
              FailsWith(absl::StatusCode::kNotFound, folder_.File("none")));
}

// PNG keeps every pixel, and an image that has the size already is not scaled.
TEST_F(ImageFolderTest, ReadsEverySizeExactly) {
  for (const int side : {28, 64, 96, 224, kMaxImageSide}) {
    const ImageShape shape{.channels = 3, .height = side, .width = side};
    const ImageSet images = testing::TinyImages(shape, 2, 2, 5);
    const auto begin = images.pixels.begin();
    for (int64_t i = 0; i < 2; ++i) {
      const std::vector<uint8_t> planes(begin + i * shape.pixels(),
                                        begin + (i + 1) * shape.pixels());
      testing::WritePlanes(folder_.File("cat/" + std::to_string(i) + ".png"), planes, side);
    }
    const auto read = Read(side);
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->shape, shape);
    EXPECT_EQ(read->train.pixels, images.pixels) << side;
  }
}

// Colours that are the same all over stay so, whatever size they come from.
TEST_F(ImageFolderTest, ScalesImagesOfMixedSizes) {
  WriteColour(folder_.File("cat/1.png"), 10, 20, 30, 50, 300);
  WriteColour(folder_.File("cat/2.png"), 40, 50, 60, 640, 480);
  for (const int side : {64, 96, 224}) {
    const auto read = Read(side);
    ASSERT_THAT(read, IsOk());
    std::vector<uint8_t> expected;
    for (const uint8_t level : std::vector<uint8_t>{10, 20, 30, 40, 50, 60}) {
      expected.insert(expected.end(), static_cast<size_t>(side) * static_cast<size_t>(side), level);
    }
    EXPECT_EQ(read->train.pixels, expected) << side;
  }
}

// One image in front, so that the sizes are what is counted: no image is as large as this asks.
TEST_F(ImageFolderTest, RefusesMoreBytesThanItMayTake) {
  Add("cat/1.png", 1);
  EXPECT_THAT(Read(1 << 17), FailsWith(kInvalid, "has 1 images of 51539607552 bytes"));
}

}  // namespace
}  // namespace mixfeed
