#ifndef MIXFEED_AUGMENT_FIGURE_VICINITY_FIGURE_H_
#define MIXFEED_AUGMENT_FIGURE_VICINITY_FIGURE_H_

#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/figure/chart.h"
#include "augment/figure/divergence.h"
#include "augment/figure/toy_data.h"
#include "augment/figure/vicinity.h"

namespace mixfeed {

inline constexpr int kMinToyPoints = 2;
inline constexpr int kMaxToyPoints = 10000;
inline constexpr double kMaxToyNoise = 1;
inline constexpr size_t kMaxRules = 16;

// What to think of a divergence that is not 0.
inline constexpr char kWhyMix[] =
    "Mixing leaves the truth on purpose: models then change evenly between the points.";

struct VicinityFigureOptions {
  ToyShape shape = ToyShape::kMoons;
  double noise = 0.12;  // 0..kMaxToyNoise
  int points = 300;     // of the toy set, kMinToyPoints..kMaxToyPoints
  // One panel each; 1..kMaxRules.
  std::vector<VicinityRule> rules = {VicinityRule::kNone, VicinityRule::kMixup,
                                     VicinityRule::kSameClass, VicinityRule::kNearest,
                                     VicinityRule::kLabelPreserving};
  VicinityOptions vicinity;  // its rule is not read
};

struct VicinityFigure {
  Figure figure;
  // Of each rule's points from the true distribution (100,000 fresh points of it, bandwidth 0.1);
  // empty when the options name a single point.
  std::vector<std::optional<Divergences>> divergences;
};

// What rules of mixing make of a toy set, a panel a rule: the set's points in their classes'
// colours, over the density of the augmented points in the colour of their soft labels. A last
// panel has the true density. The scale is the same in all. `begin` is called before each panel
// with its rule's name. Errors: InvalidArgument, naming the field.
absl::StatusOr<VicinityFigure> MakeVicinityFigure(
    const VicinityFigureOptions& options, const std::function<void(const char* rule)>& begin);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_VICINITY_FIGURE_H_
