#include "augment/figure/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <opencv2/imgcodecs.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/figure/canvas.h"
#include "augment/figure/layout.h"
#include "augment/pool/opencv_border.h"

namespace mixfeed {
namespace {

constexpr size_t kMaxPanels = 64;
constexpr double kMaxHeight = 8000;
constexpr int kMaxColumns = 8;
constexpr int kMaxSteps = 100;
constexpr double kMinAspect = 0.1;
constexpr double kMaxAspect = 4;
constexpr double kHairline = 0.5;
constexpr double kRim = 0.75;  // of outlined points
constexpr double kBarGap = 0.5;

// From the units of a panel's axes to places on the canvas.
class Scale {
 public:
  Scale(const Panel& panel, const Area& data) : x_(panel.x), y_(panel.y), data_(data) {}

  double X(double value) const {
    return data_.left + (value - x_.low) / (x_.high - x_.low) * data_.width;
  }
  double Y(double value) const {
    return data_.bottom() - (value - y_.low) / (y_.high - y_.low) * data_.height;
  }
  Place At(const ChartPoint& point) const { return {X(point.x), Y(point.y)}; }
  Area Between(const ChartPoint& low, const ChartPoint& high) const {
    const double top = Y(std::max(low.y, high.y));
    return {X(low.x), top, X(high.x) - X(low.x), Y(std::min(low.y, high.y)) - top};
  }

 private:
  const Axis& x_;
  const Axis& y_;
  const Area data_;
};

// Draws a panel's marks.
class MarkPainter {
 public:
  MarkPainter(Canvas* canvas, const Scale& scale) : canvas_(canvas), scale_(scale) {}

  void operator()(const Heat& heat) const {
    // A canvas' cells begin at the top.
    std::vector<Ink> cells;
    const auto columns = static_cast<std::ptrdiff_t>(heat.columns);
    for (auto end = heat.cells.end(); end != heat.cells.begin(); end -= columns) {
      cells.insert(cells.end(), end - columns, end);
    }
    canvas_->Cells(cells, heat.columns,
                   scale_.Between({heat.x_low, heat.y_low}, {heat.x_high, heat.y_high}));
  }

  void operator()(const Bars& bars) const {
    for (const Bar& bar : bars.bars) {
      Area box = scale_.Between({bar.low, 0}, {bar.high, bar.height});
      box.width = std::max(box.width - kBarGap, kBarGap);
      canvas_->FillBox(box, bars.ink);
    }
  }

  void operator()(const Curve& curve) const {
    std::vector<Place> places;
    for (const ChartPoint& point : curve.points) places.push_back(scale_.At(point));
    canvas_->Line(places, curve.thickness, curve.ink);
  }

  void operator()(const Scatter& scatter) const {
    for (const ChartPoint& point : scatter.points) {
      if (scatter.outlined) {
        canvas_->Disc(scale_.At(point), scatter.radius + kRim, {kCard, scatter.ink.alpha});
      }
      canvas_->Disc(scale_.At(point), scatter.radius, scatter.ink);
    }
  }

  void operator()(const Note& note) const {
    canvas_->Text(note.text, scale_.At(note.at),
                  {.size = kTextSize, .ink = note.ink, .anchor = Anchor::kCentre});
  }

