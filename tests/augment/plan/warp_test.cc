// The map of a warped view against fastai's (goldens/warp.txt) and, for padding and crops, which
// fastai does not have, against what they say.

#include "augment/plan/warp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "tests/augment/recipe/golden_file.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::GoldenCase;
using ::mixfeed::testing::ReadGoldens;
using ::testing::ElementsAre;

WarpDraw DrawOf(const GoldenCase& golden) {
  WarpDraw draw;
  const std::vector<double> magnitude = golden.numbers("magnitude");
  std::copy_n(magnitude.begin(), 4, draw.perspective.begin());
  draw.rotation = golden.number("degrees");
  draw.zoom = golden.number("scale");
  draw.zoom_u = 2 * golden.number("col_pct") - 1;
  draw.zoom_v = 2 * golden.number("row_pct") - 1;
  return draw;
}

WarpFrame FrameOf(const GoldenCase& golden) {
  return {.image = {1, golden.integer("height"), golden.integer("width")},
          .flip = golden.integer("flip") == 1};
}

// Where the view's pixel (x, y) is looked up, as ViewEffects says.
template <typename Map>
std::pair<double, double> LookUp(const Map& map, double x, double y) {
  const double d = map[6] * x + map[7] * y + 1;
  return {(map[0] * x + map[1] * y + map[2]) / d, (map[3] * x + map[4] * y + map[5]) / d};
}

// The frame's corners and centre.
std::vector<std::pair<double, double>> Points(const WarpFrame& frame) {
  const double right = frame.image.width - 1, bottom = frame.image.height - 1;
  return {{0, 0}, {right, 0}, {0, bottom}, {right, bottom}, {right / 2, bottom / 2}};
}

void ExpectSamePlaces(const GoldenCase& golden, const WarpFrame& frame, double dx, double dy) {
  const std::vector<double> expected = golden.numbers("map");
  const std::array<float, 8> map = WarpMap(DrawOf(golden), frame);
  for (const auto& [x, y] : Points(frame)) {
    const auto [got_x, got_y] = LookUp(map, x, y);
    const auto [want_x, want_y] = LookUp(expected, x, y);
    // The map's numbers are float32.
    EXPECT_NEAR(got_x, want_x + dx, 1e-5) << golden.name();
    EXPECT_NEAR(got_y, want_y + dy, 1e-5) << golden.name();
  }
}

TEST(WarpMapTest, EqualsFastais) {
  for (const GoldenCase& golden : ReadGoldens("warp.txt", "warp")) {
    ExpectSamePlaces(golden, FrameOf(golden), 0, 0);
  }
}

// A crop at (crop_y, crop_x) of the mirrored, padded image begins crop_y below its top and, where
// it is mirrored, crop_x from its right end.
TEST(WarpMapTest, ACropShiftsThePlacesInThePaddedImage) {
  for (const GoldenCase& golden : ReadGoldens("warp.txt", "warp")) {
    WarpFrame frame = FrameOf(golden);
    frame.pad = 4;
    frame.crop_y = 3;
    frame.crop_x = 6;
    ExpectSamePlaces(golden, frame, frame.flip ? 2 : 6, 3);
  }
}

TEST(WarpMapTest, WithoutAWarpItIsTheViewsCropAndMirror) {
  WarpFrame frame = {.image = {3, 28, 20}, .pad = 2, .crop_y = 1, .crop_x = 3};
  for (const bool flip : {false, true}) {
    frame.flip = flip;
    const std::array<float, 8> map = WarpMap({}, frame);
    for (const auto& [x, y] : Points(frame)) {
      const auto [column, row] = LookUp(map, x, y);
      // Of 24 padded columns the mirrored one at place x + 3 was the 23 - (x + 3)-th.
      EXPECT_NEAR(column, flip ? 23 - (x + 3) : x + 3, 1e-5);
      EXPECT_NEAR(row, y + 1, 1e-5);
    }
  }
}

// Hand-computed: about the centre (15.5, 15.5) of 32 pixels.
TEST(WarpMapTest, AQuarterTurnAndAZoomAreThese) {
  const WarpFrame frame = {.image = {3, 32, 32}};
  const auto turned = LookUp(WarpMap({.rotation = 90}, frame), 0, 0);
  EXPECT_NEAR(turned.first, 31, 1e-5);
  EXPECT_NEAR(turned.second, 0, 1e-5);
  const std::array<float, 8> twice = WarpMap({.zoom = 2, .zoom_u = 1, .zoom_v = -1}, frame);
  EXPECT_NEAR(LookUp(twice, 31, 0).first, 31, 1e-5);  // the point that stays
  EXPECT_NEAR(LookUp(twice, 0, 0).first, 15.5, 1e-5);
  EXPECT_NEAR(LookUp(twice, 31, 31).second, 15.5, 1e-5);
}

// symmetric_warp moves the corners outwards by its magnitudes, in half sides, and maps them back.
TEST(WarpMapTest, PerspectiveTakesTheMovedCornersToTheCorners) {
  const WarpFrame frame = {.image = {3, 21, 41}};  // half sides of 10 and 20
  const std::array<float, 8> map = WarpMap({.perspective = {0.1, 0.2, 0.3, 0.4}}, frame);
  const std::pair<std::pair<double, double>, std::pair<double, double>> corners[] = {
      {{-0.4 * 20, -0.2 * 10}, {0, 0}},
      {{-0.3 * 20, 20 + 0.2 * 10}, {0, 20}},
      {{40 + 0.4 * 20, -0.1 * 10}, {40, 0}},
      {{40 + 0.3 * 20, 20 + 0.1 * 10}, {40, 20}}};
  for (const auto& [moved, corner] : corners) {
    const auto [x, y] = LookUp(map, moved.first, moved.second);
    EXPECT_NEAR(x, corner.first, 1e-4);
    EXPECT_NEAR(y, corner.second, 1e-4);
  }
}

}  // namespace
}  // namespace mixfeed
