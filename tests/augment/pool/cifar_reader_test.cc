#include "augment/pool/cifar_reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/cifar_files.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::TempDir;

constexpr CifarKind kCifar10 = CifarKind::kCifar10;
constexpr CifarKind kFine = CifarKind::kCifar100Fine;
constexpr CifarKind kCoarse = CifarKind::kCifar100Coarse;

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// A CIFAR-100 file of `count` records: coarse label i % 20, fine label i % 100, pixels i % 256.
void WriteCifar100File(const std::string& path, int count) {
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < count; ++i) {
    file << static_cast<char>(i % 20) << static_cast<char>(i % 100)
         << std::string(3072, static_cast<char>(i));
  }
}

class Cifar10Test : public ::testing::Test {
 protected:
  Cifar10Test() { testing::WriteCifar10(folder_.path(), dataset_); }

  void Resize(const std::string& file, int64_t bytes) {
    std::filesystem::resize_file(folder_.File(file), static_cast<uintmax_t>(bytes));
  }
  void Remove(const std::string& file) { std::filesystem::remove(folder_.File(file)); }
  // Overwrites the byte at `offset`.
  void Patch(const std::string& file, int64_t offset, char byte) {
    std::fstream stream(folder_.File(file), std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(offset);
    stream.put(byte);
  }

  const TempDir folder_;
  const Dataset dataset_ = testing::TinyDataset(200, 50);
};

TEST_F(Cifar10Test, ReadsWhatWasWritten) {
  const auto read = ReadCifar(folder_.path(), kCifar10);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->shape, ImageShape{});
  EXPECT_EQ(read->train.labels, dataset_.train.labels);
  EXPECT_EQ(read->train.pixels, dataset_.train.pixels);
  EXPECT_EQ(read->test.labels, dataset_.test.labels);
  EXPECT_EQ(read->test.pixels, dataset_.test.pixels);
}

TEST_F(Cifar10Test, KnowsThePublishedClassNames) {
  const auto read = ReadCifar(folder_.path(), kCifar10);
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(read->class_names,
              ::testing::ElementsAre("airplane", "automobile", "bird", "cat", "deer", "dog", "frog",
                                     "horse", "ship", "truck"));
}

