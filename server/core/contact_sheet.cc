#include "server/core/contact_sheet.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "server/core/sheet_canvas.h"
#include "server/core/sheet_layout.h"
#include "server/core/sheet_rows.h"

namespace mixfeed {
namespace {

constexpr int64_t kMaxSheetPixels = int64_t{64} << 20;

struct LegendEntry {
  std::vector<cv::Scalar> colours;  // of its swatches
  std::string text;
};

template <typename Predicate>
bool AnyTile(const SheetContent& content, const Predicate& predicate) {
  return std::any_of(content.rows.begin(), content.rows.end(), [&](const SheetRow& row) {
    return std::any_of(row.tiles.begin(), row.tiles.end(), predicate);
  });
}

// What shares and frames mean.
void AddMixEntries(const SheetContent& content, std::vector<LegendEntry>* legend) {
  size_t shares = 0;
  for (const SheetRow& row : content.rows) shares = std::max(shares, row.shares.size());
  if (shares == 0) return;
  const auto& colours = sheet_colour::kShares;
  legend->push_back({{colours[0]}, "the row itself"});
  const std::vector<cv::Scalar> partners(colours.begin() + 1,
                                         colours.begin() + static_cast<std::ptrdiff_t>(shares));
  legend->push_back({partners, shares == 2 ? "its partner" : "partners, each in its colour"});
  if (AnyTile(content, [](const SheetTile& tile) { return !tile.outline.empty(); })) {
    legend->push_back({{}, "frame: what is pasted"});
  }
}

std::string HoleText(const CutoutSpec& cutout) {
  return cutout.fill_with == CutoutFill::kNormalisedZero ? "hole: 0 after normalisation" : "hole";
}

// What a reader of these rows has to know.
std::vector<LegendEntry> LegendOf(const Recipe& recipe, const SheetContent& content) {
  std::vector<LegendEntry> legend;
  AddMixEntries(content, &legend);
  if (AnyTile(content, [](const SheetTile& tile) { return !tile.hole.empty(); })) {
    legend.push_back({{sheet_colour::kHole}, HoleText(recipe.view.cutout)});
  }
  if (std::any_of(content.rows.begin(), content.rows.end(),
                  [](const SheetRow& row) { return row.own_name == "guess"; })) {
    const bool sharpened = recipe.guess.temperature != 1;
    legend.push_back({{}, sharpened ? "guess: sharpened, before mixing" : "guess: before mixing"});
  }
  if (AnyTile(content, [](const SheetTile& tile) { return tile.caption == "?"; })) {
    legend.push_back({{}, "?: hidden label"});
  }
  const bool ordered = recipe.rows == RowSource::kOrdered;
  legend.push_back({{}, ordered ? "target: the label" : "target: what is trained on"});
  return legend;
}

// Draws a sheet card by card. OpenCV's exceptions pass through.
class Painter {
 public:
  Painter(const ImageShape& image, const SheetLayout& layout)
      : image_(image), layout_(layout), canvas_(layout.sheet()) {}

  void DrawTitle(const std::string& title, const std::string& subtitle) {
    const cv::Point at(SheetLayout::kMargin, SheetLayout::kMargin);
    Write(title, at + cv::Point(0, 18), TextSize::kTitle, layout_.text_width(), sheet_colour::kInk);
    Write(subtitle, at + cv::Point(0, 44), TextSize::kSmall, layout_.text_width(),
          sheet_colour::kFaint);
  }

  void DrawLegend(const std::vector<LegendEntry>& legend) {
    constexpr int kSwatch = 10;
    constexpr int kSwatchGap = 6;
    constexpr int kBetween = 18;
    cv::Point at(SheetLayout::kMargin, SheetLayout::kMargin + 70);
    for (const LegendEntry& entry : legend) {
      for (const cv::Scalar& colour : entry.colours) {
        canvas_.Fill({at.x, at.y - kSwatch, kSwatch, kSwatch}, colour);
        at.x += kSwatch + kSwatchGap;
      }
      canvas_.Write(entry.text, at, TextSize::kSmall, sheet_colour::kFaint);
      at.x += TextWidth(entry.text, TextSize::kSmall) + kBetween;
    }
  }

