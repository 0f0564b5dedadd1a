#include "augment/pool/dataset_source.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "augment/pool/split.h"
#include "tests/augment/pool/idx_files.h"
#include "tests/augment/pool/image_files.h"
#include "tests/augment/pool/real_cifar.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/augment/pool/stl10_files.h"
#include "tests/testing/cifar_files.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IsOk;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

TEST(ParseDatasetSourceTest, TakesTheNameFromTheFolder) {
  struct Case {
    const char* text;
    const char* name;
    const char* path;
  };
  const Case cases[] = {
      {"/data/cifar", "cifar", "/data/cifar"},
      {"/data/cifar/", "cifar", "/data/cifar/"},
      {"/data/x/..", "data", "/data/x/.."},
      {"/data/a=b/c", "c", "/data/a=b/c"},
      {"mine=/data/cifar", "mine", "/data/cifar"},
      {"mine=cifar", "mine", "cifar"},
      {"generated", "generated", "generated"},
      {"toy-1.0_b=generated", "toy-1.0_b", "generated"},
  };
  for (const Case& c : cases) {
    const auto source = ParseDatasetSource(c.text);
    ASSERT_THAT(source, IsOk());
    EXPECT_EQ(source->name, c.name);
    EXPECT_EQ(source->path, c.path);
  }
}

TEST(ParseDatasetSourceTest, ReadsOptions) {
  const auto plain = ParseDatasetSource("x=y");
  ASSERT_THAT(plain, IsOk());
  EXPECT_FALSE(plain->coarse_labels);
  EXPECT_EQ(plain->image_size, 32);
  EXPECT_EQ(plain->generator_seed, 0U);
  EXPECT_EQ(plain->padded_size, 0);
  const auto source =
      ParseDatasetSource("x=y?labels=coarse&size=256&pad=32&seed=18446744073709551615");
  ASSERT_THAT(source, IsOk());
  EXPECT_EQ(source->path, "y");
  EXPECT_TRUE(source->coarse_labels);
  EXPECT_EQ(source->image_size, 256);
  EXPECT_EQ(source->padded_size, 32);
  EXPECT_EQ(source->generator_seed, 18446744073709551615U);
  EXPECT_FALSE(ParseDatasetSource("x=y?labels=fine")->coarse_labels);
}

TEST(ParseDatasetSourceTest, NamesWhatIsWrong) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"", "no folder"},
      {"x=", "no folder"},
      {"=y", "name is \"\""},
      {"a b=y", "name is \"a b\""},
      {"/data/my images", "name is \"my images\"; allowed are 1 to 64 of"},
      {"/", "name is \"\""},
      {"x=y?", "option \"\""},
      {"x=y?colour=red", "option \"colour\"; allowed are labels, size, pad, seed"},
      {"x=y?labels=medium", "labels is \"medium\"; allowed are fine, coarse"},
      {"x=y?labels", "labels is \"\""},
      {"x=y?size=7", "size is 7; allowed are 8 to 256"},
      {"x=y?size=257", "size is 257"},
      {"x=y?size=big", "size is \"big\""},
      {"x=y?pad=7", "pad is 7; allowed are 8 to 256"},
      {"x=y?pad=257", "pad is 257"},
      {"x=y?pad=", "pad is \"\"; allowed are whole numbers"},
      {"x=y?seed=-1", "seed is \"-1\""},
      {"x=y?seed=18446744073709551616", "seed is \"18446744073709551616\""},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(ParseDatasetSource(c.text), FailsWith(kInvalid, c.message)) << c.text;
  }
  EXPECT_THAT(ParseDatasetSource(std::string(65, 'x') + "=y"), FailsWith(kInvalid, "name is"));
}

class OpenDatasetTest : public ::testing::Test {
 protected:
  DatasetSource Source() const { return {.name = "mine", .path = folder_.path()}; }
  void WriteCifar100(int classes) {
    const auto images =
        testing::TinyImages({.channels = 1, .height = 1, .width = 3073}, 100, classes, 1);
    testing::WriteCifarRecords(folder_.File("train.bin"), images, 0, 100);
  }
  const testing::TempDir folder_;
};

