#include "server/core/contact_sheet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "augment/recipe/presets.h"
#include "server/core/sheet_rows.h"
#include "tests/augment/batch/feed_kit.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::FeedKit;
using ::mixfeed::testing::FeedKitOptions;
using ::testing::HasSubstr;

// Blue, green, red, as the legend has them.
const cv::Vec3b kOwnColour(205, 122, 38);
const cv::Vec3b kPartnerColour(30, 118, 240);
const cv::Vec3b kHoleColour(160, 38, 214);

// What a server has of an open feed, without the server.
OpenedFeed FeedOf(FeedKit* kit, const FeedSpec& spec, const std::string& id = "feed") {
  const BatchMakerOptions options = kit->MakerOptions(spec, id);
  return {.id = id,
          .run = "r",
          .spec = spec,
          .dataset = options.dataset,
          .pool = options.pool,
          .sizes = {},
          .maker = kit->Maker(spec, id)};
}

// The pools of `feed.pool` and of its maker are two with the same images.
ContactSheet SheetOf(FeedKit* kit, const OpenedFeed& feed, const SheetOptions& options = {}) {
  absl::StatusOr<ContactSheet> sheet = DrawContactSheet(feed, kit->renderer.get(), options);
  if (!sheet.ok()) ADD_FAILURE() << feed.spec.recipe.preset << ": " << sheet.status();
  return sheet.ok() ? *std::move(sheet) : ContactSheet();
}

SheetContent RowsOf(FeedKit* kit, const OpenedFeed& feed, int count = 256) {
  absl::StatusOr<SheetContent> content = CollectSheetRows(feed, kit->renderer.get(), 0, count);
  if (!content.ok()) ADD_FAILURE() << content.status();
  return content.ok() ? *std::move(content) : SheetContent();
}

cv::Mat Decode(const ContactSheet& sheet) {
  const std::vector<uchar> bytes(sheet.png.begin(), sheet.png.end());
  return cv::imdecode(bytes, cv::IMREAD_COLOR);
}

int CountPixels(const cv::Mat& image, const cv::Vec3b& colour) {
  return static_cast<int>(std::count(image.begin<cv::Vec3b>(), image.end<cv::Vec3b>(), colour));
}

// Partners among neighbours need an index of the pool, which the kit does not build.
bool NeedsIndex(const Recipe& recipe) { return recipe.mix.partner.neighbours > 0; }

TEST(ContactSheetTest, EveryPresetHasOne) {
  FeedKit kit({.shape = {3, 32, 32}});
  for (const Preset& preset : Presets()) {
    const FeedSpec spec = kit.Spec(preset.name);
    if (NeedsIndex(spec.recipe)) continue;
    const ContactSheet sheet = SheetOf(&kit, FeedOf(&kit, spec, preset.name), {.rows = 4});
    const cv::Mat image = Decode(sheet);
    EXPECT_EQ(image.cols, sheet.width) << preset.name;
    EXPECT_EQ(image.rows, sheet.height) << preset.name;
  }
}

TEST(ContactSheetTest, AnySizeOfImageAndScaleFits) {
  for (const ImageShape& shape : {ImageShape{1, 1, 1}, ImageShape{3, 1, 40}, ImageShape{1, 256, 9},
                                  ImageShape{3, 256, 256}}) {
    FeedKit kit({.shape = shape, .train = 40, .test = 10});
    FeedSpec spec = kit.Spec("mixup", 2);
    spec.recipe.view.pad = 0;
    const OpenedFeed feed = FeedOf(&kit, spec);
    for (const int scale : {1, 8}) {
      const ContactSheet sheet = SheetOf(&kit, feed, {.rows = 1, .scale = scale});
      EXPECT_GT(sheet.width, 4 * shape.width * scale);
      EXPECT_GT(sheet.height, shape.height * scale);
    }
  }
}

TEST(ContactSheetTest, SameStepSameBytes) {
  FeedKit kit;
  const OpenedFeed feed = FeedOf(&kit, kit.Spec("mixmatch"));
  EXPECT_EQ(SheetOf(&kit, feed).png, SheetOf(&kit, feed).png);
}

