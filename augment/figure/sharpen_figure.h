#ifndef MIXFEED_AUGMENT_FIGURE_SHARPEN_FIGURE_H_
#define MIXFEED_AUGMENT_FIGURE_SHARPEN_FIGURE_H_

#include <span>
#include <vector>

#include "augment/figure/chart.h"

namespace mixfeed {

// Shannon's entropy in bits of probabilities that sum to 1; 0 log 0 is 0.
double EntropyBits(std::span<const float> probabilities);

// A guess as an example: `classes` (>= 1) probabilities that fall as 1, 1/2, 1/3, ...
std::vector<float> ExampleGuess(int classes);

struct Sharpened {
  double temperature = 1;
  std::vector<float> probabilities;
  double entropy_bits = 0;
};

// What Sharpen (augment/target/target.h) makes of a guess at each temperature (0.01..100).
std::vector<Sharpened> SharpenAt(std::span<const float> guess,
                                 std::span<const double> temperatures);

// One panel a temperature: the guess' bars, and the sharpened ones over them.
Figure MakeSharpenFigure(std::span<const float> guess, std::span<const Sharpened> sharpened);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_SHARPEN_FIGURE_H_
