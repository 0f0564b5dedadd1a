#include "augment/pool/idx_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/augment/pool/idx_files.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IdxImages;
using testing::IdxLabels;
using testing::IsOk;
using testing::WriteBytes;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;
constexpr char kTrainImages[] = "train-images-idx3-ubyte";
constexpr char kTrainLabels[] = "train-labels-idx1-ubyte";
constexpr char kTestImages[] = "t10k-images-idx3-ubyte";
constexpr char kTestLabels[] = "t10k-labels-idx1-ubyte";
constexpr ImageShape kMnist{.channels = 1, .height = 28, .width = 28};
constexpr size_t kPixels = size_t{28} * 28;

class IdxReaderTest : public ::testing::Test {
 protected:
  IdxReaderTest() { testing::WriteIdx(folder_.path(), dataset_); }

  absl::StatusOr<Dataset> Read() const { return ReadIdx(folder_.path()); }
  std::string File(const std::string& name) const { return folder_.File(name); }
  void Remove(const std::string& name) { std::filesystem::remove(File(name)); }
  // Replaces the file by NAME.gz.
  void Compress(const std::string& name) {
    testing::WriteGzip(File(name + ".gz"), testing::ReadBytes(File(name)));
    Remove(name);
  }
  // Overwrites a byte.
  void Patch(const std::string& name, size_t offset, char byte) {
    std::string bytes = testing::ReadBytes(File(name));
    bytes[offset] = byte;
    WriteBytes(File(name), bytes);
  }
  void ExpectWhatWasWritten() const {
    const auto read = Read();
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->shape, kMnist);
    EXPECT_EQ(read->train.labels, dataset_.train.labels);
    EXPECT_EQ(read->train.pixels, dataset_.train.pixels);
    EXPECT_EQ(read->test.labels, dataset_.test.labels);
    EXPECT_EQ(read->test.pixels, dataset_.test.pixels);
  }

  const testing::TempDir folder_;
  const Dataset dataset_ = testing::TinyDataset(30, 20, 10, kMnist);
};

TEST_F(IdxReaderTest, ReadsWhatWasWritten) { ExpectWhatWasWritten(); }

TEST_F(IdxReaderTest, ReadsCompressedFilesAmongPlainOnes) {
  Compress(kTrainImages);
  Compress(kTestLabels);
  ExpectWhatWasWritten();
}

TEST_F(IdxReaderTest, ReadsTheOtherSpelling) {
  std::filesystem::rename(File(kTrainImages), File("train-images.idx3-ubyte"));
  std::filesystem::rename(File(kTestLabels), File("t10k-labels.idx1-ubyte"));
  Compress("t10k-labels.idx1-ubyte");
  ExpectWhatWasWritten();
}

TEST_F(IdxReaderTest, TakesThePlainFileWhereBothAreThere) {
  WriteBytes(File(std::string(kTrainImages) + ".gz"), "not gzip");
  ExpectWhatWasWritten();
}

// The first bytes of the published training files, which the header's four numbers begin.
TEST_F(IdxReaderTest, ReadsTheHeaderAsPublished) {
  const std::string header("\0\0\x08\x03\0\0\0\x01\0\0\0\x1c\0\0\0\x1c", 16);
  WriteBytes(File(kTrainImages), header + std::string(kPixels, '\x7f'));
  WriteBytes(File(kTrainLabels), std::string("\0\0\x08\x01\0\0\0\x01\x05", 9));
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(read->train.labels, ::testing::ElementsAre(5));
  EXPECT_EQ(read->train.pixels, std::vector<uint8_t>(kPixels, 0x7f));
}

TEST_F(IdxReaderTest, ReadsEverySizeUpToTheLargest) {
  const ImageShape shapes[] = {{1, 1, 1},   {1, 32, 32},   {1, 20, 48},  {1, 64, 64},
                               {1, 96, 96}, {1, 224, 224}, {1, 256, 256}};
  for (const ImageShape& shape : shapes) {
    const Dataset written = testing::TinyDataset(3, 2, 2, shape);
    testing::WriteIdx(folder_.path(), written);
    const auto read = Read();
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->shape, shape);
    EXPECT_EQ(read->train.pixels, written.train.pixels);
    EXPECT_EQ(read->test.pixels, written.test.pixels);
  }
}

