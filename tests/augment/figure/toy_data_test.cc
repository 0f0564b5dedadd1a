#include "augment/figure/toy_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

using testing::kMaxKsDistance;
using testing::KsDistance;

constexpr int kCount = 20000;

std::vector<ToyPoint> Draw(ToyShape shape, double noise, int count = kCount) {
  return DrawToyPoints(shape, noise, /*seed=*/3, ToySample::kTraining, count);
}

double DistanceFrom(const ChartPoint& centre, const ChartPoint& at) {
  return std::hypot(at.x - centre.x, at.y - centre.y);
}

TEST(ToyDataTest, MoonsWithoutNoiseAreHalfCircles) {
  for (const ToyPoint& point : Draw(ToyShape::kMoons, 0)) {
    const bool first = point.label == 0;
    EXPECT_NEAR(DistanceFrom(first ? ChartPoint{0, 0} : ChartPoint{1, 0.5}, point.at), 1, 1e-12);
    if (first) {
      EXPECT_GE(point.at.y, 0);
    } else {
      EXPECT_LE(point.at.y, 0.5);
    }
  }
}

TEST(ToyDataTest, MoonsAreUniformAlongTheirArcs) {
  std::vector<double> angles[2];
  for (const ToyPoint& point : Draw(ToyShape::kMoons, 0)) {
    const double cosine = point.label == 0 ? point.at.x : point.at.x - 1;
    angles[point.label].push_back(std::acos(std::clamp(cosine, -1.0, 1.0)) / M_PI);
  }
  for (const auto& of_class : angles) {
    EXPECT_LT(KsDistance(
                  of_class, [](double share) { return share; }, 1),
              kMaxKsDistance);
  }
}

TEST(ToyDataTest, CirclesAndBlobsLieWhereTheyShould) {
  for (const ToyPoint& point : Draw(ToyShape::kCircles, 0)) {
    EXPECT_NEAR(DistanceFrom({0.5, 0.25}, point.at), point.label == 0 ? 1 : 0.5, 1e-12);
  }
  for (const ToyPoint& point : Draw(ToyShape::kBlobs, 0)) {
    EXPECT_EQ(point.at, (ChartPoint{point.label == 0 ? -0.3 : 1.3, 0.25}));
  }
}

TEST(ToyDataTest, NoiseIsNormalInBothCoordinates) {
  const double noise = 0.3;
  std::vector<double> values[2];
  for (const ToyPoint& point : Draw(ToyShape::kBlobs, noise)) {
    values[0].push_back((point.at.x - (point.label == 0 ? -0.3 : 1.3)) / noise);
    values[1].push_back((point.at.y - 0.25) / noise);
  }
  const auto normal = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
  double product = 0;
  for (size_t i = 0; i < values[0].size(); ++i) product += values[0][i] * values[1][i];
  EXPECT_LT(std::abs(product), testing::kSigmas * std::sqrt(kCount));  // uncorrelated
  for (const auto& coordinate : values) {
    EXPECT_LT(KsDistance(coordinate, normal, 100), kMaxKsDistance);
  }
}

TEST(ToyDataTest, ClassesTakeTurns) {
  const std::vector<ToyPoint> points = Draw(ToyShape::kMoons, 0.1, 5);
  for (size_t i = 0; i < points.size(); ++i) EXPECT_EQ(points[i].label, static_cast<int>(i % 2));
}

TEST(ToyDataTest, ASmallerSampleBeginsALargerOne) {
  const std::vector<ToyPoint> few = Draw(ToyShape::kMoons, 0.1, 10);
  const std::vector<ToyPoint> many = Draw(ToyShape::kMoons, 0.1, 20);
  for (size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few[i].at, many[i].at);
}

TEST(ToyDataTest, SeedAndSampleChangeThePoints) {
  const auto first = [](uint64_t seed, ToySample sample) {
    return DrawToyPoints(ToyShape::kMoons, 0.1, seed, sample, 1)[0].at;
  };
  EXPECT_EQ(first(1, ToySample::kTraining), first(1, ToySample::kTraining));
  EXPECT_NE(first(1, ToySample::kTraining), first(2, ToySample::kTraining));
  EXPECT_NE(first(1, ToySample::kTraining), first(1, ToySample::kTruth));
}

}  // namespace
}  // namespace mixfeed
