#include "augment/pool/generated_dataset.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <opencv2/core/version.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "augment/pool/cifar_reader.h"
#include "augment/pool/generated_cache.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using testing::IsOk;

constexpr GeneratorSpec kSmall{.seed = 3, .train_images = 200, .test_images = 20};

Dataset Generate(const GeneratorSpec& spec, int threads) {
  ThreadPool pool(threads);
  return GenerateDataset(spec, &pool).value();
}

bool SamePixels(const Dataset& a, const Dataset& b) {
  return FingerprintDataset(a) == FingerprintDataset(b);
}

TEST(GeneratedDatasetTest, HasTheSizesOfCifar10ByDefault) {
  const GeneratorSpec spec;
  EXPECT_EQ(spec.train_images, 50000);
  EXPECT_EQ(spec.test_images, 10000);
}

TEST(GeneratedDatasetTest, HasTenEquallyLargeClassesInRandomOrder) {
  const Dataset dataset = Generate(kSmall, 2);
  EXPECT_EQ(dataset.shape, ImageShape{});
  EXPECT_EQ(std::set<std::string>(dataset.class_names.begin(), dataset.class_names.end()).size(),
            10U);
  for (const ImageSet* images : {&dataset.train, &dataset.test}) {
    std::vector<int64_t> counts(10);
    for (int16_t label : images->labels) ++counts[static_cast<size_t>(label)];
    EXPECT_THAT(counts, ::testing::Each(images->count() / 10));
    EXPECT_FALSE(std::is_sorted(images->labels.begin(), images->labels.end()));
  }
  EXPECT_EQ(dataset.train.count(), 200);
  EXPECT_EQ(dataset.test.count(), 20);
}

TEST(GeneratedDatasetTest, IsTheSameOnAnyNumberOfThreads) {
  const Dataset dataset = Generate(kSmall, 1);
  EXPECT_TRUE(SamePixels(Generate(kSmall, 3), dataset));
}

TEST(GeneratedDatasetTest, IsAnotherForAnotherSeed) {
  GeneratorSpec spec{.seed = 1, .train_images = 20, .test_images = 10};
  const Dataset dataset = Generate(spec, 1);
  spec.seed = 2;
  const Dataset other = Generate(spec, 1);
  EXPECT_NE(other.train.labels, dataset.train.labels);
  EXPECT_NE(other.train.pixels, dataset.train.pixels);
}

TEST(GeneratedDatasetTest, HasNoImageTwice) {
  const Dataset dataset = Generate(kSmall, 2);
  std::set<std::vector<uint8_t>> images;
  for (const ImageSet* set : {&dataset.train, &dataset.test}) {
    for (auto at = set->pixels.begin(); at != set->pixels.end(); at += 3072) {
      images.emplace(at, at + 3072);
    }
  }
  EXPECT_EQ(images.size(), 220U);
}

TEST(GeneratedDatasetTest, ReportsProgressUpToOne) {
  std::vector<double> progress;
  ThreadPool threads(1);
  ASSERT_THAT(GenerateDataset(kSmall, &threads, [&](double p) { progress.push_back(p); }), IsOk());
  EXPECT_THAT(progress, ::testing::ElementsAre(::testing::DoubleEq(200.0 / 220), 1));
}

// A change of the images that forgets kGeneratorVersion leaves users with caches, splits and feed
// ids of other images. Whoever means to change them raises the version and this number with it.
TEST(GeneratedDatasetTest, TheVersionStandsForTheseImages) {
#if CV_VERSION_MAJOR != 4 || CV_VERSION_MINOR != 6
  GTEST_SKIP() << "the number was made with OpenCV 4.6, of the reference system";
#endif
  EXPECT_EQ(kGeneratorVersion, 1);
  EXPECT_EQ(absl::StrCat(absl::Hex(FingerprintDataset(Generate(kSmall, 2)))), "8c97b40d5c16a29b");
}

class GeneratedCacheTest : public ::testing::Test {
 protected:
  // Opens with the cache; `drawn_` says whether images were drawn.
  absl::StatusOr<Dataset> Open(const GeneratorSpec& spec = kSmall) {
    drawn_ = false;
    return OpenGeneratedDataset(spec, cache_dir_, [this](double) { drawn_ = true; });
  }
  std::string File(const std::string& name) const {
    return GeneratedCacheFolder(kSmall, cache_dir_) + "/" + name;
  }
  // The cache is drawn again after `damage`, and is whole afterwards.
  template <typename Damage>
  void ExpectDrawnAgainAfter(const Damage& damage) {
    const auto first = Open();
    ASSERT_THAT(first, IsOk());
    damage();
    const auto again = Open();
    ASSERT_THAT(again, IsOk());
    EXPECT_TRUE(drawn_);
    EXPECT_TRUE(SamePixels(*again, *first));
    const auto cached = Open();
    ASSERT_THAT(cached, IsOk());
    EXPECT_FALSE(drawn_);
    EXPECT_TRUE(SamePixels(*cached, *first));
  }

  std::ptrdiff_t EntriesOfCache() const {
    const std::filesystem::directory_iterator entries(cache_dir_);
    return std::distance(begin(entries), end(entries));
  }
  static ino_t InodeOf(const std::string& path) {
    struct stat status = {};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return status.st_ino;
  }

  const testing::TempDir folder_;
  const std::string cache_dir_ = folder_.File("made/when/needed");
  bool drawn_ = false;
};

