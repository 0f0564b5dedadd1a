#include "augment/figure/vicinity_figure.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/enum_names.h"

namespace mixfeed {
namespace {

constexpr int kTruePoints = 100'000;
constexpr double kDivergenceBandwidth = 0.1;

// The part of the plane that is shown: the shapes and some of their noise.
constexpr ChartPoint kWindowMiddle{0.5, 0.25};
constexpr double kHalfWidth = 1.5;
constexpr double kHalfHeight = 1.0;
constexpr double kNoiseShown = 2.5;

constexpr int kDensityColumns = 200;
constexpr double kDensityBandwidth = 1.2;  // cells
// A density (of a unit of area) that covers half of the ground; the shapes' own is about 0.4.
constexpr double kHalfCovering = 0.25;

// More points would hide the density.
constexpr int kMaxShownLabelled = 300;
constexpr int kMaxShownUnlabelled = 1500;

constexpr double kRoomOfPoint = 0.06;  // from its middle to the border

constexpr Ink kUnlabelled{{120, 124, 130}, 0.45};

size_t ShownLabelled(const VicinityOptions& options) {
  return static_cast<size_t>(std::min(options.labelled, kMaxShownLabelled));
}

// Those behind the labelled ones.
size_t ShownUnlabelled(const std::vector<ToyPoint>& points, const VicinityOptions& options) {
  return std::min<size_t>(points.size() - static_cast<size_t>(options.labelled),
                          kMaxShownUnlabelled);
}

// Larger where the points that are shown need it.
Grid GridOfPanel(double noise, const std::vector<ToyPoint>& points,
                 const VicinityOptions& options) {
  double half_width = kHalfWidth + kNoiseShown * noise;
  double half_height = kHalfHeight + kNoiseShown * noise;
  const auto labelled = static_cast<size_t>(options.labelled);
  const size_t end = labelled + ShownUnlabelled(points, options);
  for (size_t i = 0; i < end; ++i) {
    const bool shown =
        i >= labelled || i < ShownLabelled(options) || options.point == static_cast<int>(i);
    if (!shown) continue;
    half_width = std::max(half_width, std::abs(points[i].at.x - kWindowMiddle.x) + kRoomOfPoint);
    half_height = std::max(half_height, std::abs(points[i].at.y - kWindowMiddle.y) + kRoomOfPoint);
  }
  const double cell = 2 * half_width / kDensityColumns;
  return {kWindowMiddle.x - half_width, kWindowMiddle.y - half_height, cell, kDensityColumns,
          static_cast<int>(2 * half_height / cell)};
}

// Denser is more opaque; the colour lies between the classes' as the soft label does.
Ink InkOfCell(double first, double second, double area) {
  const double both = first + second;
  if (both == 0) return {kSeries[0], 0};
  const double density = both / area;
  return {Blend(kSeries[0], kSeries[1], second / both), density / (density + kHalfCovering)};
}

absl::StatusOr<Heat> DensityHeat(const std::vector<SoftPoint>& points, const Grid& grid) {
  MIXFEED_ASSIGN_OR_RETURN(const ClassDensity density,
                           EstimateDensity(points, grid, kDensityBandwidth * grid.cell));
  Heat heat{grid.x_low, grid.x_high(), grid.y_low, grid.y_high(), grid.columns, {}};
  for (size_t i = 0; i < grid.cells(); ++i) {
    heat.cells.push_back(InkOfCell(density.first[i], density.second[i], grid.cell * grid.cell));
  }
  return heat;
}

// Says when not all are shown.
std::string CountedLabel(const std::string& label, size_t shown, size_t all) {
  return shown == all ? label : absl::StrCat(label, " (", shown, " of ", all, " drawn)");
}

// Adds the set's own points: unlabelled ones below, then each class.
void AddPoints(const std::vector<ToyPoint>& points, const VicinityOptions& options,
               std::vector<Mark>* marks) {
  const auto labelled = static_cast<size_t>(options.labelled);
  const size_t shown = ShownUnlabelled(points, options);
  Scatter unlabelled{.ink = kUnlabelled,
                     .radius = 1,
                     .label = CountedLabel("unlabelled point", shown, points.size() - labelled)};
  for (size_t i = labelled; i < labelled + shown; ++i) unlabelled.points.push_back(points[i].at);
  Scatter classes[2];
  size_t counts[2] = {0, 0};
  for (size_t i = 0; i < labelled; ++i) {
    ++counts[points[i].label];
    if (i < ShownLabelled(options)) classes[points[i].label].points.push_back(points[i].at);
  }
  for (size_t c = 0; c < 2; ++c) {
    classes[c].ink = {kSeries[c]};
    classes[c].radius = 1.4;
    classes[c].outlined = true;
    classes[c].label =
        CountedLabel(absl::StrCat("point of class ", c), classes[c].points.size(), counts[c]);
  }
  if (!unlabelled.points.empty()) marks->emplace_back(std::move(unlabelled));
  for (Scatter& scatter : classes) marks->emplace_back(std::move(scatter));
}

void MarkTheOnePoint(const std::vector<ToyPoint>& points, int place, std::vector<Mark>* marks) {
  const ToyPoint& point = points[static_cast<size_t>(place)];
  marks->emplace_back(Scatter{.points = {point.at},
                              .ink = {kInk},
                              .radius = 5,
                              .outlined = true,
                              .label = absl::StrCat("point ", place, ", of class ", point.label)});
}

// In the order of VicinityRule.
constexpr const char* kReaches[] = {"stays where it is", "towards any labelled point",
                                    "towards its own class", "towards its neighbours",
                                    "towards any point, own label"};

std::string PanelSubtitle(VicinityRule rule, const std::optional<Divergences>& divergences) {
  if (!divergences.has_value()) return kReaches[static_cast<size_t>(rule)];
  return absl::StrFormat("JS %.3f; with labels %.3f", divergences->points, divergences->joint);
}

std::string SubtitleOf(const VicinityFigureOptions& options) {
  std::string text =
      absl::StrFormat("%s, %d points, %d labelled; alpha %g", NameOf(options.shape), options.points,
                      options.vicinity.labelled, options.vicinity.alpha);
  if (options.vicinity.distance_scale > 0) {
    absl::StrAppendFormat(&text, " * exp(-distance / %g)", options.vicinity.distance_scale);
  }
  if (options.vicinity.point.has_value()) {
    return text + ". Shade: where this one point can go; its colour: the soft label there";
  }
  return text + ". Shade: density of augmented points; its colour: the soft label there";
}

// How to read the numbers above the panels.
std::string RemarkOf(const VicinityFigureOptions& options) {
  if (options.vicinity.point.has_value()) return "";
  return "JS: distance from the truth in bits (1: no overlap). " + std::string(kWhyMix);
}

// As square as it goes, up to three.
int ColumnsFor(size_t panels) {
  if (panels == 4) return 2;
  return static_cast<int>(std::min<size_t>(panels, 3));
}

// One figure's work, panel by panel.
class Drawing {
 public:
  explicit Drawing(const VicinityFigureOptions& options)
      : options_(options),
        points_(DrawToyPoints(options.shape, options.noise, options.vicinity.seed,
                              ToySample::kTraining, options.points)),
        grid_(GridOfPanel(options.noise, points_, options.vicinity)) {
    for (const ToyPoint& point : DrawToyPoints(options.shape, options.noise, options.vicinity.seed,
                                               ToySample::kTruth, kTruePoints)) {
      truth_.push_back({point.at, static_cast<double>(point.label)});
    }
  }

