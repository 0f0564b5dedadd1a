#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>
#include <filesystem>
#include <limits>

#include "augment/neighbour/neighbour_index.h"
#include "augment/pool/file_io.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAreArray;
using testing::FailsWith;
using testing::IsOk;

constexpr int32_t kPlaces[] = {1, 2, 3, 2, 1, 0, 0, 3, 1, 0, 2, 1};
const NeighbourKey kKey{.points_fingerprint = 0xABC, .k = 3, .classes = NeighbourClass::kSame};

// Offsets in the file; the checksum is its last eight bytes.
constexpr size_t kVersionAt = 8;
constexpr size_t kKAt = 12;
constexpr size_t kFingerprintAt = 16;
constexpr size_t kClassesAt = 24;
constexpr size_t kCountAt = 32;
constexpr size_t kPlacesAt = 40;
constexpr size_t kFileBytes = kPlacesAt + sizeof(kPlaces) + 8;

class NeighbourCacheTest : public ::testing::Test {
 protected:
  std::string folder() const { return temporary_.File("made/when/needed"); }
  std::string file() const { return folder() + "/neighbours-0000000000000abc-k3-same.bin"; }

  void Write() {
    const NeighbourIndex index(3, {std::begin(kPlaces), std::end(kPlaces)});
    ASSERT_THAT(WriteNeighbourIndex(folder(), kKey, index), IsOk());
  }
  std::vector<uint8_t> WrittenBytes() {
    Write();
    return *ReadWholeFile(file());
  }
  void Overwrite(const std::vector<uint8_t>& bytes) {
    ASSERT_THAT(WriteWholeFile(file(), bytes.data(), static_cast<int64_t>(bytes.size())), IsOk());
  }
  // Puts `value` at `offset` of the file and makes its checksum right again.
  template <typename T>
  void Forge(size_t offset, T value) {
    std::vector<uint8_t> bytes = WrittenBytes();
    std::memcpy(bytes.data() + offset, &value, sizeof(value));
    Seal(&bytes);
    Overwrite(bytes);
  }
  static void Seal(std::vector<uint8_t>* bytes) {
    const uint64_t checksum = XXH3_64bits(bytes->data(), bytes->size() - 8);
    std::memcpy(bytes->data() + bytes->size() - 8, &checksum, 8);
  }
  void ExpectDataLoss(const std::string& reason) {
    EXPECT_THAT(ReadNeighbourIndex(folder(), kKey),
                FailsWith(absl::StatusCode::kDataLoss, file() + ": " + reason));
  }

  const testing::TempDir temporary_;
};

TEST_F(NeighbourCacheTest, WhatIsWrittenIsRead) {
  Write();
  const auto index = ReadNeighbourIndex(folder(), kKey);
  ASSERT_THAT(index, IsOk());
  EXPECT_EQ(index->k(), 3);
  EXPECT_THAT(index->places(), ElementsAreArray(kPlaces));
}

TEST_F(NeighbourCacheTest, TheFolderHoldsOneFileAKeyAndNothingElse) {
  Write();
  Write();
  const NeighbourIndex index(1, {1, 0});
  NeighbourKey any{.points_fingerprint = 1, .k = 1, .classes = NeighbourClass::kAny};
  NeighbourKey other{.points_fingerprint = ~uint64_t{0}, .k = 1, .classes = NeighbourClass::kOther};
  ASSERT_THAT(WriteNeighbourIndex(folder(), any, index), IsOk());
  ASSERT_THAT(WriteNeighbourIndex(folder(), other, index), IsOk());
  EXPECT_THAT(*ListFolder(folder()),
              ::testing::ElementsAre("neighbours-0000000000000001-k1-any.bin",
                                     "neighbours-0000000000000abc-k3-same.bin",
                                     "neighbours-ffffffffffffffff-k1-other.bin"));
}

TEST_F(NeighbourCacheTest, TheFormatIsTheOneThatThisFileKnows) {
  const std::vector<uint8_t> bytes = WrittenBytes();
  ASSERT_EQ(bytes.size(), kFileBytes);
  EXPECT_EQ(std::memcmp(bytes.data(), "mixfnear", 8), 0);
  EXPECT_EQ(std::memcmp(bytes.data() + kPlacesAt, kPlaces, sizeof(kPlaces)), 0);
  std::vector<uint8_t> sealed = bytes;
  Seal(&sealed);
  EXPECT_EQ(bytes, sealed);
}

TEST_F(NeighbourCacheTest, NoFileIsNotFound) {
  EXPECT_THAT(ReadNeighbourIndex(folder(), kKey), FailsWith(absl::StatusCode::kNotFound, file()));
}

