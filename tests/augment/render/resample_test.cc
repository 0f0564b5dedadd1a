#include "augment/render/resample.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"

namespace mixfeed {
namespace {

constexpr ProjectiveMap kIdentity = {{1, 0, 0, 0, 1, 0, 0, 0}};

Point Shown(const ProjectiveMap& map, int x, int y) { return MapPoint(map, MapLineAt(map, y), x); }

TEST(ResampleTest, TheIdentityShowsEveryPixelItself) {
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 5; ++x) {
      const Point point = Shown(kIdentity, x, y);
      EXPECT_EQ(point.x, static_cast<float>(x));
      EXPECT_EQ(point.y, static_cast<float>(y));
    }
  }
}

// d = 0.5 * 2 + 0.25 * 4 + 1 = 3; (1 * 2 + 2 * 4 + 5) / 3 and (3 * 2 + 4 * 4 + 8) / 3.
TEST(ResampleTest, AProjectiveMapDividesByItsDenominator) {
  const Point point = Shown({{1, 2, 5, 3, 4, 8, 0.5f, 0.25f}}, 2, 4);
  EXPECT_EQ(point.x, 5.0f);
  EXPECT_EQ(point.y, 10.0f);
}

TEST(ResampleTest, ReflectionGoesBackAndForthWithoutRepeatingTheEdge) {
  const ReflectedAxis axis = MakeReflectedAxis(4);
  const float shown[] = {0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0};
  for (int i = 0; i < static_cast<int>(std::size(shown)); ++i) {
    EXPECT_EQ(Reflect(static_cast<float>(i), axis), shown[i]) << i;
    EXPECT_EQ(Reflect(static_cast<float>(-i), axis), shown[i]) << -i;
  }
  EXPECT_EQ(Reflect(3.25f, axis), 2.75f);
  EXPECT_EQ(Reflect(-0.25f, axis), 0.25f);
}

TEST(ResampleTest, ReflectionIsExactAndInTheImageForEveryCoordinateAllowed) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> anywhere(-kMaxMapCoordinate, kMaxMapCoordinate);
  for (const int size : {2, 3, 28, 40, 255, 384}) {
    const ReflectedAxis axis = MakeReflectedAxis(size);
    const double period = 2.0 * (size - 1);
    for (int i = 0; i < 20000; ++i) {
      const float place = i < 10 ? static_cast<float>(i * period) : anywhere(random);
      const double left = std::fmod(std::abs(double{place}), period);
      const double folded = left > size - 1 ? period - left : left;
      ASSERT_EQ(Reflect(place, axis), folded) << place << " of " << size;
    }
  }
}

TEST(ResampleTest, AnAxisOfOnePixelShowsIt) { EXPECT_EQ(Reflect(0, MakeReflectedAxis(1)), 0.0f); }

TEST(ResampleTest, BilinearWeighsTheFourByTheirDistances) {
  EXPECT_EQ(Bilinear({10, 20, 30, 80}, 0.0f, 0.0f), 10.0f);
  EXPECT_EQ(Bilinear({10, 20, 30, 80}, 0.5f, 0.0f), 15.0f);
  EXPECT_EQ(Bilinear({10, 20, 30, 80}, 0.0f, 0.25f), 15.0f);
  EXPECT_EQ(Bilinear({10, 20, 30, 80}, 0.5f, 0.5f), 35.0f);
}

TEST(ResampleTest, TheLastPixelOfAPlaneNeedsNoneBeyondIt) {
  const uint8_t plane[] = {1, 2, 3, 4, 5, 6};  // 3 wide, 2 high
  const ReflectedAxis x_axis = MakeReflectedAxis(3);
  const ReflectedAxis y_axis = MakeReflectedAxis(2);
  EXPECT_EQ(LevelAt(plane, 3, {2, 1}, x_axis, y_axis), 6.0f);
  EXPECT_EQ(LevelAt(plane, 3, {1.5f, 1}, x_axis, y_axis), 5.5f);
  EXPECT_EQ(LevelAt(plane, 3, {2, 0.5f}, x_axis, y_axis), 4.5f);
  EXPECT_EQ(LevelAt(plane, 3, {0.5f, 0.5f}, x_axis, y_axis), 3.0f);
}

}  // namespace
}  // namespace mixfeed
