#ifndef MIXFEED_SERVER_CORE_SHEET_LAYOUT_H_
#define MIXFEED_SERVER_CORE_SHEET_LAYOUT_H_

#include <opencv2/core.hpp>

#include "augment/pool/dataset.h"

namespace mixfeed {

// What the sizes of a contact sheet follow from.
struct SheetMeasure {
  ImageShape image;
  int scale = 1;       // pixels of the sheet a pixel of the image, at least
  int rows = 1;        // cards on the sheet
  int tiles = 1;       // columns of pictures in a card
  bool mixed = false;  // cards have a bar of shares
  bool own = false;    // cards have the classes before mixing beside those of the target
  int name = 0;        // width of the longest name of a class
};

// Where things go on a contact sheet: a title and a legend, then one card a row, as many beside
// each other as fit into kFullWidth. In a card pictures stand side by side, each between a heading
// and a caption, and numbers stand to the right of them. Small images are magnified until they fill
// the width that their texts need; names of classes get what a line of cards leaves. All in pixels.
class SheetLayout {
 public:
  static constexpr int kFullWidth = 1040;
  static constexpr int kMargin = 20;  // around the sheet

  explicit SheetLayout(const SheetMeasure& measure);

  cv::Size sheet() const;
  cv::Size card() const;
  cv::Point CardAt(int index) const;
  int text_width() const { return sheet().width - 2 * kMargin; }
  int scale() const { return scale_; }  // pixels of the sheet a pixel of the image

  // The next are from a card's corner. Texts start at the left end of their baseline.
  cv::Point GroupAt() const;
  cv::Rect PictureAt(int tile) const;
  int tile_width() const;
  cv::Point HeadingAt(int tile) const;
  cv::Point CaptionAt(int tile) const;
  cv::Rect MarkAt(int tile) const;  // a line between heading and picture

  cv::Point LambdaAt() const;
  cv::Rect SharesAt() const;
  // Column 0 has the classes before mixing where there are any; the target's are in the last.
  int target_column() const { return measure_.own ? 1 : 0; }
  cv::Point ListAt(int column) const;  // its name; classes are in the lines below
  int name_width() const;
  cv::Point WeightAt(int column, int line) const;
  cv::Rect BarAt(int column, int line) const;

 private:
  int ListWidth() const;
  int PanelLeft() const;
  int PanelWidth() const;

  const SheetMeasure measure_;
  const int scale_;
  const cv::Size picture_;
  int name_ = 0;
  int card_width_ = 0;
  int columns_ = 1;  // of cards
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_SHEET_LAYOUT_H_
