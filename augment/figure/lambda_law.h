#ifndef MIXFEED_AUGMENT_FIGURE_LAMBDA_LAW_H_
#define MIXFEED_AUGMENT_FIGURE_LAMBDA_LAW_H_

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "augment/recipe/recipe.h"

namespace mixfeed {

// `count` lambdas as the recipe draws them, before its floor: what a row that is mixed keeps of
// itself, by the recipe's law, by its boxes (on images of 32 x 32), or by the Dirichlet weights of
// more than two sources. Draw i is a pure function of (recipe.mix, seed, i). The recipe is valid
// and mixes.
std::vector<double> SampleLambdas(const Recipe& recipe, uint64_t seed, int count);

// max(lambda, 1 - lambda) of each.
std::vector<double> LargerShares(std::vector<double> lambdas);

// Whether every lambda is the same, and none is a box's.
bool IsFixed(const Recipe& recipe);
// Whether some lambdas are those of boxes.
bool HasBoxes(const Recipe& recipe);

using Density = std::function<double(double)>;

// The largest weight of each of SampleLambdas' rows: LargerShares of two sources, else the largest
// of the Dirichlet weights.
std::vector<double> SampleLargest(const Recipe& recipe, uint64_t seed, int count);

// The exact density of what SampleLambdas draws, on 0 < lambda < 1. Empty for a law that has none
// or none in closed form: a fixed lambda, and boxes, whose lambda is their real area's.
std::optional<Density> LambdaDensity(const Recipe& recipe);

// Of max(lambda, 1 - lambda).
Density FoldedDensity(Density density);

// The law in a few words, such as "Beta(0.75, 0.75)".
std::string LambdaLawText(const Recipe& recipe);

inline constexpr std::array<double, 5> kLambdaQuantiles = {0.05, 0.25, 0.5, 0.75, 0.95};

struct LambdaSummary {
  double mean = 0;
  double mean_larger = 0;  // of max(lambda, 1 - lambda)
  // The sample's smallest value that kLambdaQuantiles' share of it does not exceed.
  std::array<double, kLambdaQuantiles.size()> quantiles = {};
};

// Of at least one draw.
LambdaSummary Summarise(std::vector<double> lambdas);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_LAMBDA_LAW_H_
