#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "augment/render/cpu_renderer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/augment/render/scenes.h"

// What Renderer::Render and Load refuse; the same code for every back end.
namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using testing::MakeScene;
using testing::Scene;

class RenderErrorsTest : public ::testing::Test {
 protected:
  RenderErrorsTest()
      : scene_(MakeScene({3, 8, 8}, 2, PadMode::kReflect, 4)),
        renderer_(MakeCpuRenderer(&threads_)),
        pool_(*renderer_->Load(scene_.pool())),
        out_(SceneBytes(scene_, PixelType::kFloat32) + sizeof(float)) {
    for (RenderRow& row : scene_.rows) row.lambda = 0.5f;
  }

  absl::Status Render() { return Render({out_.data(), out_.size() - sizeof(float)}); }
  absl::Status Render(std::span<std::byte> out) {
    return renderer_->Render(*pool_, scene_.rows, format_, out);
  }

  void ExpectRefused(const absl::Status& status, const std::string& says) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(says));
  }

  ThreadPool threads_{1};
  Scene scene_;
  const std::unique_ptr<Renderer> renderer_;
  const std::shared_ptr<const ResidentPool> pool_;
  PixelFormat format_;
  std::vector<std::byte> out_;
};

TEST_F(RenderErrorsTest, TheUnchangedRequestIsFine) { EXPECT_TRUE(Render().ok()); }

TEST_F(RenderErrorsTest, ViewsOutsideThePoolAreRefused) {
  struct Wrong {
    RenderView view;
    const char* says;
  };
  const Wrong wrong[] = {
      {{-1, 0, 0, 0}, "image is -1; allowed is 0 to 6"},
      {{7, 0, 0, 0}, "image is 7; allowed is 0 to 6"},
      {{0, -1, 0, 0}, "crop_y is -1; allowed is 0 to 4"},
      {{0, 5, 0, 0}, "crop_y is 5; allowed is 0 to 4"},
      {{0, 0, -1, 0}, "crop_x is -1; allowed is 0 to 4"},
      {{0, 0, 5, 0}, "crop_x is 5; allowed is 0 to 4"},
      {{0, 0, 0, 2}, "flip is 2; allowed is 0 to 1"},
  };
  for (RenderView RenderRow::*side : {&RenderRow::a, &RenderRow::b}) {
    for (const Wrong& given : wrong) {
      RenderRow& row = scene_.rows[2];
      const RenderRow good = row;
      row.*side = given.view;
      ExpectRefused(Render(), std::string("row 2: ") + given.says);
      row = good;
    }
  }
}

TEST_F(RenderErrorsTest, LastImageAndOffsetsAreAccepted) {
  scene_.rows[1].a = {6, 4, 4, 1};
  EXPECT_TRUE(Render().ok());
}

TEST_F(RenderErrorsTest, LambdasOutsideZeroToOneAreRefused) {
  for (const float lambda : {-0.1f, 1.1f, std::numeric_limits<float>::quiet_NaN(),
                             std::numeric_limits<float>::infinity()}) {
    scene_.rows[3].lambda = lambda;
    ExpectRefused(Render(), "row 3: lambda");
  }
}

TEST_F(RenderErrorsTest, BoxesOutsideTheImageAreRefused) {
  struct Wrong {
    Box box;
    const char* says;
  };
  const Wrong wrong[] = {
      {{-1, 0, 4, 4}, "box.y0 is -1; allowed is 0 to 8"},
      {{0, -1, 4, 4}, "box.x0 is -1; allowed is 0 to 8"},
      {{0, 0, 9, 4}, "box.y1 is 9; allowed is 0 to 8"},
      {{0, 0, 4, 9}, "box.x1 is 9; allowed is 0 to 8"},
  };
  for (const Wrong& given : wrong) {
    scene_.rows[1].box = given.box;
    ExpectRefused(Render(), std::string("row 1: ") + given.says);
  }
}

TEST_F(RenderErrorsTest, BoxesOfTheWholeImageAndEmptyOnesAnywhereAreAccepted) {
  for (const Box& box : {Box{0, 0, 8, 8}, Box{-5, 3, -5, 90}, Box{4, 4, 3, 5}}) {
    scene_.rows[1].box = box;
    EXPECT_TRUE(Render().ok());
  }
}

// Whatever lambda is, `b` is shown.
TEST_F(RenderErrorsTest, TheSecondViewOfABoxedRowIsChecked) {
  scene_.rows[1].lambda = 1;
  scene_.rows[1].box = {0, 0, 1, 1};
  scene_.rows[1].b.image = 7;
  ExpectRefused(Render(), "row 1: image is 7");
}

