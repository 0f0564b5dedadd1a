#ifndef MIXFEED_CLIENT_LOOK_LOOK_H_
#define MIXFEED_CLIENT_LOOK_LOOK_H_

#include <optional>
#include <string>
#include <vector>

#include "augment/figure/chart.h"
#include "client/look/json.h"

namespace mixfeed {

// What is shown of something, alike by the CLI and by the Python package.
struct Look {
  std::string text = {};                // for people; ends with a newline
  Json json = {};                       // the same for scripts: what --json prints
  std::optional<Figure> figure = {};    // of what can be drawn
  std::vector<std::string> notes = {};  // what was given without effect, each a line
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_LOOK_H_
