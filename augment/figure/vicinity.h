#ifndef MIXFEED_AUGMENT_FIGURE_VICINITY_H_
#define MIXFEED_AUGMENT_FIGURE_VICINITY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/figure/divergence.h"
#include "augment/figure/toy_data.h"

namespace mixfeed {

// How a labelled point of a toy set is augmented, as the recipes augment images: with
//   point' = lambda * point + (1 - lambda) * partner
// and, unless said otherwise, a label mixed alike, lambda ~ Beta(alpha, alpha) and a labelled
// partner. The density of what comes out is the vicinal distribution that a model is trained on
// (Chapelle et al. 2000; Zhang et al. 2018, section 2).
enum class VicinityRule : uint8_t {
  kNone,       // the point itself
  kMixup,      // any partner
  kSameClass,  // a partner of the point's class
  kNearest,    // one of the k nearest other points
  // Any partner, labelled or not; lambda ~ Beta(alpha + 1, alpha) and the point's own label. Equals
  // kMixup in expectation for a loss that is linear in the label, such as the cross-entropy
  // (Huszar 2017, "mixup: Data-Dependent Data Augmentation", inference.vc).
  kLabelPreserving,
};

// "none", "mixup", "same-class", "k-nearest", "label-preserving".
std::span<const char* const> NamesOf(VicinityRule);

inline constexpr double kMinAlpha = 0.01;
inline constexpr double kMaxAlpha = 100;

struct VicinityOptions {
  VicinityRule rule = VicinityRule::kMixup;
  double alpha = 1;  // kMinAlpha..kMaxAlpha
  // A pair's alpha is alpha * exp(-distance / distance_scale), at least kMinAlpha: points that are
  // far apart are hardly mixed. 0: all pairs have the same. From 0 up, finite.
  double distance_scale = 0;
  int neighbours = 10;  // k of kNearest, 1..labelled - 1
  int labelled = 0;     // the first so many points, 1..points; the others are unlabelled
  std::optional<int> point =
      {};  // only this point's vicinity, 0..labelled - 1; empty: of all alike
  uint64_t seed = 0;
  int draws = 60000;  // 1..10,000,000
};

// Augmented points, of each labelled point in turn. Draw i is a pure function of (points, options
// but draws, i), the same bits on every machine; rules share their random numbers, so that two of
// them differ by their rule only. kNearest compares all pairs of labelled points. Errors:
// InvalidArgument, naming the field.
absl::StatusOr<std::vector<SoftPoint>> DrawVicinity(std::span<const ToyPoint> points,
                                                    const VicinityOptions& options);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_VICINITY_H_
