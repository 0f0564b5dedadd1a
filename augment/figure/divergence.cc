#include "augment/figure/divergence.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/det_math.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

constexpr double kReach = 4;  // bandwidths
constexpr double kCellsPerBandwidth = 2;
constexpr double kMaxCells = 1 << 24;
constexpr double kLogTwo = 0x1.62e42fefa39efp-1;

// Weights of the cells 0, 1, ... away, not scaled.
std::vector<double> HalfKernel(double bandwidth_in_cells) {
  std::vector<double> weights;
  for (int i = 0; i <= kReach * bandwidth_in_cells; ++i) {
    const double z = i / bandwidth_in_cells;
    weights.push_back(DetExp(-z * z / 2));
  }
  return weights;
}

// Smooths `count` values that are `stride` apart.
void SmoothLine(const std::vector<double>& kernel, int count, int stride, double* values,
                std::vector<double>* scratch) {
  const int reach = static_cast<int>(kernel.size()) - 1;
  scratch->assign(static_cast<size_t>(count), 0);
  for (int i = 0; i < count; ++i) {
    const double value = values[static_cast<ptrdiff_t>(i) * stride];
    if (value == 0) continue;
    for (int j = std::max(0, i - reach); j <= std::min(count - 1, i + reach); ++j) {
      (*scratch)[static_cast<size_t>(j)] += kernel[static_cast<size_t>(std::abs(i - j))] * value;
    }
  }
  for (int i = 0; i < count; ++i) {
    values[static_cast<ptrdiff_t>(i) * stride] = (*scratch)[static_cast<size_t>(i)];
  }
}

void Smooth(const std::vector<double>& kernel, const Grid& grid, std::vector<double>* field) {
  std::vector<double> scratch;
  for (int row = 0; row < grid.rows; ++row) {
    SmoothLine(kernel, grid.columns, 1, field->data() + static_cast<ptrdiff_t>(row) * grid.columns,
               &scratch);
  }
  for (int column = 0; column < grid.columns; ++column) {
    SmoothLine(kernel, grid.rows, grid.columns, field->data() + column, &scratch);
  }
}

ClassDensity CountPoints(std::span<const SoftPoint> points, const Grid& grid) {
  ClassDensity counts{std::vector<double>(grid.cells()), std::vector<double>(grid.cells())};
  for (const SoftPoint& point : points) {
    const double column = std::floor((point.at.x - grid.x_low) / grid.cell);
    const double row = std::floor((point.at.y - grid.y_low) / grid.cell);
    if (!(column >= 0 && column < grid.columns && row >= 0 && row < grid.rows)) continue;
    const size_t cell =
        static_cast<size_t>(row) * static_cast<size_t>(grid.columns) + static_cast<size_t>(column);
    counts.first[cell] += 1 - point.second;
    counts.second[cell] += point.second;
  }
  return counts;
}

double Sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// p log(p / m), whose limit at 0 is 0; 0 already where p / m might have no normal double.
double Information(double p, double m) { return p > 1e-300 ? p * DetLog(p / m) : 0; }

// A cell's part of the divergence, in nats.
double Part(double p, double q) {
  const double middle = (p + q) / 2;
  return (Information(p, middle) + Information(q, middle)) / 2;
}

// Lowest and highest place of both samples.
std::pair<ChartPoint, ChartPoint> Extent(std::span<const SoftPoint> p,
                                         std::span<const SoftPoint> q) {
  ChartPoint low = p.front().at;
  ChartPoint high = low;
  for (const auto& sample : {p, q}) {
    for (const SoftPoint& point : sample) {
      low = {std::min(low.x, point.at.x), std::min(low.y, point.at.y)};
      high = {std::max(high.x, point.at.x), std::max(high.y, point.at.y)};
    }
  }
  return {low, high};
}

absl::Status CheckBandwidth(double bandwidth) {
  if (bandwidth > 0) return absl::OkStatus();
  return FieldError("bandwidth", absl::StrCat(bandwidth), "more than 0");
}

absl::StatusOr<Grid> GridAround(const std::pair<ChartPoint, ChartPoint>& extent, double bandwidth) {
  const auto& [low, high] = extent;
  const double margin = kReach * bandwidth;
  const double cell = bandwidth / kCellsPerBandwidth;
  const double columns = std::floor((high.x - low.x + 2 * margin) / cell) + 1;
  const double rows = std::floor((high.y - low.y + 2 * margin) / cell) + 1;
  if (!(columns * rows <= kMaxCells)) {
    return FieldError("bandwidth",
                      absl::StrCat(bandwidth, ", which makes ", columns * rows, " cells"),
                      absl::StrCat("one that makes at most ", kMaxCells));
  }
  return Grid{low.x - margin, low.y - margin, cell, static_cast<int>(columns),
              static_cast<int>(rows)};
}

}  // namespace

absl::StatusOr<ClassDensity> EstimateDensity(std::span<const SoftPoint> points, const Grid& grid,
                                             double bandwidth) {
  MIXFEED_RETURN_IF_ERROR(CheckBandwidth(bandwidth));
  ClassDensity density = CountPoints(points, grid);
  const std::vector<double> kernel = HalfKernel(bandwidth / grid.cell);
  Smooth(kernel, grid, &density.first);
  Smooth(kernel, grid, &density.second);
  const double total = Sum(density.first) + Sum(density.second);
  if (total == 0) {
    return absl::InvalidArgumentError(absl::StrCat("sample is ", points.size(),
                                                   " points, none of them on the grid; allowed: at "
                                                   "least one there"));
  }
  for (double& value : density.first) value /= total;
  for (double& value : density.second) value /= total;
  return density;
}

absl::StatusOr<Divergences> JensenShannon(std::span<const SoftPoint> p,
                                          std::span<const SoftPoint> q, double bandwidth) {
  if (p.empty() || q.empty()) return FieldError("sample", "empty", "at least one point");
  MIXFEED_RETURN_IF_ERROR(CheckBandwidth(bandwidth));
  MIXFEED_ASSIGN_OR_RETURN(const Grid grid, GridAround(Extent(p, q), bandwidth));
  MIXFEED_ASSIGN_OR_RETURN(const ClassDensity of_p, EstimateDensity(p, grid, bandwidth));
  MIXFEED_ASSIGN_OR_RETURN(const ClassDensity of_q, EstimateDensity(q, grid, bandwidth));
  Divergences nats;
  for (size_t i = 0; i < grid.cells(); ++i) {
    nats.points += Part(of_p.first[i] + of_p.second[i], of_q.first[i] + of_q.second[i]);
    nats.joint += Part(of_p.first[i], of_q.first[i]) + Part(of_p.second[i], of_q.second[i]);
  }
  return Divergences{nats.points / kLogTwo, nats.joint / kLogTwo};
}

}  // namespace mixfeed