  absl::Status AddRule(VicinityRule rule, VicinityFigure* made) const {
    VicinityOptions vicinity = options_.vicinity;
    vicinity.rule = rule;
    MIXFEED_ASSIGN_OR_RETURN(const auto augmented, DrawVicinity(points_, vicinity));
    std::optional<Divergences> divergences;
    if (!vicinity.point.has_value()) {
      MIXFEED_ASSIGN_OR_RETURN(divergences, JensenShannon(augmented, truth_, kDivergenceBandwidth));
    }
    made->divergences.push_back(divergences);
    MIXFEED_ASSIGN_OR_RETURN(Panel panel, PanelOf(augmented));
    panel.title = NameOf(rule);
    panel.subtitle = PanelSubtitle(rule, divergences);
    AddPoints(points_, vicinity, &panel.marks);
    if (vicinity.point.has_value()) MarkTheOnePoint(points_, *vicinity.point, &panel.marks);
    made->figure.panels.push_back(std::move(panel));
    return absl::OkStatus();
  }

  absl::Status AddTruth(VicinityFigure* made) const {
    MIXFEED_ASSIGN_OR_RETURN(Panel panel, PanelOf(truth_));
    panel.title = "the truth";
    panel.subtitle = "what the points are drawn from";
    made->figure.panels.push_back(std::move(panel));
    return absl::OkStatus();
  }

  double aspect() const { return static_cast<double>(grid_.rows) / grid_.columns; }

 private:
  absl::StatusOr<Panel> PanelOf(const std::vector<SoftPoint>& points) const {
    MIXFEED_ASSIGN_OR_RETURN(Heat heat, DensityHeat(points, grid_));
    Panel panel{.x = {.low = grid_.x_low, .high = grid_.x_high(), .ticks = false},
                .y = {.low = grid_.y_low, .high = grid_.y_high(), .ticks = false}};
    panel.marks.emplace_back(std::move(heat));
    return panel;
  }

  const VicinityFigureOptions& options_;
  const std::vector<ToyPoint> points_;
  const Grid grid_;
  std::vector<SoftPoint> truth_;
};

// What Drawing needs, such as its labelled points; DrawVicinity checks the rest.
absl::Status CheckOptions(const VicinityFigureOptions& options) {
  MIXFEED_RETURN_IF_ERROR(CheckEnum("shape", options.shape));
  MIXFEED_RETURN_IF_ERROR(CheckRange("noise", options.noise, 0.0, kMaxToyNoise));
  MIXFEED_RETURN_IF_ERROR(CheckRange("points", options.points, kMinToyPoints, kMaxToyPoints));
  MIXFEED_RETURN_IF_ERROR(CheckRange("rules", options.rules.size(), size_t{1}, kMaxRules));
  MIXFEED_RETURN_IF_ERROR(CheckRange("labelled", options.vicinity.labelled, 1, options.points));
  for (const VicinityRule rule : options.rules) MIXFEED_RETURN_IF_ERROR(CheckEnum("rules", rule));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<VicinityFigure> MakeVicinityFigure(
    const VicinityFigureOptions& options, const std::function<void(const char* rule)>& begin) {
  MIXFEED_RETURN_IF_ERROR(CheckOptions(options));
  const Drawing drawing(options);
  VicinityFigure made;
  made.figure = {.title = "What mixing makes of the data",
                 .subtitle = SubtitleOf(options),
                 .remark = RemarkOf(options),
                 .columns = ColumnsFor(options.rules.size() + 1),
                 .aspect = drawing.aspect()};
  for (const VicinityRule rule : options.rules) {
    begin(NameOf(rule));
    MIXFEED_RETURN_IF_ERROR(drawing.AddRule(rule, &made));
  }
  MIXFEED_RETURN_IF_ERROR(drawing.AddTruth(&made));
  return made;
}

}  // namespace mixfeed