 private:
  Canvas* const canvas_;
  const Scale& scale_;
};

void DrawXAxis(const Axis& axis, const Area& data, const Scale& scale, Canvas* canvas) {
  double baseline = data.bottom();
  const TextStyle number{.size = kTextSize, .ink = {kFaint}, .anchor = Anchor::kCentre};
  if (axis.ticks) {
    baseline += 6 + kTextSize * 0.7;
    for (const Tick& tick : TicksOfX(axis, data.width)) {
      const double x = scale.X(tick.value);
      canvas->FillBox({x, data.top, kHairline, data.height}, {kGrid});
      canvas->Text(tick.text, {x, baseline}, number);
    }
  }
  canvas->Text(axis.label, {data.left + data.width / 2, baseline + 17},
               {.size = kTextSize, .anchor = Anchor::kCentre});
}

void DrawYAxis(const Axis& axis, const Area& card, const Area& data, const Scale& scale,
               Canvas* canvas) {
  const TextStyle number{.size = kTextSize, .ink = {kFaint}, .anchor = Anchor::kRight};
  if (axis.ticks) {
    for (const Tick& tick : TicksOfY(axis, data.height)) {
      const double y = scale.Y(tick.value);
      canvas->FillBox({data.left, y, data.width, kHairline}, {kGrid});
      canvas->Text(tick.text, {data.left - 6, y + kTextSize * 0.35}, number);
    }
  }
  canvas->Text(axis.label,
               {card.left + FigureLayout::kPad + kTextSize * 0.6, data.top + data.height / 2},
               {.size = kTextSize, .anchor = Anchor::kCentre, .upwards = true});
}

void DrawPanel(const Panel& panel, const Area& card, const Area& data, Canvas* canvas) {
  const Scale scale(panel, data);
  canvas->FillBox(card, {kCard});
  canvas->FrameBox(card, kHairline, {kFrame});
  double baseline = card.top + FigureLayout::kPad + kPanelTitleSize * 0.75;
  canvas->Text(panel.title, {data.left, baseline}, {.size = kPanelTitleSize, .bold = true});
  if (!panel.title.empty()) baseline += 17;
  canvas->Text(panel.subtitle, {data.left, baseline}, {.size = kTextSize, .ink = {kFaint}});
  DrawXAxis(panel.x, data, scale, canvas);
  DrawYAxis(panel.y, card, data, scale, canvas);
  canvas->SetClip(data);
  for (const Mark& mark : panel.marks) std::visit(MarkPainter(canvas, scale), mark);
  canvas->ClearClip();
  canvas->FrameBox(data, kHairline, {kFrame});
}

void DrawLegend(const Figure& figure, const FigureLayout& layout, Canvas* canvas) {
  const std::vector<LegendEntry> entries = LegendOf(figure);
  for (size_t i = 0; i < entries.size(); ++i) {
    const Place at = layout.legend()[i];
    const Ink ink{entries[i].ink.colour};
    const double middle = at.y - kTextSize * 0.35;
    if (entries[i].line) {
      canvas->FillBox({at.x, middle - 1, FigureLayout::kLegendSwatch - 5, 2}, ink);
    } else {
      canvas->Disc({at.x + 5, middle}, 4.5, ink);
    }
    canvas->Text(entries[i].label, {at.x + FigureLayout::kLegendSwatch, at.y}, {.size = kTextSize});
  }
}

absl::StatusOr<Picture> Draw(const Figure& figure) {
  const FigureLayout layout(figure);
  if (layout.height() > kMaxHeight) {
    return FieldError("figure.panels",
                      absl::StrCat("so many that they take ", layout.height(), " points of height"),
                      absl::StrCat("at most ", kMaxHeight));
  }
  Canvas canvas(layout.width(), layout.height(), kPaper);
  canvas.Text(figure.title, layout.title(), {.size = kTitleSize, .bold = true});
  canvas.Text(figure.subtitle, layout.subtitle(), {.size = kTextSize, .ink = {kFaint}});
  canvas.Text(figure.remark, layout.remark(), {.size = kTextSize, .ink = {kFaint}});
  DrawLegend(figure, layout, &canvas);
  for (size_t i = 0; i < figure.panels.size(); ++i) {
    DrawPanel(figure.panels[i], layout.CardOf(i), layout.DataOf(i), &canvas);
  }
  std::vector<uchar> png;
  cv::imencode(".png", canvas.pixels(), png);
  return Picture{.png = std::string(png.begin(), png.end()),
                 .width = canvas.pixels().cols,
                 .height = canvas.pixels().rows};
}

bool IsFinite(const ChartPoint& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

bool AllFinite(const std::vector<ChartPoint>& points) {
  return std::all_of(points.begin(), points.end(), IsFinite);
}

// Whether each kind of mark can be drawn.
struct MarkIsFinite {
  bool operator()(const Curve& curve) const { return AllFinite(curve.points); }
  bool operator()(const Scatter& scatter) const { return AllFinite(scatter.points); }
  bool operator()(const Note& note) const { return IsFinite(note.at); }
  bool operator()(const Heat& heat) const {
    return IsFinite({heat.x_low, heat.y_low}) && IsFinite({heat.x_high, heat.y_high});
  }
  bool operator()(const Bars& bars) const {
    return std::all_of(bars.bars.begin(), bars.bars.end(), [](const Bar& bar) {
      return IsFinite({bar.low, bar.high}) && std::isfinite(bar.height);
    });
  }
};

absl::Status CheckMark(const std::string& panel, const Mark& mark) {
  if (!std::visit(MarkIsFinite(), mark)) {
    return FieldError(panel + ".marks", "at a place that is not finite", "finite places");
  }
  const Heat* heat = std::get_if<Heat>(&mark);
  if (heat == nullptr) return absl::OkStatus();
  MIXFEED_RETURN_IF_ERROR(CheckRange(panel + ".heat.columns", heat->columns, 1, 4096));
  const auto columns = static_cast<size_t>(heat->columns);
  if (!heat->cells.empty() && heat->cells.size() % columns == 0) return absl::OkStatus();
  return FieldError(panel + ".heat.cells", absl::StrCat(heat->cells.size(), " of them"),
                    absl::StrCat("whole rows of ", columns));
}

absl::Status CheckAxis(const std::string& field, const Axis& axis) {
  if (axis.step != 0) {
    MIXFEED_RETURN_IF_ERROR(CheckRange(field + ".step", axis.step,
                                       (axis.high - axis.low) / kMaxSteps,
                                       std::numeric_limits<double>::max()));
  }
  if (std::isfinite(axis.low) && std::isfinite(axis.high) && axis.low < axis.high) {
    return absl::OkStatus();
  }
  return FieldError(field, absl::StrCat(axis.low, "..", axis.high), "finite, low below high");
}

absl::Status CheckPanel(size_t index, const Panel& panel) {
  const std::string name = absl::StrCat("figure.panels[", index, "]");
  MIXFEED_RETURN_IF_ERROR(CheckAxis(name + ".x", panel.x));
  MIXFEED_RETURN_IF_ERROR(CheckAxis(name + ".y", panel.y));
  for (const Mark& mark : panel.marks) MIXFEED_RETURN_IF_ERROR(CheckMark(name, mark));
  return absl::OkStatus();
}

absl::Status CheckFigure(const Figure& figure) {
  MIXFEED_RETURN_IF_ERROR(CheckRange("figure.panels", figure.panels.size(), size_t{1}, kMaxPanels));
  MIXFEED_RETURN_IF_ERROR(CheckRange("figure.columns", figure.columns, 1, kMaxColumns));
  MIXFEED_RETURN_IF_ERROR(CheckRange("figure.aspect", figure.aspect, kMinAspect, kMaxAspect));
  for (size_t i = 0; i < figure.panels.size(); ++i) {
    MIXFEED_RETURN_IF_ERROR(CheckPanel(i, figure.panels[i]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Picture> DrawFigure(const Figure& figure) {
  MIXFEED_RETURN_IF_ERROR(CheckFigure(figure));
  return StopOpenCvExceptions("the figure cannot be drawn", [&] { return Draw(figure); });
}

}  // namespace mixfeed
