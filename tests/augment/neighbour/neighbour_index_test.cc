#include "augment/neighbour/neighbour_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/augment/neighbour/naive_neighbours.h"
#include "tests/augment/pool/status_matchers.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::OwnedPoints;

TEST(NeighbourIndexTest, OfNamesAPointsNeighbours) {
  const NeighbourIndex index(2, {1, 2, 0, 2, 1, 0});
  EXPECT_EQ(index.count(), 3);
  EXPECT_THAT(index.Of(0), ElementsAre(1, 2));
  EXPECT_THAT(index.Of(2), ElementsAre(1, 0));
}

TEST(NeighbourIndexTest, FingerprintTellsIndicesApart) {
  const std::vector<int32_t> places = {1, 2, 0, 2, 1, 0};
  EXPECT_EQ(NeighbourIndex(2, places).fingerprint(), NeighbourIndex(2, places).fingerprint());
  std::set<uint64_t> fingerprints = {NeighbourIndex(2, places).fingerprint(),
                                     NeighbourIndex(1, places).fingerprint(),
                                     NeighbourIndex(2, {2, 1, 0, 2, 1, 0}).fingerprint()};
  EXPECT_EQ(fingerprints.size(), 3u);
}

TEST(QuantiseFeaturesTest, TheLargestMagnitudeBecomes2047) {
  // 2047 times these: -1023.5, 511.75, 255.875.
  EXPECT_THAT(*QuantiseFeatures(std::vector<float>{1.0f, -0.5f, 0.25f, 0.125f, 0.0f}),
              ElementsAre(2047, -1024, 512, 256, 0));
  EXPECT_THAT(*QuantiseFeatures(std::vector<float>{-8.0f, 8.0f, 4.0f}),
              ElementsAre(-2047, 2047, 1024));
}

TEST(QuantiseFeaturesTest, HalvesGoToTheEvenNumber) {
  // At scale 1.
  EXPECT_THAT(*QuantiseFeatures(std::vector<float>{2047.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f}),
              ElementsAre(2047, 0, 2, 2, 0, -2));
}

TEST(QuantiseFeaturesTest, AnyFiniteFloatHasACoordinate) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
  EXPECT_THAT(*QuantiseFeatures(std::vector<float>{kLargest, -kLargest, kSmallest}),
              ElementsAre(2047, -2047, 0));
  EXPECT_THAT(*QuantiseFeatures(std::vector<float>{kSmallest, -2 * kSmallest}),
              ElementsAre(1024, -2047));
}

TEST(QuantiseFeaturesTest, NothingAndZerosStayWhatTheyAre) {
  EXPECT_THAT(*QuantiseFeatures({}), ElementsAre());
  EXPECT_THAT(*QuantiseFeatures(std::vector<float>{0.0f, -0.0f}), ElementsAre(0, 0));
}

TEST(QuantiseFeaturesTest, OtherThanFiniteFeaturesAreRefused) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(
      QuantiseFeatures(std::vector<float>{0.0f, kNan}),
      FailsWith(absl::StatusCode::kInvalidArgument, "features[1] is nan; allowed: finite numbers"));
  EXPECT_THAT(QuantiseFeatures(std::vector<float>{-kInfinity}),
              FailsWith(absl::StatusCode::kInvalidArgument, "features[0] is -inf"));
}

TEST(FingerprintPointsTest, EveryPartCounts) {
  const OwnedPoints points{.coordinates = {1, 2, 3, 4}, .dimensions = 2, .labels = {0, 1}};
  EXPECT_EQ(FingerprintPoints(points.view()), FingerprintPoints(OwnedPoints(points).view()));
  std::vector<OwnedPoints> all(6, points);
  all[1].dimensions = 1;
  all[2].coordinates[3] = 5;
  all[3].labels[0] = 1;
  all[4].labels.clear();
  all[5].coordinates = {1, 2, 3, 4, 0, 1};  // what was labels
  std::set<uint64_t> fingerprints;
  for (const OwnedPoints& other : all) fingerprints.insert(FingerprintPoints(other.view()));
  EXPECT_EQ(fingerprints.size(), all.size());
}

}  // namespace
}  // namespace mixfeed