  void DrawCard(const SheetRow& row, cv::Point corner) {
    const cv::Rect card(corner, layout_.card());
    canvas_.Fill(card, sheet_colour::kCard);
    canvas_.Frame(card, sheet_colour::kFrame);
    const std::string head =
        absl::StrCat("row ", row.index, ", ", row.group, row.note.empty() ? "" : ": ", row.note);
    const cv::Point group = layout_.GroupAt();
    Write(head, corner + group, TextSize::kSmall, card.width - 2 * group.x, sheet_colour::kInk);
    for (const SheetTile& tile : row.tiles) DrawTile(tile, corner);
    if (!row.shares.empty()) DrawShares(row, corner);
    if (!row.own.empty()) DrawList(row.own_name, row.own, 0, corner);
    DrawList("target", row.targets, layout_.target_column(), corner);
    if (row.hidden) {
      const cv::Point below = layout_.ListAt(layout_.target_column()) + cv::Point(0, kSheetLine);
      Write("hidden", corner + below, TextSize::kSmall, layout_.name_width(), sheet_colour::kInk);
    }
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
    FrameBox(tile.hole, place.tl(), sheet_colour::kHole);
    FrameBox(tile.outline, place.tl(), sheet_colour::kShares[1]);
    Write(tile.caption, corner + layout_.CaptionAt(tile.column), TextSize::kSmall, width,
          sheet_colour::kInk);
  }

  // Frames a box of an image that is drawn at `corner`.
  void FrameBox(const Box& box, cv::Point corner, const cv::Scalar& colour) {
    if (box.empty()) return;
    const int scale = layout_.scale();
    const cv::Rect framed(box.x0 * scale, box.y0 * scale, (box.x1 - box.x0) * scale,
                          (box.y1 - box.y0) * scale);
    canvas_.Frame(framed + corner, colour, scale > 2 ? 2 : 1);
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
      canvas_.Write(WeightText(classes[i].weight), weight, TextSize::kSmall, sheet_colour::kInk);
      canvas_.DrawBar(classes[i].weight, layout_.BarAt(column, line) + corner, sheet_colour::kBar);
    }
  }

  const ImageShape image_;
  const SheetLayout layout_;
  SheetCanvas canvas_;
};

int LongestName(const Dataset& dataset) {
  int longest = 0;
  for (const std::string& name : dataset.class_names) {
    longest = std::max(longest, TextWidth(name, TextSize::kSmall));
  }
  return longest;
}

SheetLayout LayoutOf(const OpenedFeed& feed, const SheetOptions& options) {
  const Recipe& recipe = feed.spec.recipe;
  return SheetLayout({.image = feed.dataset->shape,
                      .scale = options.scale,
                      .rows = std::min(options.rows, feed.spec.rows()),
                      .tiles = SheetColumns(recipe),
                      .mixed = recipe.mix.enabled,
                      .own = recipe.guesses(),
                      .name = LongestName(*feed.dataset)});
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
  const Recipe& recipe = feed.spec.recipe;
  std::string subtitle =
      absl::StrCat(content.rows.size(), " of ", feed.spec.rows(), " rows, run ", feed.run);
  if (recipe.guesses()) {
    absl::StrAppendFormat(&subtitle, ", lambda_u %.3g", content.unlabelled_weight);
  }
  if (content.shares.size() == 2) {
    absl::StrAppendFormat(&subtitle, ", one lambda: %.3f", content.shares[0]);
  } else if (!content.shares.empty()) {
    const auto text = [](std::string* out, float share) { out->append(WeightText(share)); };
    absl::StrAppend(&subtitle, ", the same weights: ", absl::StrJoin(content.shares, ", ", text));
  }
  if (recipe.mix.label_smoothing > 0 && recipe.rows != RowSource::kOrdered) {
    absl::StrAppendFormat(&subtitle, ", smoothing %g", recipe.mix.label_smoothing);
  }
  if (recipe.mix.enabled && !content.mixed) {
    absl::StrAppend(&subtitle, ", this batch is not mixed");
    if (const double probability = recipe.mix.probability; probability > 0 && probability < 1) {
      absl::StrAppendFormat(&subtitle, " (probability %g): try another step", probability);
    }
  }
  return subtitle;
}

ContactSheet Draw(const OpenedFeed& feed, const SheetOptions& options, const SheetLayout& layout,
                  const SheetContent& content) {
  Painter painter(feed.dataset->shape, layout);
  const std::string& preset = feed.spec.recipe.preset;
  painter.DrawTitle(absl::StrCat(preset.empty() ? "a recipe of its own" : preset, " on ",
                                 feed.spec.dataset, ", step ", options.step),
                    Subtitle(feed, content));
  painter.DrawLegend(LegendOf(feed.spec.recipe, content));
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