TEST_F(IdxReaderTest, ReadsAFolderWithoutTestFiles) {
  Remove(kTestImages);
  Remove(kTestLabels);
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->train.count(), 30);
  EXPECT_EQ(read->test.count(), 0);
}

TEST_F(IdxReaderTest, NamesAMissingFile) {
  for (const char* name : {kTrainLabels, kTestImages, kTestLabels}) {
    testing::WriteIdx(folder_.path(), dataset_);
    Remove(name);
    EXPECT_THAT(Read(), FailsWith(kNotFound, File(name) + ": is missing, also with .gz"));
  }
}

TEST_F(IdxReaderTest, NamesFilesOfAnotherKind) {
  Patch(kTrainImages, 3, 1);
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTrainImages) +
                                               ": has 0x00000801 at byte 0; idx3-ubyte images have "
                                               "0x00000803"));
  testing::WriteIdx(folder_.path(), dataset_);
  Patch(kTestLabels, 0, 'x');
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTestLabels) +
                                               ": has 0x78000801 at byte 0; idx1-ubyte labels have "
                                               "0x00000801"));
}

TEST_F(IdxReaderTest, NamesTheByteWhereAFileIsCutOff) {
  const std::string images = testing::ReadBytes(File(kTrainImages));
  WriteBytes(File(kTrainImages), images.substr(0, 15));
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTrainImages) + ": ends at byte 15 of its header"));
  WriteBytes(File(kTrainImages), images.substr(0, images.size() - 1));
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTrainImages) + ": ends at byte 23535 of 23536"));
  WriteBytes(File(kTrainImages), images);
  const std::string labels = testing::ReadBytes(File(kTestLabels));
  WriteBytes(File(kTestLabels), labels.substr(0, 7));
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTestLabels) + ": ends at byte 7 of its header"));
  WriteBytes(File(kTestLabels), labels.substr(0, 8));
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTestLabels) + ": ends at byte 8 of 28"));
}

TEST_F(IdxReaderTest, NamesTheByteAfterWhichThereIsMore) {
  WriteBytes(File(kTestImages), testing::ReadBytes(File(kTestImages)) + "x");
  const std::string message = ": goes on after byte 15696, where its header ends it";
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTestImages) + message));
  Compress(kTestImages);
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTestImages) + ".gz" + message));
}

TEST_F(IdxReaderTest, NamesImagesAndLabelsOfDifferentNumbers) {
  WriteBytes(File(kTrainLabels), IdxLabels(testing::TinyImages(kMnist, 29, 10, 1)));
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTrainLabels) + ": labels is 29 at byte 4; " +
                                               File(kTrainImages) + " has 30 images"));
}

TEST_F(IdxReaderTest, NamesALabelThatIsNoClass) {
  Patch(kTestLabels, 8 + 7, 10);
  EXPECT_THAT(Read(), FailsWith(kDataLoss,
                                File(kTestLabels) + ": label 10 at byte 15; allowed are 0 to 9"));
}

TEST_F(IdxReaderTest, NamesTestImagesOfAnotherShape) {
  const ImageShape other{.channels = 1, .height = 28, .width = 27};
  WriteBytes(File(kTestImages), IdxImages(testing::TinyImages(other, 20, 10, 1), other));
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(kTestImages) +
                                               ": has images of 28x27 at byte 8; those of training "
                                               "are 28x28"));
}

