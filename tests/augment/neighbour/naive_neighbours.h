#ifndef MIXFEED_TESTS_AUGMENT_NEIGHBOUR_NAIVE_NEIGHBOURS_H_
#define MIXFEED_TESTS_AUGMENT_NEIGHBOUR_NAIVE_NEIGHBOURS_H_

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "augment/neighbour/neighbour_index.h"

namespace mixfeed::testing {

// Points with their own memory.
struct OwnedPoints {
  std::vector<int16_t> coordinates;
  int dimensions = 1;
  std::vector<int16_t> labels;

  NeighbourPoints view() const { return {coordinates, dimensions, labels}; }
  int count() const { return static_cast<int>(coordinates.size()) / dimensions; }
};

// Coordinates and labels uniform on their ranges.
inline OwnedPoints RandomPoints(int count, int dimensions, int low, int high, int classes = 3) {
  std::mt19937 random(static_cast<unsigned>(count * 31 + dimensions));
  std::uniform_int_distribution<int> coordinate(low, high);
  std::uniform_int_distribution<int> label(0, classes - 1);
  OwnedPoints points;
  points.dimensions = dimensions;
  for (int i = 0; i < count * dimensions; ++i) {
    points.coordinates.push_back(static_cast<int16_t>(coordinate(random)));
  }
  for (int i = 0; i < count; ++i) points.labels.push_back(static_cast<int16_t>(label(random)));
  return points;
}

inline int64_t NaiveDistance(const OwnedPoints& points, int a, int b) {
  int64_t sum = 0;
  for (int d = 0; d < points.dimensions; ++d) {
    const int64_t difference =
        int64_t{points.coordinates[static_cast<size_t>(int64_t{a} * points.dimensions + d)]} -
        points.coordinates[static_cast<size_t>(int64_t{b} * points.dimensions + d)];
    sum += difference * difference;
  }
  return sum;
}

inline bool NaivelyAllowed(const OwnedPoints& points, NeighbourClass classes, int a, int b) {
  if (a == b) return false;
  if (classes == NeighbourClass::kAny) return true;
  const bool same = points.labels[static_cast<size_t>(a)] == points.labels[static_cast<size_t>(b)];
  return same == (classes == NeighbourClass::kSame);
}

// [count][k], by the definition: all allowed points sorted by distance, then by place.
inline std::vector<int32_t> NaiveNeighbours(const OwnedPoints& points, int k,
                                            NeighbourClass classes) {
  std::vector<int32_t> places;
  for (int a = 0; a < points.count(); ++a) {
    std::vector<std::pair<int64_t, int32_t>> all;
    for (int b = 0; b < points.count(); ++b) {
      if (NaivelyAllowed(points, classes, a, b)) all.emplace_back(NaiveDistance(points, a, b), b);
    }
    std::sort(all.begin(), all.end());
    for (int i = 0; i < k; ++i) places.push_back(all[static_cast<size_t>(i)].second);
  }
  return places;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_NEIGHBOUR_NAIVE_NEIGHBOURS_H_
