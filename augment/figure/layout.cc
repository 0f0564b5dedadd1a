#include "augment/figure/layout.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>

namespace mixfeed {
namespace {

constexpr double kMargin = 18;  // around the figure
constexpr double kGap = 10;     // between cards
constexpr double kLine = 18;    // from baseline to baseline
constexpr double kTickGap = 6;  // from an axis to its numbers
constexpr double kPerTickX = 46;
constexpr double kPerTickY = 30;
constexpr double kLegendGap = 22;

int MostTicks(double length, double each) { return std::max(2, static_cast<int>(length / each)); }

double WidthOf(const std::string& text) { return Canvas::TextWidth(text, {.size = kTextSize}); }

// Marks that have no label, such as heat, are not in the legend.
template <typename Drawn>
void AddEntry(const Drawn& mark, std::vector<LegendEntry>* entries) {
  if constexpr (requires { mark.label; }) {
    const auto same = [&](const LegendEntry& entry) { return entry.label == mark.label; };
    if (mark.label.empty() || std::any_of(entries->begin(), entries->end(), same)) return;
    entries->push_back({mark.label, mark.ink, std::is_same_v<Drawn, Curve>});
  }
}

}  // namespace

std::vector<LegendEntry> LegendOf(const Figure& figure) {
  std::vector<LegendEntry> entries;
  for (const Panel& panel : figure.panels) {
    for (const Mark& mark : panel.marks) {
      std::visit([&](const auto& drawn) { AddEntry(drawn, &entries); }, mark);
    }
  }
  return entries;
}

std::vector<Tick> TicksOfX(const Axis& axis, double width) {
  if (axis.step > 0) return EvenTicks(axis.low, axis.high, axis.step);
  return NiceTicks(axis.low, axis.high, MostTicks(width, kPerTickX));
}

std::vector<Tick> TicksOfY(const Axis& axis, double height) {
  if (axis.step > 0) return EvenTicks(axis.low, axis.high, axis.step);
  return NiceTicks(axis.low, axis.high, MostTicks(height, kPerTickY));
}

FigureLayout::FigureLayout(const Figure& figure)
    : columns_(figure.columns), aspect_(figure.aspect), has_subtitle_(!figure.subtitle.empty()) {
  head_ =
      kMargin + kTitleSize + 4 + (has_subtitle_ ? kLine : 0) + (figure.remark.empty() ? 0 : kLine);
  PlaceLegend(figure);
  if (!legend_.empty()) head_ = legend_.back().y;
  head_ += kGap;
  MeasureAxes(figure);
  const auto lines =
      (figure.panels.size() + static_cast<size_t>(columns_) - 1) / static_cast<size_t>(columns_);
  height_ = head_ + static_cast<double>(lines) * (CardHeight() + kGap) - kGap + kMargin;
}

// In lines from the left, as many as they take.
void FigureLayout::PlaceLegend(const Figure& figure) {
  Place next{kMargin, head_ + kLine};
  for (const LegendEntry& entry : LegendOf(figure)) {
    const double width = kLegendSwatch + WidthOf(entry.label);
    if (next.x > kMargin && next.x + width > kWidth - kMargin) {
      next = {kMargin, next.y + kLine};
    }
    legend_.push_back(next);
    next.x += width + kLegendGap;
  }
}

// The same for all cards, so that their data line up.
void FigureLayout::MeasureAxes(const Figure& figure) {
  double numbers = 0;
  bool titles = false, subtitles = false, y_label = false, x_label = false, x_ticks = false;
  for (const Panel& panel : figure.panels) {
    titles |= !panel.title.empty();
    subtitles |= !panel.subtitle.empty();
    x_label |= !panel.x.label.empty();
    y_label |= !panel.y.label.empty();
    x_ticks |= panel.x.ticks;
    if (!panel.y.ticks) continue;
    // The height hangs on the width, which hangs on these numbers. A height somewhat too large has
    // as many or more ticks, whose texts are as wide or wider.
    for (const Tick& tick : TicksOfY(panel.y, CardWidth() * aspect_)) {
      numbers = std::max(numbers, WidthOf(tick.text) + kTickGap);
    }
  }
  beside_ = kPad + numbers + (y_label ? kLine : 0);
  above_ = kPad + (titles ? kLine : 0) + (subtitles ? kLine : 0);
  below_ = kPad + (x_ticks ? kTickGap + kTextSize : 0) + (x_label ? kLine : 0);
}

double FigureLayout::CardWidth() const {
  return (kWidth - 2 * kMargin - (columns_ - 1) * kGap) / columns_;
}
double FigureLayout::DataWidth() const { return CardWidth() - beside_ - kPad; }
double FigureLayout::CardHeight() const { return above_ + DataWidth() * aspect_ + below_; }

Place FigureLayout::title() const { return {kMargin, kMargin + kTitleSize * 0.75}; }
Place FigureLayout::subtitle() const { return {kMargin, title().y + kLine + 2}; }
Place FigureLayout::remark() const {
  return {kMargin, title().y + 2 + (has_subtitle_ ? 2 : 1) * kLine};
}

Area FigureLayout::CardOf(size_t panel) const {
  const auto columns = static_cast<size_t>(columns_);
  const size_t row = panel / columns;
  const size_t column = panel % columns;
  return {kMargin + static_cast<double>(column) * (CardWidth() + kGap),
          head_ + static_cast<double>(row) * (CardHeight() + kGap), CardWidth(), CardHeight()};
}

Area FigureLayout::DataOf(size_t panel) const {
  const Area card = CardOf(panel);
  return {card.left + beside_, card.top + above_, DataWidth(), DataWidth() * aspect_};
}

}  // namespace mixfeed