TEST_F(NeighbourCacheTest, AFileThatEndsEarlyAnywhereIsDataLoss) {
  const std::vector<uint8_t> bytes = WrittenBytes();
  for (size_t size = 0; size < bytes.size(); ++size) {
    Overwrite({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)});
    ExpectDataLoss(size < kPlacesAt + 8 ? "has only " + std::to_string(size) + " bytes"
                                        : "is damaged: its checksum is wrong");
  }
}

TEST_F(NeighbourCacheTest, AFlippedBitAnywhereIsDataLoss) {
  const std::vector<uint8_t> bytes = WrittenBytes();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::vector<uint8_t> damaged = bytes;
    damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    Overwrite(damaged);
    ExpectDataLoss("is damaged: its checksum is wrong");
  }
}

TEST_F(NeighbourCacheTest, ALongerFileIsDataLoss) {
  for (const size_t more : {1u, 4u, 12u}) {
    std::vector<uint8_t> bytes = WrittenBytes();
    bytes.resize(bytes.size() + more);
    Overwrite(bytes);
    ExpectDataLoss("is damaged");
    Seal(&bytes);
    Overwrite(bytes);
    ExpectDataLoss("has " + std::to_string(kFileBytes + more) +
                   " bytes, which are not 3 neighbours of 4 points");
  }
}

TEST_F(NeighbourCacheTest, AnotherFormatVersionOrKeyIsDataLoss) {
  const std::string reason = "is of another version or of other points";
  Forge<uint8_t>(0, 'M');
  ExpectDataLoss(reason);
  Forge<uint32_t>(kVersionAt, 2);
  ExpectDataLoss(reason);
  Forge<int32_t>(kKAt, 2);
  ExpectDataLoss(reason);
  Forge<uint64_t>(kFingerprintAt, 0xABD);
  ExpectDataLoss(reason);
  Forge<uint64_t>(kClassesAt, 2);
  ExpectDataLoss(reason);
}

TEST_F(NeighbourCacheTest, ACountThatTheBytesDoNotHaveIsDataLoss) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  // 12 times the last, the bytes of so many places, is 48 again modulo 2^64.
  for (const int64_t count : {-kMost - 1, int64_t{-1}, int64_t{0}, int64_t{3}, int64_t{5}, kMost,
                              (int64_t{1} << 62) + 4}) {
    Forge<int64_t>(kCountAt, count);
    ExpectDataLoss("has " + std::to_string(kFileBytes) + " bytes, which are not 3 neighbours of " +
                   std::to_string(count) + " points");
  }
}

TEST_F(NeighbourCacheTest, AKThatNoIndexHasIsDataLoss) {
  for (const int32_t k : {-1, 0, 4, std::numeric_limits<int32_t>::max()}) {
    NeighbourKey key = kKey;
    key.k = k;
    Forge<int32_t>(kKAt, k);
    const std::string path =
        folder() + "/neighbours-0000000000000abc-k" + std::to_string(k) + "-same.bin";
    std::filesystem::rename(file(), path);
    EXPECT_THAT(ReadNeighbourIndex(folder(), key),
                FailsWith(absl::StatusCode::kDataLoss, path + ": has "));
  }
}

TEST_F(NeighbourCacheTest, APlaceOutOfRangeIsDataLoss) {
  for (const int32_t place : {-1, 4, std::numeric_limits<int32_t>::max()}) {
    Forge<int32_t>(kPlacesAt + 44, place);
    ExpectDataLoss("has place " + std::to_string(place) + "; allowed: 0..3");
  }
}

TEST_F(NeighbourCacheTest, ADamagedFileIsReplaced) {
  Forge<int32_t>(kPlacesAt, -1);
  Write();
  EXPECT_THAT(ReadNeighbourIndex(folder(), kKey), IsOk());
}

TEST_F(NeighbourCacheTest, AFolderThatCannotBeMadeIsAnError) {
  ASSERT_THAT(WriteWholeFile(temporary_.File("made"), "", 0), IsOk());
  EXPECT_THAT(WriteNeighbourIndex(folder(), kKey, NeighbourIndex(1, {1, 0})),
              FailsWith(absl::StatusCode::kInternal, folder() + ": cannot be created: "));
}

TEST_F(NeighbourCacheTest, AFileThatCannotBeReplacedIsAnError) {
  std::filesystem::create_directories(file());
  EXPECT_THAT(WriteNeighbourIndex(folder(), kKey, NeighbourIndex(1, {1, 0})),
              FailsWith(absl::StatusCode::kInternal, file()));
}

}  // namespace
}  // namespace mixfeed