// The bar of shares is the only thing in these colours below the legend, besides the marks above
// view and partner, which are as wide as the picture and 3 pixels high.
TEST(ContactSheetTest, SharesBarIsAsLongAsLambdaSays) {
  FeedKit kit({.shape = {3, 16, 16}});
  FeedSpec spec = kit.Spec("mixup");
  spec.recipe.mix.lambda_law = LambdaLaw::kUniform;
  spec.recipe.mix.lambda_low = spec.recipe.mix.lambda_high = 0.75;
  const OpenedFeed feed = FeedOf(&kit, spec);
  // A row that is its own partner has no bar.
  const SheetContent content = RowsOf(&kit, feed);
  ASSERT_FALSE(content.rows[0].shares.empty());
  const cv::Mat sheet = Decode(SheetOf(&kit, feed, {.rows = 1, .scale = 2}));
  const cv::Mat card = sheet.rowRange(100, sheet.rows);
  constexpr int kMark = 80 * 3;  // 16 pixels are magnified to fill the place
  const double own = CountPixels(card, kOwnColour) - kMark;
  const double partner = CountPixels(card, kPartnerColour) - kMark;
  EXPECT_NEAR(own / (own + partner), 0.75, 0.01);
}

TEST(ContactSheetTest, CutMixBoxIsFramedOnPartnerAndResult) {
  FeedKit kit({.shape = {3, 16, 16}});
  const FeedSpec spec = kit.Spec("cutmix/per-row");
  const OpenedFeed feed = FeedOf(&kit, spec);
  const Plan plan = *feed.maker->MakePlan(0);
  int framed = 0;
  const SheetContent content = RowsOf(&kit, feed);
  for (size_t r = 0; r < content.rows.size(); ++r) {
    for (const SheetTile& tile : content.rows[r].tiles) {
      const bool has_box = tile.column >= 2 && !content.rows[r].shares.empty();
      EXPECT_EQ(tile.outline, has_box ? plan.box[r] : Box{}) << r << " " << tile.heading;
      framed += tile.outline.empty() ? 0 : 1;
    }
  }
  EXPECT_GT(framed, 0);
}

TEST(ContactSheetTest, SmallImagesFillTheirPlace) {
  const auto height = [](int side, int scale) {
    FeedKit kit({.shape = {3, side, side}});
    return SheetOf(&kit, FeedOf(&kit, kit.Spec("supervised")), {.rows = 1, .scale = scale}).height;
  };
  EXPECT_EQ(height(8, 1), height(8, 8));
  EXPECT_EQ(height(16, 1), height(16, 5));
  EXPECT_LT(height(32, 3), height(32, 4));
}

TEST(ContactSheetTest, AHoleIsGreyAndOutlined) {
  FeedKit kit({.shape = {3, 32, 32}});
  const OpenedFeed feed = FeedOf(&kit, kit.Spec("cutout/airbench"));
  const SheetContent content = RowsOf(&kit, feed, 1);
  const SheetTile& view = content.rows[0].tiles[1];
  ASSERT_EQ(view.hole.area(), 12 * 12);
  for (int y = view.hole.y0; y < view.hole.y1; ++y) {
    for (int x = view.hole.x0; x < view.hole.x1; ++x) {
      const auto at = static_cast<size_t>((y * 32 + x) * 3);
      ASSERT_EQ(std::to_integer<int>(view.pixels[at]), 128);  // 127.5
    }
  }
  // The outline, two pixels of 12 * 3 a side, and the legend's swatch.
  const cv::Mat sheet = Decode(SheetOf(&kit, feed, {.rows = 1}));
  EXPECT_EQ(CountPixels(sheet, kHoleColour), 36 * 36 - 32 * 32 + 10 * 10);
}

// Rendered with the consumer's normalisation and back, levels are what they are without it.
TEST(SheetRowsTest, AHoleChangesNothingBesideIt) {
  FeedKit kit({.shape = {3, 32, 32}});
  FeedSpec spec = kit.Spec("cutout/airbench");
  const SheetContent with = RowsOf(&kit, FeedOf(&kit, spec));
  spec.recipe.view.cutout.size = 0;
  const SheetContent without = RowsOf(&kit, FeedOf(&kit, spec, "without"));
  for (size_t r = 0; r < with.rows.size(); ++r) {
    const SheetTile& view = with.rows[r].tiles[1];
    for (int y = 0; y < 32; ++y) {
      for (int x = 0; x < 32; ++x) {
        if (y >= view.hole.y0 && y < view.hole.y1 && x >= view.hole.x0 && x < view.hole.x1)
          continue;
        const auto at = static_cast<size_t>((y * 32 + x) * 3);
        ASSERT_EQ(view.pixels[at], without.rows[r].tiles[1].pixels[at]) << r;
      }
    }
  }
}

