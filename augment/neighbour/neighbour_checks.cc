#include "augment/neighbour/neighbour_checks.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

// "FIELD[I] is VALUE; allowed: LOW..HIGH" for the first value out of range.
absl::Status CheckEach(const std::string& field, std::span<const int16_t> values, int low,
                       int high) {
  const auto refused =
      std::find_if(values.begin(), values.end(), [&](int v) { return v < low || v > high; });
  if (refused == values.end()) return absl::OkStatus();
  return CheckRange<int>(absl::StrCat(field, "[", refused - values.begin(), "]"), *refused, low,
                         high);
}

absl::Status CheckPoints(const NeighbourPoints& points, NeighbourClass classes) {
  const auto coordinates = static_cast<int64_t>(points.coordinates.size());
  if (points.dimensions < 1) {
    return FieldError("points.dimensions", absl::StrCat(points.dimensions), "1 or more");
  }
  if (coordinates == 0 || coordinates % points.dimensions != 0) {
    return FieldError("points.coordinates", absl::StrCat(coordinates, " values"),
                      absl::StrCat("multiples of points.dimensions, ", points.dimensions));
  }
  MIXFEED_RETURN_IF_ERROR(
      CheckEach("points.coordinates", points.coordinates, -kMaxCoordinate, kMaxCoordinate));
  if (classes == NeighbourClass::kAny) return absl::OkStatus();
  const int64_t count = coordinates / points.dimensions;
  if (static_cast<int64_t>(points.labels.size()) != count) {
    return FieldError("points.labels", absl::StrCat(points.labels.size(), " values"),
                      absl::StrCat(count, ", one a point"));
  }
  return CheckEach("points.labels", points.labels, 0, std::numeric_limits<int16_t>::max());
}

std::string Images(int64_t count) { return absl::StrCat(count, count == 1 ? " image" : " images"); }

// The allowed neighbours of the point that has the fewest, and why there are no more.
struct FewestNeighbours {
  int64_t count;
  std::string reason;
};

FewestNeighbours Fewest(const NeighbourPoints& points, NeighbourClass classes) {
  const auto count = static_cast<int64_t>(points.coordinates.size()) / points.dimensions;
  if (classes == NeighbourClass::kAny) {
    return {count - 1, absl::StrCat("there ", count == 1 ? "is " : "are ", Images(count))};
  }
  std::vector<int64_t> sizes(size_t{std::numeric_limits<int16_t>::max()} + 1);
  for (const int16_t label : points.labels) ++sizes[static_cast<size_t>(label)];
  if (classes == NeighbourClass::kOther) {
    const auto largest = std::max_element(sizes.begin(), sizes.end());
    return {count - *largest, absl::StrCat("class ", largest - sizes.begin(), " has ", *largest,
                                           " of ", Images(count))};
  }
  const auto smallest = std::min_element(sizes.begin(), sizes.end(), [](int64_t a, int64_t b) {
    return a != 0 && (b == 0 || a < b);  // classes that are not there come last
  });
  return {*smallest - 1,
          absl::StrCat("class ", smallest - sizes.begin(), " has ", Images(*smallest))};
}

}  // namespace

absl::Status CheckNeighbourBuild(const NeighbourPoints& points, const NeighbourBuild& build) {
  MIXFEED_RETURN_IF_ERROR(CheckPoints(points, build.classes));
  const FewestNeighbours fewest = Fewest(points, build.classes);
  if (build.k >= 1 && build.k <= fewest.count) return absl::OkStatus();
  const std::string range = fewest.count == 0 ? "none" : absl::StrCat("1..", fewest.count);
  return FieldError("recipe.mix.partner.neighbours", absl::StrCat(build.k),
                    absl::StrCat(range, ", ", fewest.reason));
}

}  // namespace mixfeed
