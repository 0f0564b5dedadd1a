#include "augment/neighbour/nearest_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mixfeed {
namespace {

using ::testing::ElementsAre;

// Points 3, 8 and 1 on a line, at places 10, 11 and 12.
const std::vector<int32_t> kPlaces = {10, 11, 12};
const std::vector<int64_t> kSquares = {9, 64, 1};
const std::vector<int64_t> kDots = {9, 24, 3, 24, 64, 8, 3, 8, 1};
constexpr int kPlaceBits = 4;

BlockPoints Points(std::span<const int16_t> labels = {}) { return {kPlaces, kSquares, labels}; }

std::vector<int32_t> Taken(NearestPoints* nearest, int64_t point, int k) {
  std::vector<int32_t> places(static_cast<size_t>(k));
  nearest->TakePlaces(point, places.data());
  return places;
}

TEST(NearestPointsTest, EachPointGetsTheOthersNearestFirst) {
  NearestPoints nearest(3, 2, kPlaceBits);
  nearest.Offer(Points(), Points(), {kDots.data(), 3, 1});
  EXPECT_THAT(Taken(&nearest, 0, 2), ElementsAre(12, 11));
  EXPECT_THAT(Taken(&nearest, 1, 2), ElementsAre(10, 12));
  EXPECT_THAT(Taken(&nearest, 2, 2), ElementsAre(10, 11));
}

TEST(NearestPointsTest, OnlyTheNearestAreKept) {
  NearestPoints nearest(3, 1, kPlaceBits);
  nearest.Offer(Points(), Points(), {kDots.data(), 3, 1});
  EXPECT_THAT(Taken(&nearest, 0, 1), ElementsAre(12));
  EXPECT_THAT(Taken(&nearest, 1, 1), ElementsAre(10));
  EXPECT_THAT(Taken(&nearest, 2, 1), ElementsAre(10));
}

TEST(NearestPointsTest, EqualLabelsExcludeEachOther) {
  const std::vector<int16_t> labels = {0, 1, 0};
  NearestPoints nearest(3, 1, kPlaceBits);
  nearest.Offer(Points(labels), Points(labels), {kDots.data(), 3, 1});
  EXPECT_THAT(Taken(&nearest, 0, 1), ElementsAre(11));
  EXPECT_THAT(Taken(&nearest, 1, 1), ElementsAre(10));
  EXPECT_THAT(Taken(&nearest, 2, 1), ElementsAre(11));
}

// One point at 0; candidates 5, -3 and 3 at places 7, 6 and 2.
TEST(NearestPointsTest, TiesGoToTheLowerPlaceInAnyOrderOfOffers) {
  const std::vector<int32_t> place = {1};
  const std::vector<int64_t> zeros = {0, 0, 0};
  const std::vector<std::vector<int32_t>> orders = {{7, 6, 2}, {2, 6, 7}, {6, 7, 2}};
  for (const std::vector<int32_t>& places : orders) {
    std::vector<int64_t> squares;
    for (const int32_t candidate : places) squares.push_back(candidate == 7 ? 25 : 9);
    NearestPoints one(1, 1, 3);
    one.Offer({place, std::span(zeros).first(1), {}}, {places, squares, {}}, {zeros.data(), 0, 1});
    EXPECT_THAT(Taken(&one, 0, 1), ElementsAre(2));
    NearestPoints two(1, 2, 3);
    two.Offer({place, std::span(zeros).first(1), {}}, {places, squares, {}}, {zeros.data(), 0, 1});
    EXPECT_THAT(Taken(&two, 0, 2), ElementsAre(2, 6));
  }
}

TEST(NearestPointsTest, EarlierOffersCompeteWithLaterOnes) {
  const std::vector<int32_t> place = {0};
  const std::vector<int64_t> zero = {0};
  NearestPoints nearest(1, 2, 2);
  for (const int32_t candidate : {1, 2, 3}) {
    const std::vector<int32_t> candidates = {candidate};
    const std::vector<int64_t> squares = {10 - candidate};
    nearest.Offer({place, zero, {}}, {candidates, squares, {}}, {zero.data(), 1, 1});
  }
  EXPECT_THAT(Taken(&nearest, 0, 2), ElementsAre(3, 2));
}

}  // namespace
}  // namespace mixfeed
