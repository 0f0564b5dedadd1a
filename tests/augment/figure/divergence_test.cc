#include "augment/figure/divergence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "augment/figure/toy_data.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;

constexpr double kBandwidth = 0.2;

// Normal points about (mean, 0) that have the deviation `sigma` once the estimator has blurred them
// by its bandwidth.
std::vector<SoftPoint> Gaussian(double mean, double sigma, double second, int count) {
  const double own = std::sqrt(sigma * sigma - kBandwidth * kBandwidth);
  std::vector<SoftPoint> points;
  for (int i = 0; i < count; ++i) {
    PhiloxStream stream(static_cast<uint64_t>(std::llround(1000 * (mean + 50))), Purpose::kToyTruth,
                        static_cast<uint64_t>(i));
    const ChartPoint z = StandardNormals(&stream);
    points.push_back({{mean + own * z.x, own * z.y}, second});
  }
  return points;
}

// Of N(-1, sigma^2) and N(1, sigma^2), by the trapezoid rule on their exact densities.
double ExactJensenShannon(double sigma) {
  const auto density = [sigma](double x, double mean) {
    const double z = (x - mean) / sigma;
    return std::exp(-z * z / 2) / (sigma * std::sqrt(2 * M_PI));
  };
  constexpr double kStep = 1e-3;
  double bits = 0;
  for (double x = -12; x < 12; x += kStep) {
    const double p = density(x, -1), q = density(x, 1), m = (p + q) / 2;
    if (p > 0 && q > 0) bits += kStep * (p * std::log2(p / m) + q * std::log2(q / m)) / 2;
  }
  return bits;
}

// The divergence of N(-1, s^2) and N(1, s^2) is the capacity of the channel that adds normal noise
// to +-1. It is half a bit at s = 0.9787, the Shannon limit of rate 1/2 (Richardson, Shokrollahi
// and Urbanke 2001, "Design of capacity-approaching irregular low-density parity-check codes").
TEST(DivergenceTest, OfTwoGaussiansIsTheBinaryChannelsCapacity) {
  EXPECT_NEAR(ExactJensenShannon(0.9787), 0.5, 1e-4);
  const auto p = Gaussian(-1, 0.9787, 0, 200000);
  const auto q = Gaussian(1, 0.9787, 0, 200000);
  const auto bits = JensenShannon(p, q, kBandwidth);
  ASSERT_TRUE(bits.ok()) << bits.status();
  EXPECT_NEAR(bits->points, 0.5, 0.005);
  EXPECT_NEAR(bits->joint, 0.5, 0.005);
}

TEST(DivergenceTest, FollowsTheExactValueOverDistances) {
  for (const double sigma : {0.5, 2.0, 5.0}) {
    const auto bits =
        JensenShannon(Gaussian(-1, sigma, 0, 100000), Gaussian(1, sigma, 0, 100000), kBandwidth);
    ASSERT_TRUE(bits.ok()) << bits.status();
    // The bias grows with the area, in cells a point.
    EXPECT_NEAR(bits->points, ExactJensenShannon(sigma), 0.02) << sigma;
  }
}

TEST(DivergenceTest, OfASampleFromItselfIsNothing) {
  const auto sample = Gaussian(0, 1, 0.5, 1000);
  const auto bits = JensenShannon(sample, sample, kBandwidth);
  ASSERT_TRUE(bits.ok()) << bits.status();
  EXPECT_EQ(bits->points, 0);
  EXPECT_EQ(bits->joint, 0);
}

TEST(DivergenceTest, OfWhatDoesNotOverlapIsOneBit) {
  const std::vector<SoftPoint> left = {{{0, 0}, 0.25}};
  const std::vector<SoftPoint> right = {{{5, 0}, 0.25}, {{5, 1}, 1}};
  const auto bits = JensenShannon(left, right, kBandwidth);
  ASSERT_TRUE(bits.ok()) << bits.status();
  EXPECT_NEAR(bits->points, 1, 1e-12);
  EXPECT_NEAR(bits->joint, 1, 1e-12);
}

