#ifndef MIXFEED_AUGMENT_NEIGHBOUR_NEAREST_POINTS_H_
#define MIXFEED_AUGMENT_NEIGHBOUR_NEAREST_POINTS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "augment/base/mutex.h"

namespace mixfeed {

// What the choice of neighbours needs to know of a block's points.
struct BlockPoints {
  std::span<const int32_t> places;
  std::span<const int64_t> squares;  // dot products with themselves
  std::span<const int16_t> labels;   // equal ones exclude each other; empty: none do
};

// The dot product of point p and candidate c is first[p * point_stride + c * candidate_stride].
struct DotView {
  const int64_t* first;
  int64_t point_stride;
  int64_t candidate_stride;
};

// The k nearest candidates that each point of a block has been offered, by distance, ties by place.
// They do not depend on the order of the offers. Takes 8 k bytes a point. Thread safe.
class NearestPoints {
 public:
  // Places have at most `place_bits` bits, 1 or more; squared distances have at most
  // 64 - place_bits.
  NearestPoints(int64_t points, int k, int place_bits);

  // Offers every candidate to every point. A point never takes itself or an excluded candidate.
  void Offer(const BlockPoints& points, const BlockPoints& candidates, const DotView& dots);

  // Puts the places of point `p`'s nearest into places[0..k-1], nearest first. The point must have
  // been offered k candidates that it takes. Ends the offers to this point.
  void TakePlaces(int64_t p, int32_t* places);

 private:
  // Of one point. The larger a key, the farther: a squared distance, below it the place.
  std::span<uint64_t> HeapOf(int64_t p) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int k_;
  const int place_bits_;
  Mutex mu_;
  std::vector<uint64_t> heaps_ ABSL_GUARDED_BY(mu_);  // [points][k], the farthest first
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_NEIGHBOUR_NEAREST_POINTS_H_
