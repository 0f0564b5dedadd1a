// Warped and toned views against those of fastai v1 (goldens/warp.txt): the renderer, given the map
// or the tone of a view.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "augment/render/cpu_renderer.h"
#include "tests/augment/recipe/golden_file.h"

namespace mixfeed {
namespace {

using testing::GoldenCase;
using testing::ReadGoldens;

// One view of one image, as float32 of 0..1.
std::vector<float> Rendered(const ImageShape& shape, const std::vector<uint8_t>& image,
                            const ViewEffects& effects) {
  ThreadPool threads(1);
  const std::unique_ptr<Renderer> renderer = MakeCpuRenderer(&threads);
  const auto pool = renderer->Load(*MakePool(shape, image, 0, PadMode::kReflect, &threads));
  EXPECT_TRUE(pool.ok()) << pool.status();
  RenderRow row;
  row.a.effects = &effects;
  PixelFormat format;
  format.normalisation = *FindNormalisation("unit", shape.channels);
  std::vector<float> out(image.size());
  const absl::Status status =
      renderer->Render(**pool, std::span(&row, 1), format, std::as_writable_bytes(std::span(out)));
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

ViewEffects WarpOf(const GoldenCase& golden) {
  ViewEffects effects;
  effects.resampled = true;
  const std::vector<float> map = golden.floats("map");
  EXPECT_EQ(map.size(), effects.map.size());
  std::copy(map.begin(), map.end(), effects.map.begin());
  return effects;
}

ViewEffects ToneOf(const GoldenCase& golden) {
  ViewEffects effects;
  effects.toned = true;
  if (golden.has("scale")) effects.contrast = golden.number("scale");
  if (golden.has("change")) {
    const double change = golden.number("change");
    effects.brightness = std::log(change / (1 - change));
  }
  return effects;
}

TEST(WarpGoldenTest, ResamplesAsFastaiDoes) {
  // Both take coordinates in float32, which leaves about 1e-5 of a pixel open.
  constexpr double kTolerance = 2e-5;
  int compared = 0;
  for (const GoldenCase& golden : ReadGoldens("warp.txt", "warp")) {
    if (!golden.has("pixels")) continue;
    const ImageShape shape = {golden.integer("channels"), golden.integer("height"),
                              golden.integer("width")};
    const std::vector<float> got =
        Rendered(shape, testing::ExampleImages(1, shape), WarpOf(golden));
    const std::vector<double> expected = golden.numbers("pixels");
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], expected[i] / 255, kTolerance) << golden.name() << ", value " << i;
    }
    ++compared;
  }
  EXPECT_EQ(compared, 10);
}

TEST(WarpGoldenTest, TonesEveryLevelAsFastaiDoes) {
  std::vector<uint8_t> levels(256);
  std::iota(levels.begin(), levels.end(), uint8_t{0});
  for (const GoldenCase& golden : ReadGoldens("warp.txt", "tone")) {
    const std::vector<float> got = Rendered({1, 16, 16}, levels, ToneOf(golden));
    const std::vector<double> curve = golden.numbers("curve");
    ASSERT_EQ(curve.size(), got.size());
    for (size_t level = 0; level < got.size(); ++level) {
      EXPECT_NEAR(got[level], curve[level], 1e-6) << golden.name() << ", level " << level;
    }
  }
}

}  // namespace
}  // namespace mixfeed
