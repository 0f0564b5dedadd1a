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
