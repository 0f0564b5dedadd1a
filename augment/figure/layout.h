#ifndef MIXFEED_AUGMENT_FIGURE_LAYOUT_H_
#define MIXFEED_AUGMENT_FIGURE_LAYOUT_H_

#include <string>
#include <vector>

#include "augment/figure/canvas.h"
#include "augment/figure/chart.h"
#include "augment/figure/ticks.h"

namespace mixfeed {

// Sizes of text.
inline constexpr double kTitleSize = 18;
inline constexpr double kPanelTitleSize = 14;
inline constexpr double kTextSize = 12;

// What the legend says of a label.
struct LegendEntry {
  std::string label;
  Ink ink;
  bool line = false;  // a curve; otherwise a disc
};
std::vector<LegendEntry> LegendOf(const Figure& figure);

// Where the parts of a figure go.
class FigureLayout {
 public:
  explicit FigureLayout(const Figure& figure);

  double width() const { return kWidth; }
  double height() const { return height_; }
  // Baselines of the head.
  Place title() const;
  Place subtitle() const;
  Place remark() const;
  // Left ends of the legend's entries, on the baseline.
  const std::vector<Place>& legend() const { return legend_; }
  // Card of a panel, and its data within.
  Area CardOf(size_t panel) const;
  Area DataOf(size_t panel) const;

  static constexpr double kPad = 15;           // inside a card
  static constexpr double kLegendSwatch = 18;  // from an entry's left end to its text

 private:
  static constexpr double kWidth = 1000;

  void PlaceLegend(const Figure& figure);
  void MeasureAxes(const Figure& figure);
  double CardWidth() const;
  double CardHeight() const;
  double DataWidth() const;

  const int columns_;
  const double aspect_;
  std::vector<Place> legend_;
  bool has_subtitle_ = false;
  double head_ = 0;    // height of what is above the cards
  double above_ = 0;   // of a card's titles
  double beside_ = 0;  // width of the y axis' numbers and label
  double below_ = 0;   // height of the x axis'
  double height_ = 0;
};

// At most so many numbers an axis, by how long it is.
std::vector<Tick> TicksOfX(const Axis& axis, double width);
std::vector<Tick> TicksOfY(const Axis& axis, double height);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_LAYOUT_H_
