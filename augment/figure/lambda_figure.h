#ifndef MIXFEED_AUGMENT_FIGURE_LAMBDA_FIGURE_H_
#define MIXFEED_AUGMENT_FIGURE_LAMBDA_FIGURE_H_

#include <cstdint>

#include "augment/figure/chart.h"
#include "augment/figure/lambda_law.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

struct LambdaFigure {
  Figure figure = {};
  LambdaSummary drawn;    // of lambda
  LambdaSummary floored;  // of max(lambda, 1 - lambda)
};

// Two panels, of lambda as drawn and of max(lambda, 1 - lambda): a histogram of `count` draws (>=
// 1, as SampleLambdas), the exact density over it where there is one, and a line at the mean.
LambdaFigure MakeLambdaFigure(const Recipe& recipe, uint64_t seed, int count);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_LAMBDA_FIGURE_H_