TEST_F(GeneratedCacheTest, IsReadTheSecondTime) {
  const auto first = Open();
  ASSERT_THAT(first, IsOk());
  EXPECT_TRUE(drawn_);
  const auto second = Open();
  ASSERT_THAT(second, IsOk());
  EXPECT_FALSE(drawn_);
  EXPECT_TRUE(SamePixels(*second, *first));
}

TEST_F(GeneratedCacheTest, IsACifar10Folder) {
  const auto made = Open();
  const auto read = ReadCifar(GeneratedCacheFolder(kSmall, cache_dir_), CifarKind::kCifar10);
  ASSERT_THAT(read, IsOk());
  EXPECT_TRUE(SamePixels(*read, *made));
  EXPECT_EQ(read->class_names, made->class_names);
}

TEST_F(GeneratedCacheTest, LeavesNothingElseBehind) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(EntriesOfCache(), 1);
}

TEST_F(GeneratedCacheTest, KeepsSeedsApart) {
  const auto first = Open();
  GeneratorSpec other = kSmall;
  other.seed = 4;
  const auto second = Open(other);
  ASSERT_THAT(second, IsOk());
  EXPECT_TRUE(drawn_);
  EXPECT_FALSE(SamePixels(*second, *first));
}

TEST_F(GeneratedCacheTest, IsDrawnAgainWhenAFileIsCutOff) {
  ExpectDrawnAgainAfter([&] { std::filesystem::resize_file(File("data_batch_4.bin"), 1000); });
}

TEST_F(GeneratedCacheTest, IsDrawnAgainWhenWholeRecordsAreMissing) {
  ExpectDrawnAgainAfter([&] { std::filesystem::resize_file(File("test_batch.bin"), 3073); });
}

TEST_F(GeneratedCacheTest, IsDrawnAgainWhenAByteDiffers) {
  ExpectDrawnAgainAfter([&] {
    std::string bytes = testing::ReadBytes(File("data_batch_1.bin"));
    bytes[4000] = static_cast<char>(bytes[4000] ^ 1);
    testing::WriteBytes(File("data_batch_1.bin"), bytes);
  });
}

TEST_F(GeneratedCacheTest, IsDrawnAgainWhenAFileIsMissing) {
  ExpectDrawnAgainAfter([&] { std::filesystem::remove(File("checksum.txt")); });
}

TEST_F(GeneratedCacheTest, IsDrawnAgainForAnotherSize) {
  ASSERT_THAT(Open(), IsOk());
  GeneratorSpec larger = kSmall;
  larger.test_images += 10;
  const auto made = Open(larger);
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->test.count(), 30);
}

TEST_F(GeneratedCacheTest, ACacheThatCannotBeWrittenIsNoticedAndNoError) {
  testing::WriteBytes(folder_.File("file"), "x");
  const auto made = OpenGeneratedDataset(kSmall, folder_.File("file/cache"));
  ASSERT_THAT(made, IsOk());
  EXPECT_TRUE(SamePixels(*made, Generate(kSmall, 1)));
  EXPECT_THAT(made->notice, ::testing::AllOf(::testing::StartsWith("not cached: "),
                                             ::testing::HasSubstr(folder_.File("file/cache"))));
}

TEST_F(GeneratedCacheTest, IsReadTheSecondTimeWithoutTestImages) {
  GeneratorSpec spec = kSmall;
  spec.test_images = 0;
  for (const bool drawn : {true, false}) {
    const auto made = Open(spec);
    ASSERT_THAT(made, IsOk());
    EXPECT_EQ(made->notice, "");
    EXPECT_EQ(drawn_, drawn);
    EXPECT_EQ(made->test.count(), 0);
  }
}

TEST_F(GeneratedCacheTest, TheFolderOfAFasterProcessIsKept) {
  const std::string folder = GeneratedCacheFolder(kSmall, cache_dir_);
  ino_t faster = 0;
  // Another's folder appears while this one draws.
  const auto be_faster = [&](double) {
    if (faster != 0) return;
    ASSERT_THAT(OpenGeneratedDataset(kSmall, cache_dir_), IsOk());
    faster = InodeOf(folder);
  };
  const auto made = OpenGeneratedDataset(kSmall, cache_dir_, be_faster);
  ASSERT_THAT(made, IsOk());
  EXPECT_NE(faster, 0u);
  EXPECT_EQ(InodeOf(folder), faster);
  EXPECT_EQ(EntriesOfCache(), 1);
}

TEST_F(GeneratedCacheTest, LeftoversOfDeadProcessesAreRemoved) {
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  waitpid(dead, nullptr, 0);
  const std::string folder = GeneratedCacheFolder(kSmall, cache_dir_);
  const std::string left = absl::StrCat(folder, ".tmp-", dead);
  const std::string alive = absl::StrCat(folder, ".tmp-", getppid());
  for (const std::string& path : {left, alive}) {
    std::filesystem::create_directories(path);
    testing::WriteBytes(path + "/data_batch_1.bin", "x");
  }
  ASSERT_THAT(Open(), IsOk());
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(alive));
}

TEST_F(GeneratedCacheTest, IsNotWrittenWithoutAFolder) {
  const auto made = OpenGeneratedDataset(kSmall, "");
  ASSERT_THAT(made, IsOk());
  EXPECT_EQ(made->train.count(), 200);
}

}  // namespace
}  // namespace mixfeed
