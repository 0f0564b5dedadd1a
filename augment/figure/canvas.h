#ifndef MIXFEED_AUGMENT_FIGURE_CANVAS_H_
#define MIXFEED_AUGMENT_FIGURE_CANVAS_H_

#include <functional>
#include <opencv2/core.hpp>
#include <span>
#include <string>

#include "augment/figure/palette.h"

namespace mixfeed {

// Pixels of the picture a point of the canvas, each way.
inline constexpr int kPixelsPerPoint = 2;

// A place on a canvas in points from its upper left corner, x to the right and y down.
struct Place {
  double x = 0;
  double y = 0;
};

struct Area {
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;

  double right() const { return left + width; }
  double bottom() const { return top + height; }
};

// Which point of a text its place is; vertically it is the baseline.
enum class Anchor : uint8_t { kLeft, kCentre, kRight };

struct TextStyle {
  double size = 11;  // height of capital letters is 0.7 of it
  Ink ink = {};
  Anchor anchor = Anchor::kLeft;
  bool bold = false;
  bool upwards = false;  // turned by 90 degrees, read from below; the place is that of the baseline
};

// A drawing surface for charts: anti-aliased shapes with an alpha, over what is there. Everything
// is cut off at the clip box. Places may be anywhere, finite. Lets OpenCV's exceptions through. Not
// thread-safe.
class Canvas {
 public:
  // Points a side.
  Canvas(double width, double height, const Rgb& paper);

  void SetClip(const Area& clip);
  void ClearClip();

  void FillBox(const Area& box, const Ink& ink);
  void FrameBox(const Area& box, double thickness, const Ink& ink);
  // Joined one after the other.
  void Line(std::span<const Place> places, double thickness, const Ink& ink);
  void Disc(const Place& centre, double radius, const Ink& ink);
  // Characters that are not ASCII show as "?".
  void Text(const std::string& text, const Place& at, const TextStyle& style);
  // `cells`, a picture of one ink a cell, [rows][columns] from the upper left, stretched over the
  // box and smoothed between the cells' centres.
  void Cells(std::span<const Ink> cells, int columns, const Area& box);

  static double TextWidth(const std::string& text, const TextStyle& style);

  // 8-bit blue, green, red.
  const cv::Mat& pixels() const { return pixels_; }

 private:
  // Draws a shape that covers `area` (pixels): `draw` paints coverage (0..255) into a mask whose
  // corner lies at the offset it is given, to be subtracted from pixel places.
  void Cover(const cv::Rect& area, const Ink& ink,
             const std::function<void(cv::Mat* mask, cv::Point offset)>& draw);

  cv::Mat pixels_;
  cv::Rect clip_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_CANVAS_H_
