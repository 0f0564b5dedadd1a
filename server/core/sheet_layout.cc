#include "server/core/sheet_layout.h"

#include <algorithm>

#include "server/core/sheet_canvas.h"
#include "server/core/sheet_row.h"

namespace mixfeed {
namespace {

constexpr int kGap = 8;         // between pictures, and between cards
constexpr int kPad = 12;        // inside a card
constexpr int kTop = 92;        // height of title, subtitle and legend
constexpr int kMinTile = 92;    // width that fits the longest heading
constexpr int kMinSheet = 760;  // width that fits the longest legend
constexpr int kMark = 3;
constexpr int kShareBar = 10;
// A list of classes: name, weight, bar.
constexpr int kName = 78;  // at least
constexpr int kMaxName = 170;
constexpr int kNameGap = 8;
constexpr int kWeight = 44;
constexpr int kBarWidth = 58;
constexpr int kBarHeight = 9;
constexpr int kListGap = 14;
constexpr int kClassLines = static_cast<int>(kTopClasses) + 1;

int ScaleFor(const SheetMeasure& measure) {
  return std::max(measure.scale, kMinTile / std::max(measure.image.width, measure.image.height));
}

}  // namespace

SheetLayout::SheetLayout(const SheetMeasure& measure)
    : measure_(measure),
      scale_(ScaleFor(measure)),
      picture_(measure.image.width * scale_, measure.image.height * scale_),
      name_(kName) {
  card_width_ = PanelLeft() + PanelWidth() + kPad;
  const int fitting = (kFullWidth - 2 * kMargin + kGap) / (card_width_ + kGap);
  columns_ = std::clamp(fitting, 1, std::max(1, measure.rows));
  const int widest = (kFullWidth - 2 * kMargin + kGap) / columns_ - kGap;
  const int spare = std::max(0, widest - card_width_) / (target_column() + 1);
  name_ += std::clamp(std::min(measure.name, kMaxName) + kNameGap - kName, 0, spare);
  card_width_ = PanelLeft() + PanelWidth() + kPad;
  // A card alone on its line is as wide as the title.
  if (columns_ == 1) card_width_ = std::max(card_width_, kMinSheet - 2 * kMargin);
}

cv::Size SheetLayout::sheet() const {
  const int lines = (measure_.rows + columns_ - 1) / columns_;
  const int cards = columns_ * (card().width + kGap) - kGap;
  return {std::max(2 * kMargin + cards, kMinSheet),
          2 * kMargin + kTop + lines * (card().height + kGap) - kGap};
}

cv::Size SheetLayout::card() const {
  const int pictures = 2 * kSheetLine + kMark + 2 + picture_.height;
  const int shares = measure_.mixed ? kSheetLine + kShareBar + kGap : 0;
  const int numbers = shares + (1 + kClassLines) * kSheetLine;
  return {card_width_, 2 * kPad + kSheetLine + std::max(pictures, numbers)};
}

cv::Point SheetLayout::CardAt(int index) const {
  return {kMargin + index % columns_ * (card().width + kGap),
          kMargin + kTop + index / columns_ * (card().height + kGap)};
}

cv::Point SheetLayout::GroupAt() const { return {kPad, kPad + kSheetLine - 6}; }

int SheetLayout::tile_width() const { return std::max(picture_.width, kMinTile); }

cv::Rect SheetLayout::PictureAt(int tile) const {
  const cv::Rect mark = MarkAt(tile);
  return {{mark.x, mark.br().y + 2}, picture_};
}

cv::Point SheetLayout::HeadingAt(int tile) const {
  return {kPad + tile * (tile_width() + kGap), kPad + 2 * kSheetLine - 5};
}

cv::Rect SheetLayout::MarkAt(int tile) const {
  return {HeadingAt(tile).x, kPad + 2 * kSheetLine, picture_.width, kMark};
}

cv::Point SheetLayout::CaptionAt(int tile) const {
  const cv::Rect picture = PictureAt(tile);
  return {picture.x, picture.br().y + kSheetLine - 4};
}

int SheetLayout::PanelLeft() const { return kPad + measure_.tiles * (tile_width() + kGap) + kGap; }

int SheetLayout::ListWidth() const { return name_ + kWeight + kBarWidth; }

int SheetLayout::PanelWidth() const {
  return (target_column() + 1) * (ListWidth() + kListGap) - kListGap;
}

cv::Point SheetLayout::LambdaAt() const { return {PanelLeft(), kPad + 2 * kSheetLine - 5}; }

cv::Rect SheetLayout::SharesAt() const {
  return {PanelLeft(), kPad + 2 * kSheetLine, PanelWidth(), kShareBar};
}

cv::Point SheetLayout::ListAt(int column) const {
  const int top = measure_.mixed ? SharesAt().br().y + kGap : kPad + kSheetLine;
  return {PanelLeft() + column * (ListWidth() + kListGap), top + kSheetLine - 5};
}

int SheetLayout::name_width() const { return name_ - 4; }

cv::Point SheetLayout::WeightAt(int column, int line) const {
  return ListAt(column) + cv::Point(name_, (line + 1) * kSheetLine);
}

cv::Rect SheetLayout::BarAt(int column, int line) const {
  return {WeightAt(column, line) + cv::Point(kWeight, -kBarHeight),
          cv::Size(kBarWidth, kBarHeight)};
}

}  // namespace mixfeed