TEST_F(OpenDatasetTest, SetsNameAndFingerprint) {
  const Dataset written = testing::TinyDataset();
  testing::WriteCifar10(folder_.path(), written);
  const auto read = OpenDataset(Source());
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->name, "mine");
  EXPECT_EQ(read->fingerprint, written.fingerprint);
}

TEST_F(OpenDatasetTest, ReadsAFolderInsideAsArchivesUnpack) {
  testing::WriteCifar10(folder_.File("cifar-10-batches-bin"), testing::TinyDataset());
  EXPECT_THAT(OpenDataset(Source()), IsOk());
}

TEST_F(OpenDatasetTest, RefusesAFolderOfTwoDatasets) {
  testing::WriteCifar10(folder_.File("cifar-10-batches-bin"), testing::TinyDataset());
  WriteCifar100(20);
  EXPECT_THAT(OpenDataset(Source()), FailsWith(kInvalid, "holds CIFAR-10 and CIFAR-100"));
}

TEST_F(OpenDatasetTest, RefusesIdxFilesAndStl10InOneFolder) {
  testing::WriteIdx(folder_.path(), testing::TinyDataset(10, 1, 10, {1, 28, 28}));
  testing::WriteStl10(folder_.File("stl10_binary"), testing::TinyDataset(10, 1, 10, {3, 96, 96}));
  EXPECT_THAT(OpenDataset(Source()),
              FailsWith(kInvalid, "holds IDX files and STL-10 (" + folder_.File("stl10_binary") +
                                      "); name the folder of one"));
}

TEST_F(OpenDatasetTest, ReadsIdxFilesAndPadsThemWhenAsked) {
  testing::WriteIdx(folder_.path(), testing::TinyDataset(20, 10, 10, {1, 28, 28}));
  DatasetSource source = Source();
  const auto plain = OpenDataset(source);
  ASSERT_THAT(plain, IsOk());
  EXPECT_EQ(plain->shape, (ImageShape{1, 28, 28}));
  source.padded_size = 32;
  const auto padded = OpenDataset(source);
  ASSERT_THAT(padded, IsOk());
  EXPECT_EQ(padded->shape, (ImageShape{1, 32, 32}));
  EXPECT_EQ(padded->train.pixels[2 * 32 + 2], plain->train.pixels[0]);
  EXPECT_NE(padded->fingerprint, plain->fingerprint);
}

TEST_F(OpenDatasetTest, RefusesToPadToLessThanTheImages) {
  testing::WriteIdx(folder_.path(), testing::TinyDataset(20, 10, 10, {1, 28, 28}));
  DatasetSource source = Source();
  source.padded_size = 27;
  EXPECT_THAT(OpenDataset(source),
              FailsWith(kInvalid, folder_.path() + ": pad is 27 and images are 28x28; allowed are "
                                                   "28 to 256"));
}

TEST_F(OpenDatasetTest, SplitsLeaveTheUnlabelledImagesOfStl10Unlabelled) {
  const Dataset written = testing::TinyDataset(20, 10, 10, {3, 96, 96});
  testing::WriteStl10(folder_.path(), written);
  testing::WriteBytes(folder_.File("unlabeled_X.bin"), testing::Stl10Images(written.test));
  const auto read = OpenDataset(Source());
  ASSERT_THAT(read, IsOk());
  const auto split =
      MakeSplit(read->train.labels, 10, {.rule = SplitRule::kBalanced, .labelled = 20});
  ASSERT_THAT(split, IsOk());
  std::vector<int32_t> labelled(20);
  std::iota(labelled.begin(), labelled.end(), 0);
  EXPECT_EQ(split->labelled, labelled);
  std::vector<int32_t> unlabelled(10);
  std::iota(unlabelled.begin(), unlabelled.end(), 20);
  EXPECT_EQ(split->unlabelled, unlabelled);
}

TEST_F(OpenDatasetTest, ReadsFolderOfImagesInTheSizeAskedFor) {
  testing::WriteColour(folder_.File("cat/1.png"), 1, 2, 3);
  DatasetSource source = Source();
  source.image_size = 24;
  const auto read = OpenDataset(source);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->shape.width, 24);
}

