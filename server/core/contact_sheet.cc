#include "server/core/contact_sheet.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "server/core/sheet_canvas.h"
#include "server/core/sheet_layout.h"
#include "server/core/sheet_rows.h"

namespace mixfeed {
namespace {

constexpr int64_t kMaxSheetPixels = int64_t{64} << 20;

struct LegendEntry {
  const cv::Scalar* colour;  // of its swatch; null: none
  std::string text;
};

// What a reader of a sheet of `recipe` has to know.
std::vector<LegendEntry> LegendOf(const Recipe& recipe) {
  std::vector<LegendEntry> legend;
  if (recipe.mix.enabled) {
    legend.push_back({sheet_colour::kShares.data(), "the row itself"});
    legend.push_back({&sheet_colour::kShares[1], "its partner"});
    if (recipe.mix.sources > 2) legend.push_back({&sheet_colour::kShares[2], "further partners"});
    if (recipe.mix.cutmix.probability > 0) legend.push_back({nullptr, "frame: what is pasted"});
  }
  if (recipe.guesses()) legend.push_back({nullptr, "guess: sharpened, before mixing"});
  if (recipe.reads_unlabelled()) legend.push_back({nullptr, "?: hidden label"});
  legend.push_back({nullptr, "target: what is trained on"});
  return legend;
}

// Draws a sheet card by card. OpenCV's exceptions pass through.
class Painter {
 public:
  Painter(const ImageShape& image, int scale, const SheetLayout& layout)
      : image_(image), scale_(scale), layout_(layout), canvas_(layout.sheet()) {}

  void DrawTitle(const std::string& title, const std::string& subtitle) {
    const cv::Point at(SheetLayout::kMargin, SheetLayout::kMargin);
    Write(title, at + cv::Point(0, 18), TextSize::kTitle, layout_.text_width(), sheet_colour::kInk);
    Write(subtitle, at + cv::Point(0, 44), TextSize::kSmall, layout_.text_width(),
          sheet_colour::kFaint);
  }

  void DrawLegend(const std::vector<LegendEntry>& legend) {
    constexpr int kSwatch = 10;
    constexpr int kBetween = 18;
    cv::Point at(SheetLayout::kMargin, SheetLayout::kMargin + 70);
    for (const LegendEntry& entry : legend) {
      if (entry.colour != nullptr) {
        canvas_.Fill({at.x, at.y - kSwatch, kSwatch, kSwatch}, *entry.colour);
        at.x += kSwatch + 6;
      }
      canvas_.Write(entry.text, at, TextSize::kSmall, sheet_colour::kFaint);
      at.x += TextWidth(entry.text, TextSize::kSmall) + kBetween;
    }
  }

  void DrawCard(const SheetRow& row, cv::Point corner) {
    const cv::Rect card(corner, layout_.card());
    canvas_.Fill(card, sheet_colour::kCard);
    canvas_.Frame(card, sheet_colour::kFrame);
    const std::string head = row.note.empty() ? row.group : absl::StrCat(row.group, ": ", row.note);
    const cv::Point group = layout_.GroupAt();
    Write(head, corner + group, TextSize::kSmall, card.width - 2 * group.x, sheet_colour::kInk);
    for (const SheetTile& tile : row.tiles) DrawTile(tile, corner);
    if (!row.shares.empty()) DrawShares(row, corner);
    if (!row.own.empty()) DrawList(row.own_name, row.own, 0, corner);
    DrawList("target", row.targets, layout_.target_column(), corner);
  }

  const cv::Mat& sheet() const { return canvas_.sheet(); }

 private:
  void Write(const std::string& text, cv::Point at, TextSize size, int width,
             const cv::Scalar& colour) {
    canvas_.Write(FitText(text, size, width), at, size, colour);
  }

  void DrawTile(const SheetTile& tile, cv::Point corner) {
    const int width = layout_.tile_width();
    Write(tile.heading, corner + layout_.HeadingAt(tile.column), TextSize::kSmall, width,
          sheet_colour::kFaint);
    if (tile.share != kNoShare) {
      canvas_.Fill(layout_.MarkAt(tile.column) + corner,
                   sheet_colour::kShares[static_cast<size_t>(tile.share)]);
    }
    const cv::Rect place = layout_.PictureAt(tile.column) + corner;
    canvas_.DrawImage(tile.pixels, image_, place);
    if (!tile.outline.empty()) {
      const Box& box = tile.outline;
      const cv::Rect pasted(box.x0 * scale_, box.y0 * scale_, (box.x1 - box.x0) * scale_,
                            (box.y1 - box.y0) * scale_);
      canvas_.Frame(pasted + place.tl(), sheet_colour::kShares[1], scale_ > 2 ? 2 : 1);
    }
    Write(tile.caption, corner + layout_.CaptionAt(tile.column), TextSize::kSmall, width,
          sheet_colour::kInk);
  }

