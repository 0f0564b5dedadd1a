#include "augment/figure/lambda_law.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <variant>
#include <vector>

#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

using ::testing::Each;
using testing::kMaxKsDistance;
using testing::KsDistance;

Recipe BetaRecipe(double alpha, double beta, bool floor = false) {
  Recipe recipe;
  recipe.preset = "test";
  recipe.mix.enabled = true;
  recipe.mix.alpha = alpha;
  recipe.mix.beta = beta;
  recipe.mix.lambda_floor = floor;
  return recipe;
}

Recipe UniformRecipe(double low, double high) {
  Recipe recipe = BetaRecipe(1, 1);
  recipe.mix.lambda_law = LambdaLaw::kUniform;
  recipe.mix.lambda_low = low;
  recipe.mix.lambda_high = high;
  return recipe;
}

double Arcsine(double x) { return 2 / M_PI * std::asin(std::sqrt(x)); }  // Beta(1/2, 1/2)

// The integral of f times the density, by the midpoint rule in theta, x = sin^2 theta, which takes
// the poles at the ends away.
double OverDensity(const Recipe& recipe, bool floor, const std::function<double(double)>& f) {
  constexpr int kSteps = 200000;
  const auto density = LambdaDensity(recipe, floor);
  double sum = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double theta = (i + 0.5) / kSteps * M_PI / 2;
    const double x = std::pow(std::sin(theta), 2);
    sum += f(x) * (*density)(x)*std::sin(2 * theta) * M_PI / 2 / kSteps;
  }
  return sum;
}

TEST(LambdaLawTest, DrawsFollowTheRecipesBeta) {
  EXPECT_LT(KsDistance(SampleLambdas(BetaRecipe(0.5, 0.5), false, 1, 20000), Arcsine, 1),
            kMaxKsDistance);
}

TEST(LambdaLawTest, TheFloorReplacesTheRecipesOwn) {
  for (const bool own : {false, true}) {
    const Recipe recipe = BetaRecipe(0.5, 0.5, own);
    std::vector<double> drawn = SampleLambdas(recipe, false, 1, 5000);
    EXPECT_LT(*std::min_element(drawn.begin(), drawn.end()), 0.1);
    for (double& lambda : drawn) lambda = std::max(lambda, 1 - lambda);
    EXPECT_EQ(SampleLambdas(recipe, true, 1, 5000), drawn);
  }
}

TEST(LambdaLawTest, TheFirstDrawsDoNotDependOnTheirNumber) {
  const std::vector<double> few = SampleLambdas(BetaRecipe(1, 2), false, 7, 4097);
  std::vector<double> many = SampleLambdas(BetaRecipe(1, 2), false, 7, 10000);
  many.resize(few.size());
  EXPECT_EQ(few, many);
  EXPECT_NE(few, SampleLambdas(BetaRecipe(1, 2), false, 8, 4097));
}

TEST(LambdaLawTest, DensityIsTheTextbooks) {
  const auto two_three = LambdaDensity(BetaRecipe(2, 3), false);
  const auto folded = LambdaDensity(BetaRecipe(2, 3), true);
  ASSERT_TRUE(two_three.has_value() && folded.has_value());
  for (const double x : {0.1, 0.5, 0.75}) {
    EXPECT_NEAR((*two_three)(x), 12 * x * (1 - x) * (1 - x), 1e-12);
  }
  EXPECT_NEAR((*folded)(0.75), 12 * 0.75 * 0.25, 1e-12);  // both of 0.75 and 0.25
  EXPECT_EQ((*folded)(0.49), 0);
}

