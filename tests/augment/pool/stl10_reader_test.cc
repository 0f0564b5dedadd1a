#include "augment/pool/stl10_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/augment/pool/status_matchers.h"
#include "tests/augment/pool/stl10_files.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::WriteBytes;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;
constexpr ImageShape kStl10{.channels = 3, .height = 96, .width = 96};
constexpr int64_t kImageBytes = 27648;

class Stl10Test : public ::testing::Test {
 protected:
  Stl10Test() { testing::WriteStl10(folder_.path(), dataset_); }

  absl::StatusOr<Dataset> Read() const { return ReadStl10(folder_.path()); }
  std::string File(const std::string& name) const { return folder_.File(name); }

  const testing::TempDir folder_;
  const Dataset dataset_ = testing::TinyDataset(20, 10, 10, kStl10);
};

TEST_F(Stl10Test, ReadsWhatWasWritten) {
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->shape, kStl10);
  EXPECT_EQ(read->train.labels, dataset_.train.labels);
  EXPECT_EQ(read->train.pixels, dataset_.train.pixels);
  EXPECT_EQ(read->test.labels, dataset_.test.labels);
  EXPECT_EQ(read->test.pixels, dataset_.test.pixels);
}

// "The images are stored in column-major order, one channel at a time" (the dataset's page).
TEST_F(Stl10Test, TheSecondByteIsTheSecondRowOfTheFirstColumn) {
  std::string image(kImageBytes, '\0');
  image[1] = 11;
  image[96] = 22;
  image[2 * 9216 + 5 * 96 + 7] = 33;
  WriteBytes(File("train_X.bin"), image);
  WriteBytes(File("train_y.bin"), "\x0a");
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->train.pixels[96], 11);
  EXPECT_EQ(read->train.pixels[1], 22);
  EXPECT_EQ(read->train.pixels[2 * 9216 + 7 * 96 + 5], 33);
  EXPECT_THAT(read->train.labels, ::testing::ElementsAre(9));
}

TEST_F(Stl10Test, UnlabelledImagesFollowTheLabelledOnes) {
  const ImageSet more = testing::TinyImages(kStl10, 3, 1, 9);
  WriteBytes(File("unlabeled_X.bin"), testing::Stl10Images(more));
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  std::vector<int16_t> labels = dataset_.train.labels;
  labels.insert(labels.end(), 3, kNoLabel);
  EXPECT_EQ(read->train.labels, labels);
  std::vector<uint8_t> pixels = dataset_.train.pixels;
  pixels.insert(pixels.end(), more.pixels.begin(), more.pixels.end());
  EXPECT_EQ(read->train.pixels, pixels);
  EXPECT_EQ(read->test.count(), 10);
}

TEST_F(Stl10Test, ReadsAFolderWithoutTestFiles) {
  std::filesystem::remove(File("test_X.bin"));
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->test.count(), 0);
}

TEST_F(Stl10Test, KnowsThePublishedClassNames) {
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(read->class_names, ::testing::ElementsAre("airplane", "bird", "car", "cat", "deer",
                                                        "dog", "horse", "monkey", "ship", "truck"));
}

TEST_F(Stl10Test, TakesTenClassNamesFromTheFolder) {
  WriteBytes(File("class_names.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
  EXPECT_EQ(Read()->class_names[9], "j");
  WriteBytes(File("class_names.txt"), "a\nb\n");
  EXPECT_THAT(Read(), FailsWith(kDataLoss,
                                File("class_names.txt") + ": names 2 classes; STL-10 has 10 here"));
}

TEST_F(Stl10Test, NamesAMissingFile) {
  for (const char* name : {"test_y.bin", "train_y.bin"}) {
    std::filesystem::remove(File(name));
    EXPECT_THAT(Read(), FailsWith(kNotFound, File(name) + ": no such file"));
  }
}

TEST_F(Stl10Test, NamesTheByteOfACutOffImage) {
  for (const char* name : {"test_X.bin", "train_X.bin"}) {
    std::filesystem::resize_file(File(name), kImageBytes + 1);
    EXPECT_THAT(Read(),
                FailsWith(kDataLoss, File(name) + ": has 27649 bytes, not a whole number of STL-10 "
                                                  "records of 27648; the record at byte 27648"));
  }
}

TEST_F(Stl10Test, RefusesAnEmptyFile) {
  WriteBytes(File("unlabeled_X.bin"), "");
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File("unlabeled_X.bin") + ": has 0 bytes"));
}

TEST_F(Stl10Test, NamesAnotherNumberOfLabels) {
  WriteBytes(File("train_y.bin"), std::string(19, '\x01'));
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File("train_y.bin") +
                                               ": has 19 bytes, a label each; train_X.bin has 20"));
}

TEST_F(Stl10Test, NamesALabelOutOfRange) {
  for (const int label : {0, 11, 255}) {
    std::string labels(10, '\x01');
    labels[6] = static_cast<char>(label);
    WriteBytes(File("test_y.bin"), labels);
    EXPECT_THAT(Read(),
                FailsWith(kDataLoss, File("test_y.bin") + ": label " + std::to_string(label) +
                                         " at byte 6; allowed are 1 to 10"));
  }
}

TEST_F(Stl10Test, IsFoundInTheFolderOrTheOneThatHoldsIt) {
  EXPECT_EQ(FindStl10Folder(folder_.path()), folder_.path());
  const testing::TempDir parent;
  EXPECT_EQ(FindStl10Folder(parent.path()), "");
  testing::WriteStl10(parent.File("stl10_binary"), dataset_);
  EXPECT_EQ(FindStl10Folder(parent.path()), parent.File("stl10_binary"));
}

}  // namespace
}  // namespace mixfeed
