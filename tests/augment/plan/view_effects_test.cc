// Holes, tones and warps of views as they are drawn.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>
#include <vector>

#include "augment/plan/view_sampler.h"
#include "augment/plan/warp.h"
#include "tests/augment/plan/statistics.h"
#include "tests/augment/recipe/golden_file.h"
#include "tests/augment/recipe/golden_statistics.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::DistanceFromGolden;
using ::mixfeed::testing::kMaxKsDistance;
using ::mixfeed::testing::LooksLikeGolden;
using ::mixfeed::testing::LooksUniform;
using ::mixfeed::testing::ReadGolden;
using ::testing::ElementsAre;

constexpr int kDraws = 20000;
constexpr char kFile[] = "distributions.txt";

// fastai v1, get_transforms() with its defaults.
WarpSpec Fastai() {
  return {.probability = 0.75,
          .max_rotation = 10,
          .max_zoom = 1.1,
          .max_perspective = 0.2,
          .lighting_probability = 0.75,
          .max_lighting = 0.2};
}

struct Drawn {
  std::vector<ViewPlan> views;
  std::vector<ViewEffects> effects;
};

Drawn DrawViews(const ViewSpec& spec, int count, const ImageShape& shape = {3, 32, 32}) {
  const ViewSampler sampler(spec, shape, 5);
  Drawn drawn;
  for (int step = 0; step < count; ++step) {
    drawn.views.push_back(sampler.Draw({.step = step}, PoolId::kLabelled, {}, &drawn.effects));
  }
  return drawn;
}

// --- cutout ---

ViewSpec Cutout(int size, CutoutPlace place) {
  ViewSpec spec;
  spec.cutout = {.size = size, .place = place};
  return spec;
}

TEST(CutoutTest, InsideThePlacesOfTheWholeSquareAreUniform) {
  std::vector<int64_t> y(21), x(21), quarters(4);
  for (const ViewEffects& effects : DrawViews(Cutout(12, CutoutPlace::kInside), kDraws).effects) {
    const Box& hole = effects.hole;
    ASSERT_EQ(hole.y1 - hole.y0, 12);
    ASSERT_EQ(hole.x1 - hole.x0, 12);
    ++y.at(static_cast<size_t>(hole.y0));
    ++x.at(static_cast<size_t>(hole.x0));
    if (hole.y0 != 10 && hole.x0 != 10)
      ++quarters[(hole.y0 > 10 ? 2u : 0u) + (hole.x0 > 10 ? 1u : 0u)];
  }
  EXPECT_TRUE(LooksUniform(y));
  EXPECT_TRUE(LooksUniform(x));
  EXPECT_TRUE(LooksUniform(quarters));
}

// util/cutout.py of DeVries and Taylor: a centre of 0..side-1, half the length to each side,
// clipped to the image.
TEST(CutoutTest, ClippedTheCentresAreUniformOverTheImage) {
  constexpr int kSides[] = {28, 20};
  std::vector<int64_t> counts[] = {std::vector<int64_t>(28), std::vector<int64_t>(20)};
  for (const ViewEffects& effects :
       DrawViews(Cutout(16, CutoutPlace::kClipped), kDraws, {1, 28, 20}).effects) {
    const Box& hole = effects.hole;
    const std::pair<int, int> spans[] = {{hole.y0, hole.y1}, {hole.x0, hole.x1}};
    for (size_t axis = 0; axis < 2; ++axis) {
      int centre = 0;
      while (centre < kSides[axis] &&
             spans[axis] != std::pair(std::clamp(centre - 8, 0, kSides[axis]),
                                      std::clamp(centre + 8, 0, kSides[axis]))) {
        ++centre;
      }
      ++counts[axis].at(static_cast<size_t>(centre));
    }
  }
  EXPECT_TRUE(LooksUniform(counts[0]));
  EXPECT_TRUE(LooksUniform(counts[1]));
}

