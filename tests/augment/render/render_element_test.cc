#include "augment/render/render_element.h"

#include "gtest/gtest.h"
#include "tests/augment/render/scenes.h"

// The body of the CUDA kernel, executed on the host index by index.
namespace mixfeed {
namespace {

using testing::ExpectMatchesNaive;
using testing::FormatsOf;
using testing::ManyScenes;
using testing::NamedFormat;
using testing::RenderedByElement;
using testing::Scene;

TEST(RenderElementTest, MatchesTheNaiveRendererInEverySizePadTypeAndLayout) {
  for (const Scene& scene : ManyScenes()) {
    for (const NamedFormat& format : FormatsOf(scene)) {
      PixelFormat float32 = format.format;
      float32.type = PixelType::kFloat32;
      ExpectMatchesNaive(scene, format, RenderedByElement(scene, format.format),
                         RenderedByElement(scene, float32));
      ASSERT_FALSE(HasFailure());
    }
  }
}

TEST(RenderElementTest, CoordinatesCountInTheOutputsLayout) {
  RenderJob job;
  job.channels = 3;
  job.height = 4;
  job.width = 5;
  const Coordinates planar = CoordinatesOf(job, 2 * 20 + 3 * 5 + 1);
  EXPECT_EQ(planar.c, 2);
  EXPECT_EQ(planar.y, 3);
  EXPECT_EQ(planar.x, 1);
  job.layout = PixelLayout::kNhwc;
  const Coordinates interleaved = CoordinatesOf(job, (3 * 5 + 1) * 3 + 2);
  EXPECT_EQ(interleaved.c, 2);
  EXPECT_EQ(interleaved.y, 3);
  EXPECT_EQ(interleaved.x, 1);
  for (const PixelLayout layout : {PixelLayout::kNchw, PixelLayout::kNhwc}) {
    job.layout = layout;
    for (uint32_t index = 0; index < 60; ++index) {
      EXPECT_EQ(IndexOf(job, CoordinatesOf(job, index)), index);
    }
  }
}

}  // namespace
}  // namespace mixfeed
