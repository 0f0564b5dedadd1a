#ifndef MIXFEED_AUGMENT_FIGURE_TICKS_H_
#define MIXFEED_AUGMENT_FIGURE_TICKS_H_

#include <string>
#include <vector>

namespace mixfeed {

struct Tick {
  double value = 0;
  std::string text;
};

// The marks of an axis from `low` to `high` (low < high, finite): multiples of 1, 2 or 5 times a
// power of ten, in the densest such step that has at most `most` (>= 2) of them; ends included. All
// texts have the decimals of the step.
std::vector<Tick> NiceTicks(double low, double high, int most);

// The multiples of `step` (> 0, of one digit) from `low` to `high`.
std::vector<Tick> EvenTicks(double low, double high, double step);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_TICKS_H_