TEST(CutoutTest, AnOddSizeHasItsCentreInTheMiddle) {
  std::set<int> begins, lengths;
  for (const ViewEffects& effects : DrawViews(Cutout(3, CutoutPlace::kClipped), 500).effects) {
    begins.insert(effects.hole.y0);
    lengths.insert(effects.hole.y1 - effects.hole.y0);
  }
  EXPECT_EQ(*begins.rbegin(), 30);  // centre 31
  EXPECT_THAT(lengths, ElementsAre(2, 3));
}

TEST(CutoutTest, ASquareOfTheImagesSizeCoversIt) {
  for (const ViewEffects& effects : DrawViews(Cutout(32, CutoutPlace::kInside), 20).effects) {
    EXPECT_EQ(effects.hole, (Box{0, 0, 32, 32}));
  }
}

// Trap 14: a fill is in levels, before normalisation; what must be 0 behind it says so.
TEST(CutoutTest, TheFillIsLevelsOrZeroAfterNormalisation) {
  ViewSpec spec = Cutout(4, CutoutPlace::kInside);
  spec.cutout.fill = {10, 20, 255};
  for (const ViewEffects& effects : DrawViews(spec, 5).effects) {
    EXPECT_TRUE(effects.normalised_zero);
    EXPECT_THAT(effects.fill, ElementsAre(0, 0, 0, 0));
  }
  spec.cutout.fill_with = CutoutFill::kLevels;
  for (const ViewEffects& effects : DrawViews(spec, 5).effects) {
    EXPECT_FALSE(effects.normalised_zero);
    EXPECT_THAT(effects.fill, ElementsAre(10, 20, 255, 0));
  }
}

TEST(CutoutTest, HolesDoNotMoveWithFlipAndCrop) {
  ViewSpec plain;
  const Drawn with_hole = DrawViews(Cutout(4, CutoutPlace::kInside), 100);
  const Drawn without = DrawViews(plain, 100);
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(with_hole.views[i].effects, static_cast<int32_t>(i));
    EXPECT_EQ(with_hole.views[i].flip, without.views[i].flip);
    EXPECT_EQ(with_hole.views[i].crop_x, without.views[i].crop_x);
  }
}

// --- tones ---

TEST(ToneTest, BrightnessAndContrastAreDrawnAsFastaisAre) {
  std::vector<int64_t> brightened(2), contrasted(2);
  std::vector<double> changes, scales;
  for (int step = 0; step < kDraws; ++step) {
    PhiloxStream stream(7, Purpose::kLabelledView, static_cast<uint64_t>(step));
    ViewEffects effects;
    DrawTone(Fastai(), &stream, &effects);
    ++brightened[effects.brightness != 0 ? 1 : 0];
    ++contrasted[effects.contrast != 1 ? 1 : 0];
    if (effects.brightness != 0) changes.push_back(1 / (1 + std::exp(-effects.brightness)));
    if (effects.contrast != 1) scales.push_back(effects.contrast);
    EXPECT_EQ(effects.toned, effects.brightness != 0 || effects.contrast != 1);
  }
  EXPECT_TRUE(LooksLikeGolden(brightened, ReadGolden(kFile, "counts", "fastai-brightness-run")));
  EXPECT_TRUE(LooksLikeGolden(contrasted, ReadGolden(kFile, "counts", "fastai-contrast-run")));
  EXPECT_LT(DistanceFromGolden(changes, ReadGolden(kFile, "quantiles", "fastai-brightness-change")),
            kMaxKsDistance);
  EXPECT_LT(DistanceFromGolden(scales, ReadGolden(kFile, "quantiles", "fastai-contrast-scale")),
            kMaxKsDistance);
}

TEST(ToneTest, ItsProbabilityIsItsOwn) {
  ViewSpec spec;
  spec.warp = Fastai();
  spec.warp.lighting_probability = 0;
  for (const ViewEffects& effects : DrawViews(spec, 300).effects) EXPECT_FALSE(effects.toned);
  spec.warp.lighting_probability = 1;
  spec.warp.probability = 0;
  const Drawn drawn = DrawViews(spec, 300);
  EXPECT_EQ(drawn.effects.size(), 300u);
  for (const ViewEffects& effects : drawn.effects) {
    EXPECT_TRUE(effects.toned);
    EXPECT_FALSE(effects.resampled);
  }
}

// --- warps ---

