#include "augment/render/mix_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "augment/base/thread_pool.h"
#include "augment/render/cpu_renderer.h"
#include "tests/augment/render/scenes.h"

namespace mixfeed {
namespace {

using testing::FormatsOf;
using ::testing::HasSubstr;
using testing::ManyScenes;
using testing::NamedFormat;
using testing::Scene;

bool TakesFloats(const RenderView& view) {
  return view.effects != nullptr &&
         (view.effects->resampled || view.effects->toned ||
          (!view.effects->hole.empty() && !view.effects->normalised_zero));
}

// A scene's views as finished images, and its rows of those.
class FinishedViews {
 public:
  FinishedViews(const Scene& scene, Renderer* renderer) : rows_(scene.rows), shape_(scene.shape) {
    size_t further = 0;
    for (RenderRow& row : rows_) further += row.more.size();
    more_.reserve(further);
    effects_.reserve(2 * rows_.size() + further);
    for (RenderRow& row : rows_) {
      row.a = Finish(row.a);
      row.b = Finish(row.b);
      const size_t first = more_.size();
      for (const WeightedView& view : row.more) more_.push_back({Finish(view.view), view.weight});
      row.more = std::span(more_).subspan(first);
    }
    const auto pool = *renderer->Load(scene.pool());
    pixels_.resize(views_.size() * ImageBytes(shape_, type_));
    const absl::Status status = renderer->Render(*pool, views_, {type_, PixelLayout::kNchw, {}},
                                                 std::as_writable_bytes(std::span(pixels_)));
    EXPECT_TRUE(status.ok()) << status;
  }

  ImageLevels images() const {
    return {shape_, static_cast<int64_t>(views_.size()), type_, std::as_bytes(std::span(pixels_))};
  }
  std::span<const RenderRow> rows() const { return rows_; }

 private:
  // Renders the view, but for a hole that waits for the consumer's normalisation.
  RenderView Finish(RenderView view) {
    RenderView finished;
    finished.image = static_cast<int32_t>(views_.size());
    if (TakesFloats(view)) type_ = PixelType::kFloat32;
    if (view.effects != nullptr && view.effects->normalised_zero) {
      ViewEffects& inside = effects_.emplace_back(*view.effects);
      ViewEffects& hole = holes_.emplace_back();
      hole.hole = std::exchange(inside.hole, {});
      hole.normalised_zero = true;
      view.effects = &inside;
      finished.effects = &hole;
    }
    views_.emplace_back().a = view;
    return finished;
  }

  std::vector<RenderRow> rows_;
  const ImageShape shape_;
  std::vector<WeightedView> more_;
  std::vector<ViewEffects> effects_;
  std::deque<ViewEffects> holes_;
  std::vector<RenderRow> views_;
  PixelType type_ = PixelType::kUint8;
  std::vector<std::byte> pixels_;
};

TEST(MixImagesTest, FinishedViewsGiveTheBytesOfOneRendering) {
  ThreadPool threads(2);
  const auto renderer = MakeCpuRenderer(&threads);
  int of_type[4] = {};
  for (const Scene& scene : ManyScenes()) {
    const FinishedViews views(scene, renderer.get());
    ++of_type[static_cast<size_t>(views.images().type)];
    for (const NamedFormat& format : FormatsOf(scene)) {
      std::vector<std::byte> mixed(testing::SceneBytes(scene, format.format.type));
      const absl::Status status = MixImages(views.images(), views.rows(), format.format, mixed);
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_TRUE(mixed == testing::RenderedByElement(scene, format.format))
          << scene.name() << " as " << format.name;
    }
  }
  EXPECT_GT(of_type[static_cast<size_t>(PixelType::kUint8)], 0);
  EXPECT_GT(of_type[static_cast<size_t>(PixelType::kFloat32)], 0);
}

struct Request {
  ImageLevels images;
  RenderRow row = {};
  PixelFormat format = {};
  std::span<std::byte> out;
};

class MixImagesErrorTest : public ::testing::Test {
 protected:
  void ExpectRefused(const std::string& words) {
    const absl::Status status =
        MixImages(request_.images, std::span(&request_.row, 1), request_.format, request_.out);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }

