// BatchContent::kViews: a step's images before guess and mixing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "augment/recipe/presets.h"
#include "tests/augment/batch/feed_kit.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::ContentsOf;
using ::mixfeed::testing::FeedKit;
using ::testing::HasSubstr;

// Large enough for every preset's cutout.
constexpr ImageShape kShape = {3, 20, 18};

std::shared_ptr<const Batch> Views(const BatchMaker& maker, int64_t step) {
  const auto batch = maker.Make(step, maker.ViewsFormat(), {});
  EXPECT_TRUE(batch.ok()) << batch.status();
  return batch.ok() ? *batch : std::make_shared<Batch>();
}

TEST(ViewsTest, EveryPresetsImagesAreThePlansAndFitItsSlot) {
  FeedKit kit({.shape = kShape});
  for (const Preset& preset : Presets()) {
    const auto maker = kit.Maker(kit.Spec(preset.name));
    const auto batch = Views(*maker, 0);
    ASSERT_TRUE(batch->views.has_value()) << preset.name;
    const auto images = static_cast<size_t>(maker->Images(BatchContent::kViews, {}));
    EXPECT_EQ(batch->views->images, maker->MakePlan(0)->rows) << preset.name;
    EXPECT_EQ(batch->views->images.size(), images) << preset.name;
    EXPECT_EQ(batch->pixels.size(), images * ImageBytes(kShape, batch->format.type));
    EXPECT_EQ(batch->targets.size(), images * 10);
    EXPECT_LE(batch->slot->size(), static_cast<size_t>(maker->SlotBytes(maker->ViewsFormat(), {})));
  }
}

TEST(ViewsTest, RowsAreThoseOfTheBatch) {
  FeedKit kit({.shape = kShape});
  const auto maker = kit.Maker(kit.Spec("mixmatch"));
  const auto views = Views(*maker, 4);
  const auto batch = *maker->Make(4, PixelFormat(), {});
  EXPECT_EQ(views->row_index, batch->row_index);
  EXPECT_EQ(views->partner, batch->partner);
  EXPECT_EQ(views->lambda, batch->lambda);
  EXPECT_EQ(views->unlabelled_weight, batch->unlabelled_weight);
  EXPECT_FALSE(views->guess.has_value());
  EXPECT_EQ(ContentsOf(*views), ContentsOf(*Views(*maker, 4)));
}

TEST(ViewsTest, ViewsWithLevelsBetweenTheWholeOnesAreFloat32) {
  FeedKit kit({.shape = kShape});
  FeedSpec spec = kit.Spec("mixmatch");
  EXPECT_EQ(kit.Maker(spec)->ViewsFormat().type, PixelType::kUint8);
  spec.recipe.view.warp.max_rotation = 10;
  EXPECT_EQ(kit.Maker(spec)->ViewsFormat().type, PixelType::kFloat32);
  spec.recipe.view.warp = {};
  spec.recipe.view.warp.max_lighting = 0.2;
  EXPECT_EQ(kit.Maker(spec)->ViewsFormat().type, PixelType::kFloat32);
}

TEST(ViewsTest, HolesThatAreZeroAfterNormalisationAreLeftToTheConsumer) {
  FeedKit kit({.shape = kShape});
  FeedSpec spec = kit.Spec("mixmatch");
  const auto whole = Views(*kit.Maker(spec), 0);
  EXPECT_TRUE(whole->views->hole.empty());
  spec.recipe.view.cutout.size = 6;
  const auto open = Views(*kit.Maker(spec), 0);
  ASSERT_EQ(open->views->hole.size(), open->views->images.size());
  for (const Box& hole : open->views->hole) EXPECT_EQ(hole.area(), 36);
  EXPECT_TRUE(std::ranges::equal(open->pixels, whole->pixels));
  spec.recipe.view.cutout.fill_with = CutoutFill::kLevels;
  const auto filled = Views(*kit.Maker(spec), 0);
  EXPECT_TRUE(filled->views->hole.empty());
  EXPECT_FALSE(std::ranges::equal(filled->pixels, whole->pixels));
}

TEST(ViewsTest, OtherFormatsThanTheFeedsAreRefused) {
  FeedKit kit({.shape = kShape});
  const auto maker = kit.Maker(kit.Spec("mixmatch"));
  BatchFormat format = maker->ViewsFormat();
  format.layout = PixelLayout::kNhwc;
  const absl::Status status = maker->Make(0, format, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("allowed: views in ViewsFormat()"));
}

}  // namespace
}  // namespace mixfeed