std::vector<WarpDraw> Warps(const WarpSpec& spec) {
  std::vector<WarpDraw> draws;
  for (int step = 0; step < kDraws; ++step) {
    PhiloxStream stream(8, Purpose::kLabelledView, static_cast<uint64_t>(step));
    draws.push_back(DrawWarp(spec, &stream));
  }
  return draws;
}

TEST(WarpDrawTest, EachOfTheThreeHappensAsOftenAsInFastai) {
  std::vector<int64_t> rotated(2), zoomed(2), warped(2), together(8);
  for (const WarpDraw& draw : Warps(Fastai())) {
    const bool warp = draw.perspective != WarpDraw().perspective;
    ++rotated[draw.rotation != 0 ? 1 : 0];
    ++zoomed[draw.zoom != 1 ? 1 : 0];
    ++warped[warp ? 1 : 0];
    ++together[(draw.rotation != 0 ? 4u : 0u) + (draw.zoom != 1 ? 2u : 0u) + (warp ? 1u : 0u)];
  }
  EXPECT_TRUE(LooksLikeGolden(rotated, ReadGolden(kFile, "counts", "fastai-rotate-run")));
  EXPECT_TRUE(LooksLikeGolden(zoomed, ReadGolden(kFile, "counts", "fastai-zoom-run")));
  EXPECT_TRUE(LooksLikeGolden(warped, ReadGolden(kFile, "counts", "fastai-symmetric_warp-run")));
  for (size_t which = 0; which < 8; ++which) {
    const double rate =
        std::pow(0.75, std::popcount(which)) * std::pow(0.25, 3 - std::popcount(which));
    EXPECT_TRUE(testing::LooksLikeRate(together[which], kDraws, rate)) << which;
  }
}

TEST(WarpDrawTest, TheirSizesAreDistributedAsFastais) {
  std::vector<double> degrees, scales, rows, columns, magnitudes;
  for (const WarpDraw& draw : Warps(Fastai())) {
    if (draw.rotation != 0) degrees.push_back(draw.rotation);
    if (draw.zoom != 1) {
      scales.push_back(draw.zoom);
      rows.push_back((draw.zoom_v + 1) / 2);
      columns.push_back((draw.zoom_u + 1) / 2);
    }
    if (draw.perspective[0] == 0) continue;
    magnitudes.insert(magnitudes.end(), draw.perspective.begin(), draw.perspective.end());
  }
  const std::pair<const char*, std::vector<double>> laws[] = {
      {"fastai-rotate-degrees", degrees},
      {"fastai-zoom-scale", scales},
      {"fastai-zoom-row_pct", rows},
      {"fastai-zoom-col_pct", columns},
      {"fastai-symmetric_warp-magnitude", magnitudes}};
  for (const auto& [name, samples] : laws) {
    EXPECT_LT(DistanceFromGolden(samples, ReadGolden(kFile, "quantiles", name)), kMaxKsDistance)
        << name;
  }
}

TEST(WarpDrawTest, WhatHasNoSizeIsNotDrawn) {
  for (const WarpDraw& draw : Warps({.probability = 1, .max_rotation = 10})) {
    EXPECT_NE(draw.rotation, 0);
    EXPECT_EQ(draw.zoom, 1);
    EXPECT_EQ(draw.perspective, WarpDraw().perspective);
  }
  for (const WarpDraw& draw : Warps({.probability = 0, .max_rotation = 10, .max_zoom = 2})) {
    EXPECT_EQ(draw, WarpDraw());
  }
}

TEST(WarpDrawTest, AViewThatNothingHappensToHasNoEffects) {
  ViewSpec spec;
  spec.warp = Fastai();
  const Drawn drawn = DrawViews(spec, kDraws);
  int64_t none = 0;
  for (const ViewPlan& view : drawn.views) none += view.effects < 0 ? 1 : 0;
  EXPECT_TRUE(testing::LooksLikeRate(none, kDraws, std::pow(0.25, 5))) << none;
  EXPECT_EQ(drawn.effects.size() + static_cast<size_t>(none), drawn.views.size());
}

}  // namespace
}  // namespace mixfeed