TEST_F(Cifar10Test, TakesClassNamesFromTheFolder) {
  // The published file has an empty line at its end; some copies have DOS line ends.
  WriteText(folder_.File("batches.meta.txt"), "a\r\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  const auto read = ReadCifar(folder_.path(), kCifar10);
  ASSERT_THAT(read, IsOk());
  EXPECT_THAT(read->class_names,
              ::testing::ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"));
}

TEST_F(Cifar10Test, RefusesAnotherNumberOfClassNames) {
  WriteText(folder_.File("batches.meta.txt"), "a\nb\n");
  EXPECT_THAT(ReadCifar(folder_.path(), kCifar10),
              FailsWith(absl::StatusCode::kDataLoss, "batches.meta.txt: names 2 classes"));
  WriteText(folder_.File("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\na\n");
  EXPECT_THAT(ReadCifar(folder_.path(), CifarKind::kCifar10),
              FailsWith(absl::StatusCode::kDataLoss, "batches.meta.txt: classes 0 and 9"));
}

TEST_F(Cifar10Test, ReadsAFolderWithoutATestFile) {
  Remove("test_batch.bin");
  const auto read = ReadCifar(folder_.path(), kCifar10);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->train.count(), 200);
  EXPECT_EQ(read->test.count(), 0);
}

TEST_F(Cifar10Test, NamesAMissingTrainingFile) {
  Remove("data_batch_3.bin");
  EXPECT_THAT(ReadCifar(folder_.path(), kCifar10),
              FailsWith(absl::StatusCode::kNotFound,
                        "data_batch_3.bin: is missing; CIFAR-10 has 5 training files"));
}

TEST_F(Cifar10Test, NamesFileAndOffsetOfACutOffRecord) {
  Resize("data_batch_2.bin", int64_t{5} * 3073 + 100);
  EXPECT_THAT(ReadCifar(folder_.path(), kCifar10),
              FailsWith(absl::StatusCode::kDataLoss,
                        folder_.File("data_batch_2.bin") +
                            ": has 15465 bytes, not a whole number of CIFAR-10 records of 3073; "
                            "the record at byte 15365 is cut off"));
}

TEST_F(Cifar10Test, RefusesAnEmptyFile) {
  Resize("test_batch.bin", 0);
  EXPECT_THAT(ReadCifar(folder_.path(), kCifar10),
              FailsWith(absl::StatusCode::kDataLoss, "test_batch.bin: has 0 bytes"));
}

TEST_F(Cifar10Test, NamesFileAndOffsetOfALabelOutOfRange) {
  Patch("data_batch_5.bin", int64_t{7} * 3073, 10);
  EXPECT_THAT(ReadCifar(folder_.path(), kCifar10),
              FailsWith(absl::StatusCode::kDataLoss,
                        "data_batch_5.bin: label 10 at byte 21511; allowed are 0 to 9"));
}

TEST_F(Cifar10Test, RefusesAFileThatIsTooLargeWithoutReadingIt) {
  Resize("data_batch_1.bin", (int64_t{4} << 30) + 1);  // sparse
  EXPECT_THAT(ReadCifar(folder_.path(), kCifar10),
              FailsWith(absl::StatusCode::kInvalidArgument, "data_batch_1.bin: has 4294967297"));
}

TEST_F(Cifar10Test, IsFoundInTheFolderOrTheOneThatHoldsIt) {
  EXPECT_EQ(FindCifarFolder(folder_.path(), kCifar10), folder_.path());
  EXPECT_EQ(FindCifarFolder(folder_.path(), kFine), "");
  const TempDir parent;
  EXPECT_EQ(FindCifarFolder(parent.path(), kCifar10), "");
  testing::WriteCifar10(parent.File("cifar-10-batches-bin"), dataset_);
  EXPECT_EQ(FindCifarFolder(parent.path(), kCifar10), parent.File("cifar-10-batches-bin"));
}

class Cifar100Test : public ::testing::Test {
 protected:
  Cifar100Test() {
    WriteCifar100File(folder_.File("train.bin"), 300);
    WriteCifar100File(folder_.File("test.bin"), 100);
  }
  const TempDir folder_;
};

TEST_F(Cifar100Test, ReadsFineLabels) {
  const auto read = ReadCifar(folder_.path(), kFine);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->num_classes(), 100);
  EXPECT_EQ(read->class_names.front(), "apple");
  EXPECT_EQ(read->class_names[52], "oak_tree");
  EXPECT_EQ(read->class_names.back(), "worm");
  EXPECT_EQ(read->train.count(), 300);
  EXPECT_EQ(read->test.count(), 100);
  for (size_t i = 0; i < 300; ++i) {
    ASSERT_EQ(read->train.labels[i], static_cast<int>(i % 100));
    ASSERT_EQ(read->train.pixels[i * 3072 + 3071], i % 256);
  }
}

TEST_F(Cifar100Test, ReadsCoarseLabels) {
  const auto read = ReadCifar(folder_.path(), kCoarse);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->num_classes(), 20);
  EXPECT_EQ(read->class_names.front(), "aquatic_mammals");
  EXPECT_EQ(read->class_names.back(), "vehicles_2");
  for (size_t i = 0; i < 300; ++i) {
    ASSERT_EQ(read->train.labels[i], static_cast<int>(i % 20));
  }
}

TEST_F(Cifar100Test, TakesClassNamesOfTheLabelsThatAreRead) {
  std::string names;
  for (int i = 0; i < 20; ++i) names += "group" + std::to_string(i) + "\n";
  WriteText(folder_.File("coarse_label_names.txt"), names);
  EXPECT_EQ(ReadCifar(folder_.path(), kCoarse)->class_names[7], "group7");
  EXPECT_EQ(ReadCifar(folder_.path(), kFine)->class_names[7], "beetle");
}

TEST_F(Cifar100Test, NamesTheOffsetOfALabelOutOfRange) {
  WriteText(folder_.File("test.bin"), std::string(1, '\0') + '\x64' + std::string(3072, '\0'));
  EXPECT_THAT(
      ReadCifar(folder_.path(), kFine),
      FailsWith(absl::StatusCode::kDataLoss, "test.bin: label 100 at byte 1; allowed are 0 to 99"));
  EXPECT_THAT(ReadCifar(folder_.path(), kCoarse), IsOk());
}

TEST_F(Cifar100Test, NamesFileAndOffsetOfACutOffRecord) {
  std::filesystem::resize_file(folder_.File("train.bin"), 3074 + 1);
  EXPECT_THAT(ReadCifar(folder_.path(), kFine),
              FailsWith(absl::StatusCode::kDataLoss,
                        "CIFAR-100 records of 3074; the record at byte 3074 is cut off"));
}

TEST_F(Cifar100Test, NamesAMissingTrainingFile) {
  std::filesystem::remove(folder_.File("train.bin"));
  EXPECT_THAT(ReadCifar(folder_.path(), kFine),
              FailsWith(absl::StatusCode::kNotFound, "train.bin: is missing"));
}

}  // namespace
}  // namespace mixfeed
