#ifndef MIXFEED_AUGMENT_FIGURE_CHART_H_
#define MIXFEED_AUGMENT_FIGURE_CHART_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/figure/palette.h"

namespace mixfeed {

// A figure is data: panels side by side, each with two linear axes and marks that are drawn in
// their order. All places of marks are in the units of the panel's axes, finite; what lies outside
// of them is cut off. Thicknesses and radii are in points, of which a figure is 1000 wide.

struct ChartPoint {
  double x = 0;
  double y = 0;

  friend bool operator==(const ChartPoint&, const ChartPoint&) = default;
};

struct Curve {
  std::vector<ChartPoint> points = {};  // joined one after the other
  Ink ink = {};
  double thickness = 1.5;
  std::string label = {};  // in the legend; empty: not there. Likewise below
};

// A bar from the x axis' zero: also a histogram's cell.
struct Bar {
  double low = 0;  // x
  double high = 0;
  double height = 0;
};

struct Bars {
  std::vector<Bar> bars = {};
  Ink ink = {};
  std::string label = {};
};

struct Scatter {
  std::vector<ChartPoint> points = {};
  Ink ink = {};
  double radius = 1.5;
  bool outlined = false;  // each with a white rim, so that it shows on any ground
  std::string label = {};
};

// A field of inks over a rectangle, such as a density, smoothed between the cells' centres.
struct Heat {
  double x_low = 0, x_high = 1;
  double y_low = 0, y_high = 1;
  int columns = 0;
  std::vector<Ink> cells = {};  // [rows][columns], the first row at y_low
};

// Text with its baseline's middle at a place.
struct Note {
  ChartPoint at = {};
  std::string text = {};
  Ink ink = {};
};

using Mark = std::variant<Heat, Bars, Curve, Scatter, Note>;

struct Axis {
  std::string label = {};
  double low = 0;
  double high = 1;
  bool ticks = true;  // numbers and grid lines
  double step = 0;    // from one to the next, of one digit; 0: as many as there is room for
};

struct Panel {
  std::string title = {};
  std::string subtitle = {};
  Axis x = {};
  Axis y = {};
  std::vector<Mark> marks = {};
};

struct Figure {
  std::string title = {};
  std::string subtitle = {};
  std::string remark = {};         // a line below the subtitle
  std::vector<Panel> panels = {};  // in reading order
  int columns = 1;                 // 1..8
  double aspect = 0.75;            // height of a panel's data by its width, 0.1..4
};

struct Picture {
  std::string png = {};
  int width = 0;  // pixels, two a point
  int height = 0;
};

// Draws a figure, anti-aliased. The legend is one for all panels: each label once, in the order of
// its first mark. Text is ASCII; other characters show as "?". The same figure gives the same bytes
// with the same version of OpenCV. Errors: InvalidArgument, naming the field, for a figure without
// panels, an axis whose low is not below its high or with more than 100 steps, a place that is not
// finite, cells that are no whole rows, more than 64 panels or 8000 points of height;
// ResourceExhausted without memory; Internal if OpenCV fails.
absl::StatusOr<Picture> DrawFigure(const Figure& figure);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_CHART_H_