TEST(ContactSheetTest, ABatchThatIsNotMixedHasNoLegendOfMixing) {
  FeedKit kit({.shape = {3, 16, 16}});
  FeedSpec spec = kit.Spec("cutmix");
  spec.recipe.mix.probability = 1e-9;
  const OpenedFeed feed = FeedOf(&kit, spec);
  EXPECT_FALSE(RowsOf(&kit, feed).mixed);
  const cv::Mat sheet = Decode(SheetOf(&kit, feed));
  EXPECT_EQ(CountPixels(sheet, kOwnColour) + CountPixels(sheet, kPartnerColour), 0);
  spec.recipe.mix.probability = 1;
  EXPECT_TRUE(RowsOf(&kit, FeedOf(&kit, spec, "always")).mixed);
}

TEST(SheetRowsTest, SharesThatAreTheBatchsAreTold) {
  FeedKit kit;
  const auto shares = [&](const std::string& preset) {
    return RowsOf(&kit, FeedOf(&kit, kit.Spec(preset), preset)).shares;
  };
  const float lambda = FeedOf(&kit, kit.Spec("mixup"), "mixup").maker->MakePlan(0)->lambda[0];
  EXPECT_THAT(shares("mixup"), ::testing::ElementsAre(lambda, 1 - lambda));
  EXPECT_EQ(shares("mixup/multiway").size(), 3u);
  EXPECT_THAT(shares("mixmatch"), ::testing::IsEmpty());
}

TEST(SheetRowsTest, RowsHaveTheirNumberInThePlan) {
  FeedKit kit;
  const SheetContent content = RowsOf(&kit, FeedOf(&kit, kit.Spec("mixmatch")), 3);
  ASSERT_EQ(content.rows.size(), 3u);
  EXPECT_EQ(content.rows[0].index, 0);
  EXPECT_EQ(content.rows[1].index, 8);
  EXPECT_EQ(content.rows[2].index, 16);
}

TEST(SheetRowsTest, TheLastEntryHasTheClassesThatAreLeft) {
  FeedKit kit;
  FeedSpec spec = kit.Spec("supervised");
  spec.recipe.mix.label_smoothing = 0.1;
  for (const SheetRow& row : RowsOf(&kit, FeedOf(&kit, spec)).rows) {
    ASSERT_EQ(row.targets.size(), 4u);
    EXPECT_NEAR(row.targets[0].weight, 0.91, 1e-6);
    EXPECT_EQ(row.targets[3].name, "others");
    EXPECT_NEAR(row.targets[3].weight, 0.07, 1e-6);
  }
  spec.recipe.mix.label_smoothing = 0;
  for (const SheetRow& row : RowsOf(&kit, FeedOf(&kit, spec, "hard")).rows) {
    EXPECT_EQ(row.targets.size(), 1u);
  }
}

TEST(SheetRowsTest, TargetsOfHiddenLabelsAreNotToldAsGuesses) {
  FeedKit kit;
  FeedSpec spec = kit.Spec("mixmatch");
  spec.recipe = kit.Spec("eval").recipe;
  spec.recipe.ordered_pool = PoolId::kUnlabelled;
  for (const SheetRow& row : RowsOf(&kit, FeedOf(&kit, spec)).rows) {
    EXPECT_TRUE(row.hidden);
    EXPECT_TRUE(row.targets.empty());
  }
  spec.recipe.ordered_pool = PoolId::kTest;
  const SheetContent test = RowsOf(&kit, FeedOf(&kit, spec, "test"));
  EXPECT_FALSE(test.rows[0].hidden);
  EXPECT_EQ(test.rows[0].targets.size(), 1u);
}

TEST(SheetRowsTest, AWeightIsNotRoundedToAllOrNothing) {
  EXPECT_EQ(WeightText(0.25f), "0.25");
  EXPECT_EQ(WeightText(0.996f), ">.99");
  EXPECT_EQ(WeightText(0.004f), "<.01");
  EXPECT_EQ(WeightText(1), "1.00");
  EXPECT_EQ(WeightText(0), "0.00");
}