// E[max(lambda, 1 - lambda)]: for alpha 1/2 it is 1/2 + 1/pi, for 1 it is 3/4, for 2 11/16;
// MixMatch's 3/4 has the published 0.778, of three digits.
TEST(LambdaLawTest, DensityHasTheExactMeanOfTheLargerShare) {
  const std::pair<double, double> cases[] = {
      {0.5, 0.5 + 1 / M_PI}, {1, 0.75}, {2, 0.6875}, {0.75, 0.778}};
  for (const auto& [alpha, mean] : cases) {
    const Recipe recipe = BetaRecipe(alpha, alpha);
    EXPECT_NEAR(OverDensity(recipe, false, [](double) { return 1; }), 1, 1e-4);
    EXPECT_NEAR(OverDensity(recipe, true, [](double x) { return x; }), mean, 5e-4) << alpha;
  }
}

TEST(LambdaLawTest, UniformHasItsBox) {
  const auto density = LambdaDensity(UniformRecipe(0.2, 0.7), false);
  ASSERT_TRUE(density.has_value());
  EXPECT_EQ((*density)(0.19), 0);
  EXPECT_NEAR((*density)(0.5), 2, 1e-12);
  EXPECT_EQ((*density)(0.71), 0);
  const auto drawn = SampleLambdas(UniformRecipe(0.2, 0.7), false, 1, 20000);
  EXPECT_LT(KsDistance(
                drawn, [](double x) { return (x - 0.2) / 0.5; }, 1),
            kMaxKsDistance);
}

TEST(LambdaLawTest, AFixedLambdaHasNoDensity) {
  const Recipe recipe = UniformRecipe(0.3, 0.3);
  EXPECT_FALSE(LambdaDensity(recipe, false).has_value());
  EXPECT_THAT(SampleLambdas(recipe, false, 1, 100), Each(0.3));
  EXPECT_TRUE(DrawFigure(MakeLambdaFigure(recipe, 1, 100).figure).ok());
}

TEST(LambdaLawTest, SummaryOfTwentyKnownValues) {
  std::vector<double> values;
  for (int i = 20; i >= 1; --i) values.push_back(i / 20.0);
  const LambdaSummary summary = Summarise(values);
  EXPECT_NEAR(summary.mean, 0.525, 1e-12);
  // 0.5, 0.55, ..., 1 once, and 0.55, ..., 0.95 again from the lower half.
  EXPECT_NEAR(summary.mean_larger, (8.25 + 6.75) / 20, 1e-12);
  EXPECT_THAT(summary.quantiles, ::testing::ElementsAre(0.05, 0.25, 0.5, 0.75, 0.95));
}

TEST(LambdaLawTest, SummaryOfOneValue) {
  const LambdaSummary summary = Summarise({0.25});
  EXPECT_EQ(summary.mean, 0.25);
  EXPECT_EQ(summary.mean_larger, 0.75);
  EXPECT_THAT(summary.quantiles, Each(0.25));
}

TEST(LambdaLawTest, TheHistogramHasAreaOne) {
  const LambdaFigure made = MakeLambdaFigure(BetaRecipe(0.5, 0.5), 1, 10000);
  ASSERT_EQ(made.figure.panels.size(), 2u);
  for (const Panel& panel : made.figure.panels) {
    double area = 0;
    for (const Bar& bar : std::get<Bars>(panel.marks.at(0)).bars) {
      area += (bar.high - bar.low) * bar.height;
      EXPECT_LT(bar.height, panel.y.high);
    }
    EXPECT_NEAR(area, 1, 1e-9);
  }
  EXPECT_NEAR(made.drawn.mean, 0.5, 0.02);
  EXPECT_NEAR(made.drawn.mean_larger, made.floored.mean, 1e-12);
}

// The ends of the shapes: all lambdas in the first and last cell, and all in the middle.
TEST(LambdaLawTest, ExtremeShapesCanBeDrawn) {
  for (const double shape : {kMinBetaShape, kMaxBetaShape}) {
    EXPECT_TRUE(DrawFigure(MakeLambdaFigure(BetaRecipe(shape, shape), 1, 1000).figure).ok());
  }
}

}  // namespace
}  // namespace mixfeed