TEST_F(RenderErrorsTest, FurtherViewsAreChecked) {
  std::vector<WeightedView> more = {{{}, 0.1f}, {{7, 0, 0, 0}, 0.1f}};
  scene_.rows[0].more = more;
  ExpectRefused(Render(), "row 0: image is 7");
  more[1].view.image = 6;
  EXPECT_TRUE(Render().ok());
}

TEST_F(RenderErrorsTest, TheSecondViewOfARowOfManyIsChecked) {
  const std::vector<WeightedView> more = {{{}, 0.0f}};
  scene_.rows[0].lambda = 1;
  scene_.rows[0].more = more;
  scene_.rows[0].b.image = -1;
  ExpectRefused(Render(), "row 0: image is -1");
}

TEST_F(RenderErrorsTest, MoreThanSixFurtherViewsAreRefused) {
  const std::vector<WeightedView> more(7, {{}, 0.01f});
  scene_.rows[0].more = std::span(more).first(6);
  EXPECT_TRUE(Render().ok());
  scene_.rows[0].more = more;
  ExpectRefused(Render(), "row 0: more.size() is 7; allowed is 0 to 6");
}

TEST_F(RenderErrorsTest, FurtherViewsWithABoxAreRefused) {
  const std::vector<WeightedView> more(2, {{}, 0.01f});
  scene_.rows[2].more = more;
  scene_.rows[2].box = {0, 0, 1, 1};
  ExpectRefused(Render(), "row 2: box and 2 further images in one row");
}

TEST_F(RenderErrorsTest, WeightsOutsideZeroToOneAreRefused) {
  for (const float weight : {-0.1f, 1.1f, std::numeric_limits<float>::quiet_NaN()}) {
    const std::vector<WeightedView> more = {{{}, 0.0f}, {{}, weight}};
    scene_.rows[0].more = more;
    ExpectRefused(Render(), "row 0: more[1].weight is ");
  }
}

TEST_F(RenderErrorsTest, WeightsBeyondOneTogetherAreRefusedButForRounding) {
  std::vector<WeightedView> more = {{{}, 0.25f}, {{}, 0.25f}};
  scene_.rows[0].more = more;
  EXPECT_TRUE(Render().ok());
  more[1].weight = 0.2500005f;
  EXPECT_TRUE(Render().ok());
  more[1].weight = 0.251f;
  ExpectRefused(Render(), "row 0: sum of lambda and more's weights is 1.001; allowed is 0 to 1");
}

TEST_F(RenderErrorsTest, MapsThatAreNotFiniteOrHugeAreRefused) {
  ViewEffects effects;
  effects.resampled = true;
  scene_.rows[3].b.effects = &effects;
  EXPECT_TRUE(Render().ok());
  for (size_t i = 0; i < effects.map.size(); ++i) {
    for (const float number : {std::numeric_limits<float>::quiet_NaN(),
                               -std::numeric_limits<float>::infinity(), 1.1e6f}) {
      const ViewEffects good = effects;
      effects.map[i] = number;
      ExpectRefused(Render(), "row 3: map[" + std::to_string(i) + "] is ");
      effects = good;
    }
  }
}

TEST_F(RenderErrorsTest, MapsWithADenominatorThatIsNotPositiveAreRefused) {
  ViewEffects effects;
  effects.resampled = true;
  scene_.rows[3].b.effects = &effects;
  effects.map[6] = -0.125f;
  EXPECT_TRUE(Render().ok());
  effects.map[6] = -0.25f;
  ExpectRefused(Render(), "row 3: map's denominator is -0.75 at x 7, y 0; allowed is from 0.001");
  effects.map[6] = 0;
  effects.map[7] = -0.25f;
  ExpectRefused(Render(), "row 3: map's denominator is -0.75 at x 0, y 7; allowed is from 0.001");
}

TEST_F(RenderErrorsTest, MapsThatLeadFarAwayAreRefused) {
  ViewEffects effects;
  effects.resampled = true;
  scene_.rows[3].b.effects = &effects;
  effects.map[2] = 65529;
  EXPECT_TRUE(Render().ok());
  effects.map[2] = 65530;
  ExpectRefused(Render(), "row 3: what the map shows at x 7, y 0 is 65537; allowed is -65536 to");
  effects.map[2] = 0;
  effects.map[5] = -70000;
  ExpectRefused(Render(), "row 3: what the map shows at x 0, y 0 is -70000; allowed is -65536 to");
}