TEST(SheetRowsTest, TilesAreImageViewsPartnerAndResult) {
  FeedKit kit;
  const SheetContent content = RowsOf(&kit, FeedOf(&kit, kit.Spec("mixmatch")));
  ASSERT_EQ(content.rows.size(), 24u);
  for (size_t r = 0; r < content.rows.size(); ++r) {
    const SheetRow& row = content.rows[r];
    EXPECT_EQ(row.group, r < 8 ? "labelled" : r < 16 ? "unlabelled, view 1" : "unlabelled, view 2");
    EXPECT_EQ(row.own_name, r < 8 ? "label" : "guess");
    const size_t views = r < 8 ? 1 : 2;
    EXPECT_EQ(row.tiles.size(), views + (row.shares.empty() ? 2 : 3)) << r;
    if (r >= 8) {
      EXPECT_EQ(row.tiles[0].caption, "?");
    }
  }
}

TEST(SheetRowsTest, FirstTileIsTheDatasetsImage) {
  FeedKit kit;
  const OpenedFeed feed = FeedOf(&kit, kit.Spec("mixup"));
  const int sample = feed.maker->MakePlan(0)->rows[0].sample;
  const SheetContent content = RowsOf(&kit, feed, 1);
  const auto size = static_cast<size_t>(kit.dataset->shape.pixels());
  const uint8_t* planes = &kit.dataset->train.pixels[static_cast<size_t>(sample) * size];
  for (size_t i = 0; i < size; ++i) {
    EXPECT_EQ(std::to_integer<int>(content.rows[0].tiles[0].pixels[i]),
              planes[i % 3 * (size / 3) + i / 3]);
  }
}

TEST(SheetRowsTest, SharesOfManySourcesSumToOne) {
  FeedKit kit;
  const SheetContent content = RowsOf(&kit, FeedOf(&kit, kit.Spec("mixup/multiway")));
  for (const SheetRow& row : content.rows) {
    ASSERT_EQ(row.shares.size(), 3u);
    EXPECT_NEAR(row.shares[0] + row.shares[1] + row.shares[2], 1, 1e-6);
    EXPECT_EQ(row.tiles.size(), 5u);  // image, view, two partners, result
  }
}

TEST(SheetRowsTest, NotesSayWhatPicturesCannot) {
  FeedKit kit;
  const SheetContent kept = RowsOf(&kit, FeedOf(&kit, kit.Spec("label-preserving")));
  EXPECT_TRUE(std::any_of(kept.rows.begin(), kept.rows.end(),
                          [](const SheetRow& row) { return row.note == "label kept"; }));
  FeedSpec manifold = kit.Spec("manifold");
  manifold.recipe.mix.layers = {2};
  const SheetContent hidden = RowsOf(&kit, FeedOf(&kit, manifold, "manifold"));
  for (const SheetRow& row : hidden.rows) {
    EXPECT_EQ(row.note, row.shares.empty() ? "not mixed" : "layer 2: mixed by the trainer");
    EXPECT_EQ(row.tiles.back().heading, "as sent");
  }
}

TEST(ContactSheetTest, HiddenLabelsAreNeverDrawn) {
  FeedKit told;
  FeedKit changed;
  const FeedSpec spec = told.Spec("mixmatch");
  FeedSpec lists = spec;
  const Split split = *MakeSplit(told.dataset->train.labels, 10, spec.split);
  lists.split.rule = SplitRule::kLists;
  lists.split.lists = split;
  lists.split.validation = 0;
  for (const int32_t hidden : split.unlabelled) {
    int16_t& label = changed.dataset->train.labels[static_cast<size_t>(hidden)];
    label = static_cast<int16_t>((label + 3) % 10);
  }
  EXPECT_EQ(SheetOf(&told, FeedOf(&told, lists)).png,
            SheetOf(&changed, FeedOf(&changed, lists)).png);
}

TEST(ContactSheetTest, SheetBeyond64MegapixelsIsRefused) {
  FeedKit kit({.shape = {3, 256, 256}, .train = 40, .test = 10});
  const OpenedFeed feed = FeedOf(&kit, kit.Spec("supervised", 20));
  const auto sheet = DrawContactSheet(feed, kit.renderer.get(), {.rows = 256, .scale = 8});
  EXPECT_EQ(sheet.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(sheet.status().message()),
              HasSubstr("rows is 20 and scale 8: the sheet would have"));
}

}  // namespace
}  // namespace mixfeed
