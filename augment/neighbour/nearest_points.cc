#include "augment/neighbour/nearest_points.h"

#include <algorithm>
#include <limits>

namespace mixfeed {
namespace {

bool Excluded(const BlockPoints& points, size_t p, const BlockPoints& candidates, size_t c) {
  if (points.places[p] == candidates.places[c]) return true;
  return !points.labels.empty() && points.labels[p] == candidates.labels[c];
}

void ReplaceFarthest(std::span<uint64_t> heap, uint64_t key) {
  std::pop_heap(heap.begin(), heap.end());
  heap.back() = key;
  std::push_heap(heap.begin(), heap.end());
}

}  // namespace

NearestPoints::NearestPoints(int64_t points, int k, int place_bits)
    : k_(k),
      place_bits_(place_bits),
      heaps_(static_cast<size_t>(points) * static_cast<size_t>(k),
             std::numeric_limits<uint64_t>::max()) {}

std::span<uint64_t> NearestPoints::HeapOf(int64_t p) {
  const auto k = static_cast<size_t>(k_);
  return std::span(heaps_).subspan(static_cast<size_t>(p) * k, k);
}

void NearestPoints::Offer(const BlockPoints& points, const BlockPoints& candidates,
                          const DotView& dots) {
  const MutexLock lock(&mu_);
  for (size_t p = 0; p < points.places.size(); ++p) {
    const std::span<uint64_t> heap = HeapOf(static_cast<int64_t>(p));
    const int64_t* dot = dots.first + static_cast<int64_t>(p) * dots.point_stride;
    uint64_t farthest = heap.front() >> place_bits_;
    for (size_t c = 0; c < candidates.places.size(); ++c, dot += dots.candidate_stride) {
      const auto distance =
          static_cast<uint64_t>(points.squares[p] + candidates.squares[c] - 2 * *dot);
      // Nearly all end here, so that this line is what the loop costs.
      if (distance > farthest || Excluded(points, p, candidates, c)) continue;
      const uint64_t key = distance << place_bits_ | static_cast<uint64_t>(candidates.places[c]);
      if (key >= heap.front()) continue;
      ReplaceFarthest(heap, key);
      farthest = heap.front() >> place_bits_;
    }
  }
}

void NearestPoints::TakePlaces(int64_t p, int32_t* places) {
  const MutexLock lock(&mu_);
  const std::span<uint64_t> heap = HeapOf(p);
  std::sort_heap(heap.begin(), heap.end());
  const uint64_t mask = (uint64_t{1} << place_bits_) - 1;
  std::transform(heap.begin(), heap.end(), places,
                 [mask](uint64_t key) { return static_cast<int32_t>(key & mask); });
}

}  // namespace mixfeed