TEST_F(IdxReaderTest, NamesASizeOutOfRange) {
  struct Case {
    size_t offset;  // of the size's last two bytes
    int size;
    const char* message;
  };
  const Case cases[] = {
      {6, 0, ": images is 0 at byte 4; allowed are 1 to 4294967296"},
      {10, 0, ": rows is 0 at byte 8; allowed are 1 to 256"},
      {10, 257, ": rows is 257 at byte 8"},
      {14, 257, ": columns is 257 at byte 12"},
  };
  for (const Case& c : cases) {
    testing::WriteIdx(folder_.path(), dataset_);
    Patch(kTrainImages, c.offset, static_cast<char>(c.size >> 8));
    Patch(kTrainImages, c.offset + 1, static_cast<char>(c.size));
    EXPECT_THAT(Read(), FailsWith(kInvalid, File(kTrainImages) + c.message));
  }
}

TEST_F(IdxReaderTest, RefusesAHeaderThatPromisesTooMuch) {
  Patch(kTrainImages, 4, '\xff');
  EXPECT_THAT(Read(), FailsWith(kInvalid,
                                File(kTrainImages) + ": its header promises 3354101046256 bytes"));
}

// 64 MiB of zeros follow the one image that the header promises: the file's end, which is cut off,
// would be an error too.
TEST_F(IdxReaderTest, InflatesNoMoreThanTheHeaderPromises) {
  const std::string bomb = IdxImages(testing::TinyImages(kMnist, 1, 10, 1), kMnist);
  const std::string path = File(std::string(kTrainImages) + ".gz");
  testing::WriteGzip(path, bomb + std::string(size_t{64} << 20, '\0'));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  Remove(kTrainImages);
  EXPECT_THAT(Read(), FailsWith(kDataLoss, path + ": goes on after byte 800"));
}

TEST_F(IdxReaderTest, NamesDamageOfGzip) {
  Compress(kTrainLabels);
  const std::string name = std::string(kTrainLabels) + ".gz";
  std::filesystem::resize_file(File(name), std::filesystem::file_size(File(name)) - 1);
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(name) + ": gzip data are cut off at byte "));
  WriteBytes(File(name), "no gzip file");
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File(name) + ": gzip data are damaged at byte "));
}

TEST_F(IdxReaderTest, IsFoundInTheFolderOrInRaw) {
  EXPECT_EQ(FindIdxFolder(folder_.path()), folder_.path());
  const testing::TempDir parent;
  EXPECT_EQ(FindIdxFolder(parent.path()), "");
  testing::WriteIdx(parent.File("raw"), dataset_);
  EXPECT_EQ(FindIdxFolder(parent.path()), parent.File("raw"));
}

TEST_F(IdxReaderTest, ClassesAreDigitsUnlessTheFolderIsCalledFashion) {
  const std::vector<std::string> digits = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  const std::vector<std::string> clothes = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                            "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                            "Bag",         "Ankle boot"};
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"mnist", digits},          {"fashion/mnist", digits},
      {"MNIST/raw", digits},      {"FashionMNIST/raw", clothes},
      {"fashion-mnist", clothes}, {"my_fashion_set/", clothes},
  };
  for (const auto& [folder, names] : cases) {
    testing::WriteIdx(File(folder), dataset_);
    const auto read = ReadIdx(File(folder));
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->class_names, names) << folder;
  }
}

TEST_F(IdxReaderTest, TakesClassNamesFromTheFolder) {
  std::string names;
  for (int i = 0; i < 12; ++i) names += "class" + std::to_string(i) + "\n";
  WriteBytes(File("class_names.txt"), names);
  Patch(kTrainLabels, 8, 11);
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->num_classes(), 12);
  EXPECT_EQ(read->class_names[11], "class11");
  EXPECT_EQ(read->train.labels[0], 11);
  Patch(kTrainLabels, 8, 12);
  EXPECT_THAT(Read(), FailsWith(kDataLoss, "label 12 at byte 8; allowed are 0 to 11"));
  WriteBytes(File("class_names.txt"), "\n");
  EXPECT_THAT(Read(), FailsWith(kDataLoss, File("class_names.txt") + ": names no class"));
}

}  // namespace
}  // namespace mixfeed
