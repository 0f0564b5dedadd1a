#include "augment/pool/gzip.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "tests/augment/pool/gzip_files.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::IsOk;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr int64_t kPlenty = int64_t{1} << 40;

std::string Noise(size_t bytes) {
  std::mt19937 random(7);
  std::string noise(bytes, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  return noise;
}

class GzipTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::string> Read(int64_t max_bytes = kPlenty) {
    const auto bytes = ReadGzipStart(path_, max_bytes);
    if (!bytes.ok()) return bytes.status();
    return std::string(bytes->begin(), bytes->end());
  }
  // Replaces the file by `change` of its bytes.
  template <typename Change>
  void Edit(const Change& change) {
    std::string bytes = testing::ReadBytes(path_);
    change(&bytes);
    testing::WriteBytes(path_, bytes);
  }
  const testing::TempDir folder_;
  const std::string path_ = folder_.File("x.gz");
};

// Made by Python: gzip.compress(b"mixfeed mixfeed mixfeed", mtime=0).
TEST_F(GzipTest, ReadsWhatAnotherProgramWrote) {
  const unsigned char bytes[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                 0xcb, 0xcd, 0xac, 0x48, 0x4b, 0x4d, 0x4d, 0x51, 0xc8, 0x45,
                                 0xa5, 0x01, 0x86, 0x44, 0xf5, 0xbe, 0x17, 0x00, 0x00, 0x00};
  testing::WriteBytes(path_, std::string(std::begin(bytes), std::end(bytes)));
  const auto read = Read();
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(*read, "mixfeed mixfeed mixfeed");
}

TEST_F(GzipTest, ReadsContentOfAnySize) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1} << 20, (size_t{5} << 19) + 3}) {
    const std::string content = Noise(size);
    testing::WriteGzip(path_, content);
    const auto read = Read();
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(*read, content);
  }
}

TEST_F(GzipTest, InflatesNoFurtherThanAskedFor) {
  testing::WriteGzip(path_, std::string(size_t{64} << 20, 'x'));
  Edit([](std::string* bytes) { bytes->resize(bytes->size() / 2); });  // it would fail further on
  for (const int64_t bytes : {0, 1, 1000, 3 << 20}) {
    const auto read = Read(bytes);
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(*read, std::string(static_cast<size_t>(bytes), 'x'));
  }
  EXPECT_THAT(Read(), FailsWith(kDataLoss, path_ + ": gzip data are cut off at byte "));
}

TEST_F(GzipTest, NamesTheByteWhereItIsCutOff) {
  testing::WriteGzip(path_, Noise(1000));
  const auto whole = static_cast<int64_t>(std::filesystem::file_size(path_));
  for (const int64_t size : {whole - 1, whole - 8, int64_t{500}, int64_t{10}, int64_t{0}}) {
    std::filesystem::resize_file(path_, static_cast<uintmax_t>(size));
    EXPECT_THAT(Read(),
                FailsWith(kDataLoss, "gzip data are cut off at byte " + std::to_string(size)));
  }
}

TEST_F(GzipTest, RefusesAWrongChecksumOrLength) {
  for (const size_t from_end : {size_t{8}, size_t{4}}) {
    testing::WriteGzip(path_, Noise(1000));
    Edit([&](std::string* bytes) { (*bytes)[bytes->size() - from_end] ^= 1; });
    EXPECT_THAT(Read(), FailsWith(kDataLoss, path_ + ": gzip data are damaged at byte 10"));
  }
}

TEST_F(GzipTest, RefusesWhatIsNotGzip) {
  testing::WriteBytes(path_, std::string(100, 'x'));
  EXPECT_THAT(Read(), FailsWith(kDataLoss, path_ + ": gzip data are damaged at byte "));
}

TEST_F(GzipTest, RefusesWhatFollows) {
  testing::WriteGzip(path_, "first");
  const auto first = std::filesystem::file_size(path_);
  Edit([](std::string* bytes) { *bytes += *bytes; });
  const std::string size = std::to_string(first);
  EXPECT_THAT(Read(),
              FailsWith(kDataLoss, path_ + ": has " + size +
                                       " bytes after its gzip data, which end at byte " + size));
}

TEST_F(GzipTest, NamesAFileThatIsNotThereOrTooLarge) {
  EXPECT_THAT(Read(), FailsWith(absl::StatusCode::kNotFound, path_ + ": no such file"));
  testing::WriteBytes(path_, "");
  std::filesystem::resize_file(path_, kMaxGzipBytes + 1);  // sparse
  EXPECT_THAT(Read(), FailsWith(absl::StatusCode::kInvalidArgument,
                                "has 1073741825 bytes; allowed are up to 1073741824"));
}

}  // namespace
}  // namespace mixfeed