// Where the places are alike, the joint divergence is that of the two labels' probabilities.
TEST(DivergenceTest, JointSeesLabelsThatPointsDoNot) {
  const auto bits_of = [](double a, double b) {
    const std::vector<SoftPoint> p = {{{0, 0}, a}};
    const std::vector<SoftPoint> q = {{{0, 0}, b}};
    return *JensenShannon(p, q, kBandwidth);
  };
  EXPECT_EQ(bits_of(0, 1).points, 0);
  EXPECT_NEAR(bits_of(0, 1).joint, 1, 1e-12);
  // H(1/4) - H(1/2) / 2, with H the entropy of a coin.
  EXPECT_NEAR(bits_of(0, 0.5).joint, 0.811278124459 - 0.5, 1e-9);
  // Shares too small for a logarithm count as none.
  EXPECT_NEAR(bits_of(1e-310, 0).joint, 0, 1e-12);
}

TEST(DivergenceTest, IsSymmetric) {
  const auto p = Gaussian(-1, 1, 0, 500);
  const auto q = Gaussian(1, 1, 1, 300);
  EXPECT_NEAR(JensenShannon(p, q, kBandwidth)->joint, JensenShannon(q, p, kBandwidth)->joint,
              1e-12);
}

TEST(DensityTest, OnePointIsAGaussianOfTheBandwidth) {
  const Grid grid{-2, -2, 0.1, 40, 40};
  const std::vector<SoftPoint> point = {{{0.05, 0.05}, 0.25}};  // the middle of cell (20, 20)
  const auto density = EstimateDensity(point, grid, 0.4);
  ASSERT_TRUE(density.ok()) << density.status();
  for (const auto& [column, row] : {std::pair(20, 20), {24, 20}, {20, 12}, {24, 24}}) {
    const double squared = (std::pow(column - 20, 2) + std::pow(row - 20, 2)) * 0.01;
    const double expected = std::exp(-squared / 0.32) / (2 * M_PI * 0.16) * 0.01;
    const auto cell = static_cast<size_t>(row * 40 + column);
    EXPECT_NEAR(density->first[cell], 0.75 * expected, 1e-3 * expected);
    EXPECT_NEAR(density->second[cell], 0.25 * expected, 1e-3 * expected);
  }
}

TEST(DensityTest, SumsToOneAlsoAtTheBorder) {
  const Grid grid{0, 0, 0.1, 10, 5};
  const std::vector<SoftPoint> points = {{{0.05, 0.05}, 0}, {{0.95, 0.45}, 1}, {{7, 7}, 1}};
  const auto density = EstimateDensity(points, grid, 0.3);
  ASSERT_TRUE(density.ok()) << density.status();
  const auto sum = [](const std::vector<double>& v) {
    return std::accumulate(v.begin(), v.end(), 0.0);
  };
  EXPECT_NEAR(sum(density->first), 0.5, 1e-12);
  EXPECT_NEAR(sum(density->second), 0.5, 1e-12);
}

TEST(DensityTest, RefusesWhatHasNoDensity) {
  const Grid grid{0, 0, 0.1, 10, 5};
  const std::vector<SoftPoint> outside = {{{1.01, 0}, 0}, {{0, -0.01}, 0}, {{NAN, 0}, 0}};
  EXPECT_THAT(std::string(EstimateDensity(outside, grid, 0.3).status().message()),
              HasSubstr("3 points, none of them on the grid"));
  EXPECT_THAT(std::string(EstimateDensity(outside, grid, 0).status().message()),
              HasSubstr("bandwidth is 0"));
}

TEST(DivergenceTest, RefusesWhatItCannotCompare) {
  const std::vector<SoftPoint> near = {{{0, 0}, 0}};
  const std::vector<SoftPoint> far = {{{1e6, 1e6}, 0}};
  const auto message = [](const absl::StatusOr<Divergences>& made) {
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(made.status().message());
  };
  EXPECT_THAT(message(JensenShannon({}, near, kBandwidth)), HasSubstr("sample is empty"));
  EXPECT_THAT(message(JensenShannon(near, {}, kBandwidth)), HasSubstr("sample is empty"));
  EXPECT_THAT(message(JensenShannon(near, near, -1)), HasSubstr("bandwidth is -1"));
  EXPECT_THAT(message(JensenShannon(near, near, NAN)), HasSubstr("bandwidth is nan"));
  EXPECT_THAT(message(JensenShannon(near, far, kBandwidth)), HasSubstr("bandwidth is 0.2, which"));
}

}  // namespace
}  // namespace mixfeed