TEST_F(OpenDatasetTest, RefusesImageSizesOutOfRange) {
  testing::WriteColour(folder_.File("cat/1.png"), 1, 2, 3);
  DatasetSource source = Source();
  for (int size : {0, 7, 257}) {
    source.image_size = size;
    EXPECT_THAT(OpenDataset(source), FailsWith(kInvalid, "size is " + std::to_string(size)));
  }
}

TEST_F(OpenDatasetTest, NamesAClassWithoutTrainingImages) {
  testing::WriteCifar10(folder_.path(), testing::TinyDataset(200, 50, 9));
  EXPECT_THAT(OpenDataset(Source()),
              FailsWith(kInvalid, folder_.path() + ": class 9 (truck) has no training image"));
}

TEST_F(OpenDatasetTest, NamesAFolderThatIsNotThere) {
  EXPECT_THAT(OpenDataset({.name = "x", .path = folder_.File("none")}),
              FailsWith(absl::StatusCode::kNotFound, folder_.File("none") + ": no dataset"));
  EXPECT_THAT(OpenDataset(Source()), FailsWith(absl::StatusCode::kNotFound, folder_.path()));
}

TEST_F(OpenDatasetTest, RefusesOptionsThatDoNotApply) {
  testing::WriteCifar10(folder_.File("cifar"), testing::TinyDataset());
  testing::WriteColour(folder_.File("images/cat/1.png"), 1, 2, 3);
  testing::WriteIdx(folder_.File("idx"), testing::TinyDataset(10, 1, 10, {1, 28, 28}));
  testing::WriteStl10(folder_.File("stl10"), testing::TinyDataset(10, 1, 10, {3, 96, 96}));
  struct Case {
    std::string path;
    const char* option;
  };
  const Case cases[] = {
      {folder_.File("cifar"), "labels=coarse"},
      {folder_.File("cifar"), "size=64"},
      {folder_.File("cifar"), "pad=40"},
      {folder_.File("cifar"), "seed=1"},
      {folder_.File("idx"), "labels=coarse"},
      {folder_.File("idx"), "size=64"},
      {folder_.File("idx"), "seed=1"},
      {folder_.File("stl10"), "labels=coarse"},
      {folder_.File("stl10"), "size=64"},
      {folder_.File("stl10"), "pad=100"},
      {folder_.File("stl10"), "seed=1"},
      {folder_.File("images"), "labels=coarse"},
      {folder_.File("images"), "pad=64"},
      {folder_.File("images"), "seed=1"},
      {"generated", "labels=coarse"},
      {"generated", "size=64"},
      {"generated", "pad=64"},
  };
  for (const Case& c : cases) {
    const auto source = ParseDatasetSource("x=" + c.path + "?" + c.option);
    ASSERT_THAT(source, IsOk());
    EXPECT_THAT(OpenDataset(*source), FailsWith(kInvalid, "does not apply to"))
        << c.path << " " << c.option;
  }
}

TEST(RealCifar10Test, IsReadWhole) {
  MIXFEED_SKIP_WITHOUT_REAL_CIFAR();
  const std::string folder = testing::RealCifarFolder();
  const auto source = ParseDatasetSource("cifar10=" + folder);
  ASSERT_THAT(source, IsOk());
  const auto dataset = OpenDataset(*source);
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(dataset->train.count(), 50000);
  const auto test_bytes =
      std::filesystem::file_size(std::filesystem::path(folder) / "test_batch.bin");
  EXPECT_EQ(dataset->test.count(), static_cast<int64_t>(test_bytes / 3073));
  EXPECT_EQ(dataset->class_names[3], "cat");
  std::vector<int> counts(10);
  for (int16_t label : dataset->train.labels) ++counts[static_cast<size_t>(label)];
  EXPECT_THAT(counts, ::testing::Each(5000));
  // The training images' means as published; copies that went through another format differ a bit.
  const double means[] = {0.4914, 0.4822, 0.4465};
  for (size_t c = 0; c < 3; ++c) {
    double sum = 0;
    for (size_t i = 0; i < 50000; ++i) {
      for (size_t p = 0; p < 1024; ++p) sum += dataset->train.pixels[i * 3072 + c * 1024 + p];
    }
    EXPECT_NEAR(sum / 50000 / 1024 / 255, means[c], 1e-3);
  }
}

}  // namespace
}  // namespace mixfeed
