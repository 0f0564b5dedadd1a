#ifndef MIXFEED_CLIENT_LOOK_VICINITY_H_
#define MIXFEED_CLIENT_LOOK_VICINITY_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/figure/vicinity_figure.h"
#include "client/look/look.h"

namespace mixfeed {

// What is drawn, as people say it.
struct VicinityWish {
  std::string shape = "moons";  // a name of ToyShape
  double noise = VicinityFigureOptions().noise;
  std::optional<int> points = {};  // default 300, or 10,000 where `labelled` is given
  // How many of the points have labels: "few" (20), "many" (1000), "all" or a whole number; empty:
  // all.
  std::string labelled = {};
  std::vector<std::string> rules =
      {};                         // names of VicinityRule; repeated ones count once; none: all
  VicinityOptions vicinity = {};  // rule and labelled are not read
};

// What is wrong with a VicinityWish::labelled, or nothing. How many points there are is known
// later.
std::string CheckLabelled(const std::string& text);

// InvalidArgument names a shape, rule or labelled that there is not.
absl::StatusOr<VicinityFigureOptions> OptionsOf(const VicinityWish& wish);

// What rules of mixing make of a toy set, with a figure: `mixfeed vicinity`. `begin` is told each
// rule before it is drawn. InvalidArgument names the field.
absl::StatusOr<Look> LookAtVicinity(const VicinityFigureOptions& options,
                                    const std::function<void(const char* rule)>& begin);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_VICINITY_H_
