#include "augment/neighbour/neighbour_index.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/neighbour/neighbour_checks.h"

namespace mixfeed {
uint64_t NeighbourIndex::fingerprint() const {
  return XXH3_64bits_withSeed(places_.data(), places_.size() * sizeof(int32_t),
                              static_cast<uint64_t>(k_));
}

absl::StatusOr<std::vector<int16_t>> QuantiseFeatures(std::span<const float> features) {
  double largest = 0;
  for (size_t i = 0; i < features.size(); ++i) {
    if (!std::isfinite(features[i])) {
      return FieldError(absl::StrCat("features[", i, "]"), absl::StrCat(features[i]),
                        "finite numbers");
    }
    largest = std::max(largest, std::abs(double{features[i]}));
  }
  std::vector<int16_t> coordinates(features.size());
  if (largest == 0) return coordinates;
  std::transform(features.begin(), features.end(), coordinates.begin(), [largest](double feature) {
    return static_cast<int16_t>(std::nearbyint(feature * kMaxCoordinate / largest));
  });
  return coordinates;
}

uint64_t FingerprintPoints(const NeighbourPoints& points) {
  const uint64_t parts[] = {
      static_cast<uint64_t>(points.dimensions),
      XXH3_64bits(points.coordinates.data(), points.coordinates.size_bytes()),
      XXH3_64bits(points.labels.data(), points.labels.size_bytes()),
  };
  return XXH3_64bits(parts, sizeof(parts));
}

}  // namespace mixfeed
