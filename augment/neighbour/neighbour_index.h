#ifndef MIXFEED_AUGMENT_NEIGHBOUR_NEIGHBOUR_INDEX_H_
#define MIXFEED_AUGMENT_NEIGHBOUR_NEIGHBOUR_INDEX_H_

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/thread_pool.h"

namespace mixfeed {

// Which points may be a point's neighbours. The point itself never is.
enum class NeighbourClass : uint8_t { kAny, kSame, kOther };

// Points in a space of `dimensions` whole coordinates: pixels as they are, or features rounded to
// 12 bits (QuantiseFeatures), so that every distance is exact and the same on every machine.
struct NeighbourPoints {
  std::span<const int16_t> coordinates;  // [count][dimensions], each -2047..2047
  int dimensions = 0;
  std::span<const int16_t> labels;  // [count], each 0 or more; read unless classes is kAny
};

// The k nearest allowed points of each point, by Euclidean distance, ties by place. Immutable.
class NeighbourIndex {
 public:
  // [count][k] places of NeighbourPoints, nearest first.
  NeighbourIndex(int k, std::vector<int32_t> places) : k_(k), places_(std::move(places)) {}

  int k() const { return k_; }
  int64_t count() const { return static_cast<int64_t>(places_.size()) / k_; }
  std::span<const int32_t> Of(int64_t place) const {
    return std::span(places_).subspan(static_cast<size_t>(place * k_), static_cast<size_t>(k_));
  }
  std::span<const int32_t> places() const { return places_; }
  // XXH3-64 of k and the places.
  uint64_t fingerprint() const;

 private:
  const int k_;
  const std::vector<int32_t> places_;
};

struct NeighbourBuild {
  int k = 0;  // 1..count-1
  NeighbourClass classes = NeighbourClass::kAny;
  ThreadPool* threads = nullptr;  // not null; the result does not depend on it
  // Called with the share of the work that is done, rising to 1, from any thread but one call at a
  // time; may be empty.
  std::function<void(double)> progress = {};
  std::stop_token stop = {};
};

// Finds them all, exactly, by comparing every point with every allowed one. Memory beyond the
// points: 12 k + 20 bytes a point, and a thread's 480 bytes a dimension and half a megabyte; never
// all distances at once. Takes dimensions * count^2 / 2 multiplications (kSame: count^2 of each
// class).
//
// Errors: InvalidArgument where sizes do not fit together or a value is out of range, and
// ("recipe.mix.partner.neighbours is ...") when a point has fewer than k allowed neighbours, naming
// the class; Cancelled after a stop request; ResourceExhausted without memory.
absl::StatusOr<NeighbourIndex> BuildNeighbourIndex(const NeighbourPoints& points,
                                                   const NeighbourBuild& build);

// Coordinates from real features ([count][dimensions], finite): rounded to nearest, halves to even,
// at a scale that makes the largest magnitude 2047. InvalidArgument for a feature that is not
// finite.
absl::StatusOr<std::vector<int16_t>> QuantiseFeatures(std::span<const float> features);

// What an index is of: stored with it, and compared before it is used.
struct NeighbourKey {
  uint64_t points_fingerprint = 0;  // FingerprintPoints
  int k = 0;
  NeighbourClass classes = NeighbourClass::kAny;
};
// XXH3-64 of the dimensions and of the XXH3-64 of the coordinates and of the labels.
uint64_t FingerprintPoints(const NeighbourPoints& points);

// A file a key in `folder` (made if it is not there), written whole or not at all (temporary file,
// fsync, rename), with a checksum. Read: NotFound when there is none; DataLoss, naming the file,
// for one that is damaged or of another key: build again; ResourceExhausted without memory. Write:
// what file_io.h returns. A process writes a key from one thread at a time.
absl::StatusOr<NeighbourIndex> ReadNeighbourIndex(const std::string& folder,
                                                  const NeighbourKey& key);
absl::Status WriteNeighbourIndex(const std::string& folder, const NeighbourKey& key,
                                 const NeighbourIndex& index);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_NEIGHBOUR_NEIGHBOUR_INDEX_H_
