#include "augment/neighbour/neighbour_checks.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/augment/neighbour/naive_neighbours.h"
#include "tests/augment/pool/status_matchers.h"

namespace mixfeed {
namespace {

using testing::IsOk;
using testing::OwnedPoints;

absl::Status Built(const OwnedPoints& points, int k,
                   NeighbourClass classes = NeighbourClass::kAny) {
  ThreadPool threads(1);
  return BuildNeighbourIndex(points.view(), {.k = k, .classes = classes, .threads = &threads})
      .status();
}

void ExpectRefused(const OwnedPoints& points, int k, NeighbourClass classes,
                   const std::string& message) {
  const absl::Status status = Built(points, k, classes);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), message);
}

// One point a label, whose coordinates do not matter.
OwnedPoints PointsOf(std::vector<int16_t> labels) {
  OwnedPoints points;
  points.coordinates.assign(labels.size(), 0);
  points.labels = std::move(labels);
  return points;
}

TEST(NeighbourChecksTest, SizesMustFitTogether) {
  OwnedPoints points;
  points.dimensions = 0;
  ExpectRefused(points, 1, NeighbourClass::kAny, "points.dimensions is 0; allowed: 1 or more");
  points.dimensions = 3;
  ExpectRefused(points, 1, NeighbourClass::kAny,
                "points.coordinates is 0 values; allowed: multiples of points.dimensions, 3");
  points.coordinates.assign(7, 0);
  ExpectRefused(points, 1, NeighbourClass::kAny,
                "points.coordinates is 7 values; allowed: multiples of points.dimensions, 3");
  points.coordinates.assign(12, 0);
  points.labels.assign(3, 0);
  for (const NeighbourClass classes : {NeighbourClass::kSame, NeighbourClass::kOther}) {
    ExpectRefused(points, 1, classes, "points.labels is 3 values; allowed: 4, one a point");
  }
}

TEST(NeighbourChecksTest, CoordinatesHaveTwelveBits) {
  OwnedPoints points = PointsOf({0, 0, 0});
  points.coordinates = {-2047, 2047, 0};
  EXPECT_THAT(Built(points, 1), IsOk());
  points.coordinates[1] = 2048;
  ExpectRefused(points, 1, NeighbourClass::kAny,
                "points.coordinates[1] is 2048; allowed: -2047..2047");
  points.coordinates[0] = std::numeric_limits<int16_t>::min();
  ExpectRefused(points, 1, NeighbourClass::kAny,
                "points.coordinates[0] is -32768; allowed: -2047..2047");
}

TEST(NeighbourChecksTest, AClassRuleNeedsEveryLabel) {
  for (const NeighbourClass classes : {NeighbourClass::kSame, NeighbourClass::kOther}) {
    EXPECT_THAT(Built(PointsOf({0, 32767, 0, 32767}), 1, classes), IsOk());
    ExpectRefused(PointsOf({0, 0, -1}), 1, classes, "points.labels[2] is -1; allowed: 0..32767");
  }
}

TEST(NeighbourChecksTest, AnyOtherPointIsTheMostNeighbours) {
  const OwnedPoints points = PointsOf({0, 1, 2, 3});
  EXPECT_THAT(Built(points, 3), IsOk());
  for (const int k : {std::numeric_limits<int>::min(), -1, 0, 4}) {
    ExpectRefused(points, k, NeighbourClass::kAny,
                  "recipe.mix.partner.neighbours is " + std::to_string(k) +
                      "; allowed: 1..3, there are 4 images");
  }
  ExpectRefused(PointsOf({0}), 1, NeighbourClass::kAny,
                "recipe.mix.partner.neighbours is 1; allowed: none, there is 1 image");
}

TEST(NeighbourChecksTest, TheSmallestClassBoundsNeighboursOfTheSameClass) {
  const OwnedPoints points = PointsOf({5, 3, 5, 3, 5, 3, 5});
  EXPECT_THAT(Built(points, 2, NeighbourClass::kSame), IsOk());
  ExpectRefused(points, 3, NeighbourClass::kSame,
                "recipe.mix.partner.neighbours is 3; allowed: 1..2, class 3 has 3 images");
  ExpectRefused(PointsOf({0, 0, 7}), 1, NeighbourClass::kSame,
                "recipe.mix.partner.neighbours is 1; allowed: none, class 7 has 1 image");
}

TEST(NeighbourChecksTest, TheLargestClassBoundsNeighboursOfOthers) {
  const OwnedPoints points = PointsOf({5, 3, 5, 3, 5, 3, 5});
  EXPECT_THAT(Built(points, 3, NeighbourClass::kOther), IsOk());
  ExpectRefused(points, 4, NeighbourClass::kOther,
                "recipe.mix.partner.neighbours is 4; allowed: 1..3, class 5 has 4 of 7 images");
  ExpectRefused(PointsOf({2, 2}), 1, NeighbourClass::kOther,
                "recipe.mix.partner.neighbours is 1; allowed: none, class 2 has 2 of 2 images");
}

}  // namespace
}  // namespace mixfeed
