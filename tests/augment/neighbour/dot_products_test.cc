#include "augment/neighbour/dot_products.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/testing/scoped_target.h"

namespace mixfeed {
namespace {

using Points = std::vector<std::vector<int16_t>>;

Points RandomPoints(int count, int dimensions, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> coordinate(-2047, 2047);
  Points points(static_cast<size_t>(count), std::vector<int16_t>(static_cast<size_t>(dimensions)));
  for (auto& point : points) {
    for (int16_t& x : point) x = static_cast<int16_t>(coordinate(random));
  }
  return points;
}

Points EqualPoints(int count, int dimensions, int16_t coordinate) {
  return Points(static_cast<size_t>(count),
                std::vector<int16_t>(static_cast<size_t>(dimensions), coordinate));
}

std::vector<const int16_t*> RowsOf(const Points& points) {
  std::vector<const int16_t*> rows;
  for (const auto& point : points) rows.push_back(point.data());
  return rows;
}

std::vector<int64_t> NaiveProducts(const Points& points, const Points& rows) {
  std::vector<int64_t> products;
  for (const auto& row : rows) {
    for (const auto& point : points) {
      int64_t sum = 0;
      for (size_t d = 0; d < row.size(); ++d) sum += int64_t{row[d]} * point[d];
      products.push_back(sum);
    }
  }
  return products;
}

// The defined part of what DotProducts makes.
std::vector<int64_t> Products(PackedPoints* packed, const Points& points, const Points& rows) {
  packed->Pack(RowsOf(points));
  std::vector<int64_t> dots(size_t{kBlockPoints} * kBlockPoints, 12345);
  DotProducts(*packed, RowsOf(rows), dots.data());
  std::vector<int64_t> products;
  for (size_t r = 0; r < rows.size(); ++r) {
    const auto first = dots.begin() + static_cast<ptrdiff_t>(r * kBlockPoints);
    products.insert(products.end(), first, first + static_cast<ptrdiff_t>(points.size()));
  }
  return products;
}

// Sizes around the limits of steps, chunks, tiles, panels and blocks.
TEST(DotProductsTest, EveryInstructionSetOfThisCpuIsExactAtEverySize) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const testing::ScopedTarget scope(target);
    ASSERT_EQ(DotProductsTargetName(), hwy::TargetName(target));
    for (const int dimensions : {1, 2, 3, 31, 511, 512, 513, 1024, 1537}) {
      PackedPoints packed(dimensions);
      for (const int count : {1, 15, 16, 17, 33}) {
        for (const int row_count : {1, 2, 7, 8, 9, 17}) {
          const Points points = RandomPoints(count, dimensions, 1);
          const Points rows = RandomPoints(row_count, dimensions, 2);
          ASSERT_EQ(Products(&packed, points, rows), NaiveProducts(points, rows))
              << DotProductsTargetName() << ", " << dimensions << " dimensions, " << count
              << " points, " << row_count << " rows";
        }
      }
    }
  }
}

TEST(DotProductsTest, AWholeBlockIsExact) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const testing::ScopedTarget scope(target);
    PackedPoints packed(5);
    const Points points = RandomPoints(kBlockPoints, 5, 3);
    const Points rows = RandomPoints(kBlockPoints, 5, 4);
    EXPECT_EQ(Products(&packed, points, rows), NaiveProducts(points, rows));
  }
}

// The sums are 150528 * 2047^2 = 630745 * 10^6 in magnitude, those of a chunk just below 2^31.
TEST(DotProductsTest, TheLargestCoordinatesOfALargePictureDoNotOverflow) {
  constexpr int kDimensions = 224 * 224 * 3;
  constexpr int64_t kLargest = int64_t{kDimensions} * 2047 * 2047;
  PackedPoints packed(kDimensions);
  const Points high = EqualPoints(2, kDimensions, 2047);
  const Points low = EqualPoints(1, kDimensions, -2047);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const testing::ScopedTarget scope(target);
    EXPECT_EQ(Products(&packed, high, high), std::vector<int64_t>(4, kLargest));
    EXPECT_EQ(Products(&packed, high, low), std::vector<int64_t>(2, -kLargest));
    EXPECT_EQ(Products(&packed, low, low), std::vector<int64_t>(1, kLargest));
  }
}

TEST(DotProductsTest, PackedPointsAreReplacedByTheNextOnes) {
  PackedPoints packed(600);
  const Points many = RandomPoints(100, 600, 5);
  const Points few = RandomPoints(20, 600, 6);
  Products(&packed, many, few);
  EXPECT_EQ(Products(&packed, few, many), NaiveProducts(few, many));
}

}  // namespace
}  // namespace mixfeed
