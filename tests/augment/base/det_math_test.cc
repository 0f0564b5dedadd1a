#include "augment/base/det_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace mixfeed {
namespace {

constexpr double kMaxUlps = 2.0;

// Distance of `value` from `exact` in units of the last place of a double near `exact`.
double Ulps(double value, long double exact) {
  const double rounded = std::abs(static_cast<double>(exact));
  const double ulp = std::nextafter(rounded, std::numeric_limits<double>::infinity()) - rounded;
  return static_cast<double>(std::abs(static_cast<long double>(value) - exact) /
                             static_cast<long double>(ulp));
}

double LogUlps(double x) { return Ulps(DetLog(x), std::log(static_cast<long double>(x))); }
double ExpUlps(double x) { return Ulps(DetExp(x), std::exp(static_cast<long double>(x))); }

TEST(DetLogTest, IsAccurateOverAllExponents) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> mantissa(1, 2);
  for (int exponent = -1022; exponent <= 1023; ++exponent) {
    for (int i = 0; i < 100; ++i) {
      const double x = std::ldexp(mantissa(random), exponent);
      ASSERT_LT(LogUlps(x), kMaxUlps) << x;
    }
  }
}

TEST(DetLogTest, IsAccurateAroundOne) {
  for (double distance = 0.5; distance > 1e-16; distance *= 0.99) {
    ASSERT_LT(LogUlps(1 + distance), kMaxUlps) << distance;
    ASSERT_LT(LogUlps(1 - distance), kMaxUlps) << distance;
  }
  EXPECT_EQ(DetLog(1), 0);
}

TEST(DetLogTest, IsAccurateWhereTheExponentTurns) {
  for (const double turn : {std::sqrt(0.5), std::sqrt(2.0), 0.5, 2.0, 4.0}) {
    double x = turn * (1 - 1e-14);
    for (int i = 0; i < 200; ++i, x = std::nextafter(x, 10.0)) EXPECT_LT(LogUlps(x), kMaxUlps);
  }
}

TEST(DetLogTest, TakesTheEndsOfItsRange) {
  EXPECT_LT(LogUlps(std::numeric_limits<double>::min()), kMaxUlps);
  EXPECT_LT(LogUlps(std::numeric_limits<double>::max()), kMaxUlps);
}

TEST(DetExpTest, IsAccurateOverItsRange) {
  std::mt19937_64 random(2);
  for (const double reach : {1e-12, 1e-3, 1.0, 30.0, 708.0}) {
    std::uniform_real_distribution<double> within(-reach, reach);
    for (int i = 0; i < 50000; ++i) {
      const double x = within(random);
      ASSERT_LT(ExpUlps(x), kMaxUlps) << x;
    }
  }
}

TEST(DetExpTest, ManyAreAsOneByOne) {
  std::vector<double> many;
  for (double x = -800; x <= kMaxDetExp; x += 0.37) many.push_back(x);
  std::vector<double> one_by_one(many.size());
  std::transform(many.begin(), many.end(), one_by_one.begin(), [](double x) { return DetExp(x); });
  DetExp(many);
  EXPECT_EQ(many, one_by_one);
}

TEST(DetExpTest, TakesTheEndsOfItsRange) {
  EXPECT_EQ(DetExp(0), 1);
  EXPECT_EQ(DetExp(-0.0), 1);
  EXPECT_LT(ExpUlps(kMaxDetExp), kMaxUlps);
  EXPECT_LT(ExpUlps(-708.39), kMaxUlps);
}

TEST(DetExpTest, IsZeroInsteadOfSubnormal) {
  for (const double x : {-708.4, -745.0, -1e4, -1e300, -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(DetExp(x), 0) << x;
  }
}

TEST(DetSinTest, IsAccurateOverItsRange) {
  constexpr double kPi = 3.14159265358979323846;
  constexpr double kUlpOfOne = 0x1p-52;
  for (double x = -kPi; x <= kPi; x += 1e-4) {
    const auto exact = static_cast<long double>(x);
    ASSERT_LT(std::abs(DetSin(x) - std::sin(exact)), kMaxUlps * kUlpOfOne) << x;
    ASSERT_LT(std::abs(DetCos(x) - std::cos(exact)), kMaxUlps * kUlpOfOne) << x;
  }
  EXPECT_EQ(DetSin(0), 0);
  EXPECT_EQ(DetCos(0), 1);
}

}  // namespace
}  // namespace mixfeed