TEST_F(RenderErrorsTest, TonesOutOfRangeAreRefused) {
  ViewEffects effects;
  effects.toned = true;
  scene_.rows[0].a.effects = &effects;
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (const double contrast : {-0.1, 40.1, kNan}) {
    effects.contrast = contrast;
    ExpectRefused(Render(), "row 0: contrast is ");
  }
  effects.contrast = 40;
  EXPECT_TRUE(Render().ok());
  for (const double brightness : {-17.1, 17.1, kNan}) {
    effects.brightness = brightness;
    ExpectRefused(Render(), "row 0: brightness is ");
  }
  effects.brightness = -17;
  EXPECT_TRUE(Render().ok());
}

TEST_F(RenderErrorsTest, HolesOutsideTheImageAreRefused) {
  ViewEffects effects;
  effects.hole = {0, 0, 4, 9};
  scene_.rows[0].a.effects = &effects;
  ExpectRefused(Render(), "row 0: hole.x1 is 9; allowed is 0 to 8");
}

TEST_F(RenderErrorsTest, FillsOutsideTheLevelsAreRefusedWhereTheyAreUsed) {
  ViewEffects effects;
  effects.hole = {0, 0, 4, 4};
  scene_.rows[0].a.effects = &effects;
  for (const float level : {-1.0f, 255.5f, std::numeric_limits<float>::quiet_NaN()}) {
    effects.fill = {0, 0, level, level};
    ExpectRefused(Render(), "row 0: fill[2] is ");
  }
  effects.fill = {0, 255, 0, -1};  // of three channels
  EXPECT_TRUE(Render().ok());
  effects.fill[0] = -1;
  effects.normalised_zero = true;
  EXPECT_TRUE(Render().ok());
}

// Numbers of effects that a view does not have.
TEST_F(RenderErrorsTest, EffectsThatAreOffAreNotChecked) {
  ViewEffects effects;
  effects.map.fill(std::numeric_limits<float>::infinity());
  effects.contrast = effects.brightness = std::numeric_limits<double>::infinity();
  effects.fill.fill(-1);
  scene_.rows[0].a.effects = &effects;
  EXPECT_TRUE(Render().ok());
}

TEST_F(RenderErrorsTest, AShortOutIsRefused) {
  ExpectRefused(Render({out_.data(), out_.size() - sizeof(float) - 1}), "out has 3071 bytes");
}

TEST_F(RenderErrorsTest, AnUnalignedOutIsRefused) {
  ExpectRefused(Render({out_.data() + 1, out_.size() - sizeof(float)}), "not aligned");
}

TEST_F(RenderErrorsTest, AnInvalidFormatIsRefused) {
  format_.normalisation.std[0] = 0;
  ExpectRefused(Render(), "std[0]");
}

TEST_F(RenderErrorsTest, APoolOfAnotherRendererIsRefused) {
  class OtherPool : public ResidentPool {
   public:
    explicit OtherPool(const Pool& pool) : ResidentPool(pool) {}
  };
  const OtherPool other(scene_.pool());
  ExpectRefused(renderer_->Render(other, scene_.rows, format_, out_), "another renderer");
}

TEST_F(RenderErrorsTest, APoolThatIsNotWhatItSaysIsRefused) {
  const std::function<void(Pool&)> spoil[] = {
      [](Pool& pool) { pool.pixels.resize(static_cast<size_t>(7 * pool.image_bytes() - 1)); },
      [](Pool& pool) { pool.count = -1; },
      [](Pool& pool) { pool.pad = -1; },
      [](Pool& pool) { pool.shape.channels = kMaxChannels + 1; },
      [](Pool& pool) { pool.shape.height = 0; },
      [](Pool& pool) { pool.shape.width = 0; },
      // Sizes that overflow, in all or in the part that would pass for a small one.
      [](Pool& pool) { pool.count = int64_t{1} << 62; },
      [](Pool& pool) { pool.count = int64_t{1} << 31; },
      [](Pool& pool) { pool.shape.height = std::numeric_limits<int>::max(); },
      [](Pool& pool) { pool.shape.height = pool.shape.width = 1 << 16; },
      [](Pool& pool) {
        pool.shape = {4, 1 << 15, 1 << 15};
      },
  };
  for (const std::function<void(Pool&)>& change : spoil) {
    Pool pool = scene_.pool();
    change(pool);
    ExpectRefused(renderer_->Load(std::move(pool)).status(), "pool");
  }
}

}  // namespace
}  // namespace mixfeed