  alignas(64) std::byte pixels_[2 * 12] = {};
  alignas(64) std::byte out_[12 * 4] = {};
  ViewEffects effects_;
  Request request_ = {.images = {{3, 2, 2}, 2, PixelType::kUint8, pixels_}, .out = out_};
};

TEST_F(MixImagesErrorTest, ImagesOfA16BitType) {
  request_.images.type = PixelType::kFloat16;
  ExpectRefused("16-bit type; allowed: uint8, float32");
}

TEST_F(MixImagesErrorTest, ImagesOfAnotherSize) {
  request_.images.pixels = std::span(pixels_).first(23);
  ExpectRefused("images have 23 bytes; allowed: 24");
}

TEST_F(MixImagesErrorTest, ImagesWithoutPixels) {
  request_.images.shape.height = 0;
  ExpectRefused("images are 3x0x2; allowed: from 1x1x1");
}

TEST_F(MixImagesErrorTest, FloatsThatAreNotAligned) {
  alignas(64) std::byte floats[2 * 12 * 4 + 1] = {};
  request_.images.type = PixelType::kFloat32;
  request_.images.pixels = std::span(floats).subspan(1);
  ExpectRefused("images are not aligned to the 4 bytes");
}

TEST_F(MixImagesErrorTest, ImagesThatThereAreNot) {
  request_.row.a.image = 2;
  ExpectRefused("row 0: image is 2; allowed is 0 to 1");
}

TEST_F(MixImagesErrorTest, EffectsBeyondHoles) {
  request_.row.b.effects = &effects_;
  effects_.resampled = true;
  ExpectRefused("row 0: a view is resampled or toned");
  effects_.resampled = false;
  effects_.toned = true;
  ExpectRefused("row 0: a view is resampled or toned");
}

TEST_F(MixImagesErrorTest, AShortOut) {
  request_.out = std::span(out_).first(47);
  ExpectRefused("out has 47 bytes; 1 images need 48");
}

TEST_F(MixImagesErrorTest, AFormatThatIsNone) {
  request_.format.type = PixelType::kUint8;
  request_.format.normalisation = *FindNormalisation("unit");
  ExpectRefused("uint8");
}

TEST(MixedRowsTest, RowsArePairsBoxesAndFurtherImagesOfThePlan) {
  const std::vector<int32_t> row = {1, 0}, partner = {2, 1}, more = {3, 4, 5, 6};
  const std::vector<float> lambda = {0.5f, 0.25f}, weight = {0.1f, 0.2f, 0.3f, 0.4f};
  const std::vector<Box> box = {{}, {0, 0, 1, 1}};
  RowMixing mixing = {.row = row,
                      .partner = partner,
                      .lambda = lambda,
                      .more_partner = more,
                      .more_weight = weight,
                      .box = box};
  const auto view_of = [](int32_t image) { return RenderView{.image = 10 * image}; };
  const MixedRows mixed(mixing, view_of);
  ASSERT_EQ(mixed.rows().size(), 2u);
  EXPECT_EQ(mixed.rows()[0].a.image, 10);
  EXPECT_EQ(mixed.rows()[0].b.image, 20);
  EXPECT_EQ(mixed.rows()[0].lambda, 0.5f);
  ASSERT_EQ(mixed.rows()[0].more.size(), 2u);
  EXPECT_EQ(mixed.rows()[0].more[1].view.image, 50);
  EXPECT_EQ(mixed.rows()[0].more[1].weight, 0.3f);
  EXPECT_EQ(mixed.rows()[1].more[0].view.image, 40);
  EXPECT_EQ(mixed.rows()[1].box, box[1]);

  mixing.mixed = false;
  const MixedRows plain(mixing, view_of);
  EXPECT_EQ(plain.rows()[1].a.image, 0);
  EXPECT_EQ(plain.rows()[1].lambda, 1.0f);
  EXPECT_TRUE(plain.rows()[1].box.empty());
  EXPECT_TRUE(plain.rows()[1].more.empty());
}

}  // namespace
}  // namespace mixfeed