  void DrawShares(const SheetRow& row, cv::Point corner) {
    const cv::Rect bar = layout_.SharesAt() + corner;
    Write(absl::StrFormat("lambda %.3f", row.shares[0]), corner + layout_.LambdaAt(),
          TextSize::kSmall, bar.width, sheet_colour::kInk);
    canvas_.DrawShares(row.shares, bar);
  }

  // A name, and below it classes with their weights and bars as long as these say.
  void DrawList(const std::string& name, const std::vector<ClassWeight>& classes, int column,
                cv::Point corner) {
    Write(name, corner + layout_.ListAt(column), TextSize::kSmall, layout_.name_width(),
          sheet_colour::kFaint);
    for (size_t i = 0; i < classes.size(); ++i) {
      const int line = static_cast<int>(i);
      const cv::Point weight = corner + layout_.WeightAt(column, line);
      const cv::Point start(corner.x + layout_.ListAt(column).x, weight.y);
      Write(classes[i].name, start, TextSize::kSmall, layout_.name_width(), sheet_colour::kInk);
      canvas_.Write(absl::StrFormat("%.2f", classes[i].weight), weight, TextSize::kSmall,
                    sheet_colour::kInk);
      canvas_.DrawBar(classes[i].weight, layout_.BarAt(column, line) + corner, sheet_colour::kBar);
    }
  }

  const ImageShape image_;
  const int scale_;
  const SheetLayout layout_;
  SheetCanvas canvas_;
};

SheetLayout LayoutOf(const OpenedFeed& feed, const SheetOptions& options) {
  const Recipe& recipe = feed.spec.recipe;
  return SheetLayout({.image = feed.dataset->shape,
                      .scale = options.scale,
                      .rows = std::min(options.rows, feed.spec.rows()),
                      .tiles = SheetColumns(recipe),
                      .mixed = recipe.mix.enabled,
                      .own = recipe.guesses()});
}

absl::Status CheckSize(const SheetLayout& layout, int rows, int scale) {
  const int64_t pixels = int64_t{layout.sheet().width} * layout.sheet().height;
  if (pixels <= kMaxSheetPixels) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("rows is ", rows, " and scale ", scale,
                                                 ": the sheet would have ", pixels,
                                                 " pixels; allowed: at most ", kMaxSheetPixels));
}

// The feed's id is left out: a picture of the same rows is the same picture.
std::string Subtitle(const OpenedFeed& feed, const SheetContent& content) {
  std::string subtitle =
      absl::StrCat(content.rows.size(), " of ", feed.spec.rows(), " rows, run ", feed.run);
  if (feed.spec.recipe.guesses()) {
    absl::StrAppendFormat(&subtitle, ", lambda_u %.3g", content.unlabelled_weight);
  }
  return subtitle;
}

ContactSheet Draw(const OpenedFeed& feed, const SheetOptions& options, const SheetLayout& layout,
                  const SheetContent& content) {
  Painter painter(feed.dataset->shape, options.scale, layout);
  const std::string& preset = feed.spec.recipe.preset;
  painter.DrawTitle(absl::StrCat(preset.empty() ? "a recipe of its own" : preset, " on ",
                                 feed.spec.dataset, ", step ", options.step),
                    Subtitle(feed, content));
  painter.DrawLegend(LegendOf(feed.spec.recipe));
  for (size_t i = 0; i < content.rows.size(); ++i) {
    painter.DrawCard(content.rows[i], layout.CardAt(static_cast<int>(i)));
  }
  std::vector<uchar> png;
  cv::imencode(".png", painter.sheet(), png);
  return {.png = std::string(png.begin(), png.end()),
          .width = painter.sheet().cols,
          .height = painter.sheet().rows};
}

}  // namespace

absl::StatusOr<ContactSheet> DrawContactSheet(const OpenedFeed& feed, Renderer* renderer,
                                              const SheetOptions& options) {
  const SheetLayout layout = LayoutOf(feed, options);
  MIXFEED_RETURN_IF_ERROR(
      CheckSize(layout, std::min(options.rows, feed.spec.rows()), options.scale));
  MIXFEED_ASSIGN_OR_RETURN(const SheetContent content,
                           CollectSheetRows(feed, renderer, options.step, options.rows));
  try {
    return Draw(feed, options, layout, content);
  } catch (const cv::Exception& error) {
    return absl::InternalError(absl::StrCat("the contact sheet cannot be drawn: ", error.what()));
  }
}

}  // namespace mixfeed
