#ifndef MIXFEED_AUGMENT_FIGURE_LAMBDA_FIGURE_H_
#define MIXFEED_AUGMENT_FIGURE_LAMBDA_FIGURE_H_

#include <cstdint>
#include <string>

#include "augment/figure/chart.h"
#include "augment/figure/lambda_law.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

struct LambdaFigure {
  Figure figure = {};
  LambdaSummary drawn;    // of lambda; its mean_larger is the mean of `floored`
  LambdaSummary floored;  // of the row's largest weight
  std::string largest;    // how that is called: "max(lambda, 1 - lambda)", "largest of 3 weights"
};

// Two panels, of lambda as drawn and of the row's largest weight, which is max(lambda, 1 - lambda)
// of two sources: a histogram of `count` draws (>= 1, as SampleLambdas), the exact density over it
// where there is one, and a line at the mean. Of a fixed lambda one line each.
LambdaFigure MakeLambdaFigure(const Recipe& recipe, uint64_t seed, int count);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_LAMBDA_FIGURE_H_
