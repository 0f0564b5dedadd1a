#include "augment/figure/guess_figure.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

constexpr size_t kMostNamed = 12;  // classes whose names fit a line
constexpr double kRoom = 1.1;      // of an axis, over the largest value
constexpr double kEdge = 0.02;     // of an axis, beside its first and last point

// A quantity that is drawn over updates.
struct Series {
  const char* label;
  Rgb colour;
  std::optional<double> (*value)(const GuessPoint& point);
};

constexpr Series kShares[] = {
    {"confidence", kSeries[0], [](const GuessPoint& p) { return std::optional(p.confidence); }},
    {"agreement of the views", kSeries[1], [](const GuessPoint& p) { return p.agreement; }},
    {"accuracy (hidden labels)", kSeries[2], [](const GuessPoint& p) { return p.accuracy; }},
    {"accuracy (validation)", kSeries[3],
     [](const GuessPoint& p) { return p.validation_accuracy; }},
};

constexpr Series kDistances[] = {
    {"calibration error", kSeries[4], [](const GuessPoint& p) { return p.calibration_error; }},
    {"drift", kSeries[5], [](const GuessPoint& p) { return p.drift; }},
    {"distance from the labelled classes", kFaint,
     [](const GuessPoint& p) { return std::optional(p.prior_distance); }},
};

Axis UpdateAxis(const std::vector<GuessPoint>& points) {
  // A trainer that went back has pushed lower updates after higher ones.
  const auto [first, last] = std::minmax_element(
      points.begin(), points.end(),
      [](const GuessPoint& a, const GuessPoint& b) { return a.update < b.update; });
  Axis axis{.label = "update", .low = first->update, .high = last->update};
  const double room = axis.low == axis.high ? 1 : kEdge * (axis.high - axis.low);
  axis.low -= room;
  axis.high += room;
  return axis;
}

// The known points, joined, each with a dot: a single one shows too.
void AddSeries(const Series& series, const std::vector<GuessPoint>& points, Panel* panel) {
  std::vector<ChartPoint> known;
  for (const GuessPoint& point : points) {
    if (const auto value = series.value(point)) known.push_back({point.update, *value});
  }
  if (known.empty()) return;
  panel->marks.emplace_back(Curve{.points = known, .ink = {series.colour}, .label = series.label});
  panel->marks.emplace_back(
      Scatter{.points = std::move(known), .ink = {series.colour}, .radius = 2.5});
}

Panel SharesPanel(const std::vector<GuessPoint>& points) {
  Panel panel{.title = "How sure, and how right",
              .subtitle = "means over neighbouring versions",
              .x = UpdateAxis(points),
              .y = {.label = "share", .low = 0, .high = 1.02, .step = 0.2}};
  for (const Series& series : kShares) AddSeries(series, points, &panel);
  return panel;
}

Panel DistancesPanel(const std::vector<GuessPoint>& points) {
  Panel panel{.title = "How far off",
              .subtitle = "calibration, change between versions, shares of classes",
              .x = UpdateAxis(points),
              .y = {.label = "error, distance", .low = 0}};
  double top = 0;
  for (const Series& series : kDistances) {
    AddSeries(series, points, &panel);
    for (const GuessPoint& point : points) top = std::max(top, series.value(point).value_or(0));
  }
  panel.y.high = std::max(0.1, kRoom * top);
  return panel;
}

Bars ClassBars(std::span<const double> shares, double half_width, const Ink& ink,
               const std::string& label) {
  Bars bars{.ink = ink, .label = label};
  for (size_t c = 0; c < shares.size(); ++c) {
    const auto x = static_cast<double>(c);
    bars.bars.push_back({x - half_width, x + half_width, shares[c]});
  }
  return bars;
}

double Largest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

Panel ClassPanel(const GuessPicture& picture) {
  const auto classes = static_cast<double>(picture.class_mean.size());
  Panel panel{.title = "Classes of the newest guesses",
              .subtitle = picture.newest,
              .x = {.label = "class",
                    .low = -0.6,
                    .high = classes - 0.4,
                    .step = picture.class_mean.size() <= kMostNamed ? 1.0 : 0.0},
              .y = {.label = "share",
                    .low = 0,
                    .high = kRoom * std::max(Largest(picture.class_mean), Largest(picture.prior))}};
  panel.marks.emplace_back(ClassBars(picture.prior, 0.45, {kFrame}, "labelled images"));
  panel.marks.emplace_back(ClassBars(picture.class_mean, 0.28, {kBar}, "guesses"));
  return panel;
}

Panel ConfidencePanel(const GuessPicture& picture) {
  Bars bars{.ink = {kBar}, .label = "guesses"};
  const auto bins = static_cast<double>(picture.confidence.size());
  for (size_t bin = 0; bin < picture.confidence.size(); ++bin) {
    const auto low = static_cast<double>(bin);
    bars.bars.push_back({low / bins, (low + 1) / bins, picture.confidence[bin]});
  }
  Panel panel{.title = "Confidence of the newest guesses",
              .subtitle = picture.newest,
              .x = {.label = "largest probability", .low = 0, .high = 1, .step = 0.2},
              .y = {.label = "share of images",
                    .low = 0,
                    .high = std::max(0.1, kRoom * Largest(picture.confidence))}};
  panel.marks.emplace_back(std::move(bars));
  return panel;
}

std::string ClassNames(const std::vector<std::string>& names) {
  if (names.size() > kMostNamed) return "";
  std::string text = "classes:";
  for (size_t c = 0; c < names.size(); ++c) {
    absl::StrAppend(&text, c == 0 ? " " : ", ", c, " ", names[c]);
  }
  return text;
}

}  // namespace

Figure MakeGuessFigure(const GuessPicture& picture) {
  return {.title = picture.title,
          .subtitle = picture.subtitle,
          .remark = ClassNames(picture.class_names),
          .panels = {SharesPanel(picture.points), DistancesPanel(picture.points),
                     ClassPanel(picture), ConfidencePanel(picture)},
          .columns = 2,
          .aspect = 0.6};
}

}  // namespace mixfeed
