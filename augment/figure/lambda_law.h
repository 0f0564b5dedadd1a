#ifndef MIXFEED_AUGMENT_FIGURE_LAMBDA_LAW_H_
#define MIXFEED_AUGMENT_FIGURE_LAMBDA_LAW_H_

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "augment/figure/chart.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// `count` lambdas as the recipe draws them for its blends, `floor` in place of its own
// lambda_floor. Draw i is a pure function of (recipe.mix, floor, seed, i). The recipe is valid and
// mixes.
std::vector<double> SampleLambdas(const Recipe& recipe, bool floor, uint64_t seed, int count);

// The exact density of what SampleLambdas draws, on 0 < lambda < 1. Empty for a law that has none
// (a fixed lambda).
std::optional<std::function<double(double)>> LambdaDensity(const Recipe& recipe, bool floor);

inline constexpr std::array<double, 5> kLambdaQuantiles = {0.05, 0.25, 0.5, 0.75, 0.95};

struct LambdaSummary {
  double mean = 0;
  double mean_larger = 0;  // of max(lambda, 1 - lambda), the share of a blend's stronger source
  // The sample's smallest value that kLambdaQuantiles' share of it does not exceed.
  std::array<double, kLambdaQuantiles.size()> quantiles = {};
};

// Of at least one draw.
LambdaSummary Summarise(std::vector<double> lambdas);

struct LambdaFigure {
  Figure figure;
  LambdaSummary drawn;    // without the floor
  LambdaSummary floored;  // with it
};

// Two panels, without and with lambda <- max(lambda, 1 - lambda): a histogram of `count` draws, the
// exact density over it, the mean as a line.
LambdaFigure MakeLambdaFigure(const Recipe& recipe, uint64_t seed, int count);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_LAMBDA_LAW_H_
