#include "augment/figure/lambda_law.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
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
  Density density = *LambdaDensity(recipe);
  if (floor) density = FoldedDensity(density);
  double sum = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double theta = (i + 0.5) / kSteps * M_PI / 2;
    const double x = std::pow(std::sin(theta), 2);
    sum += f(x) * density(x) * std::sin(2 * theta) * M_PI / 2 / kSteps;
  }
  return sum;
}

TEST(LambdaLawTest, DrawsFollowTheRecipesBeta) {
  EXPECT_LT(KsDistance(SampleLambdas(BetaRecipe(0.5, 0.5), 1, 20000), Arcsine, 1), kMaxKsDistance);
}

TEST(LambdaLawTest, TheRecipesFloorIsLeftToLargerShares) {
  const std::vector<double> drawn = SampleLambdas(BetaRecipe(0.5, 0.5, /*floor=*/true), 1, 5000);
  EXPECT_EQ(drawn, SampleLambdas(BetaRecipe(0.5, 0.5, /*floor=*/false), 1, 5000));
  EXPECT_LT(*std::min_element(drawn.begin(), drawn.end()), 0.1);
  EXPECT_THAT(LargerShares({0.25, 0.5, 1}), ::testing::ElementsAre(0.75, 0.5, 1));
}

TEST(LambdaLawTest, TheFirstDrawsDoNotDependOnTheirNumber) {
  const std::vector<double> few = SampleLambdas(BetaRecipe(1, 2), 7, 4097);
  std::vector<double> many = SampleLambdas(BetaRecipe(1, 2), 7, 10000);
  many.resize(few.size());
  EXPECT_EQ(few, many);
  EXPECT_NE(few, SampleLambdas(BetaRecipe(1, 2), 8, 4097));
}

TEST(LambdaLawTest, DensityIsTheTextbooks) {
  const auto two_three = LambdaDensity(BetaRecipe(2, 3));
  ASSERT_TRUE(two_three.has_value());
  const Density folded = FoldedDensity(*two_three);
  for (const double x : {0.1, 0.5, 0.75}) {
    EXPECT_NEAR((*two_three)(x), 12 * x * (1 - x) * (1 - x), 1e-12);
  }
  EXPECT_NEAR(folded(0.75), 12 * 0.75 * 0.25, 1e-12);  // both of 0.75 and 0.25
  EXPECT_EQ(folded(0.49), 0);
}

TEST(LambdaLawTest, TheSizeBiasedLawIsTwiceLambdaTimesTheOther) {
  Recipe recipe = BetaRecipe(2, 2);
  const auto plain = LambdaDensity(recipe);
  recipe.mix.lambda_law = LambdaLaw::kSizeBiasedBeta;
  const auto biased = LambdaDensity(recipe);
  ASSERT_TRUE(plain.has_value() && biased.has_value());
  for (const double x : {0.1, 0.5, 0.9}) EXPECT_NEAR((*biased)(x), 2 * x * (*plain)(x), 1e-12);
  // Of alpha 1 it is 2 lambda.
  recipe.mix.alpha = 1;
  const auto drawn = SampleLambdas(recipe, 1, 20000);
  EXPECT_LT(KsDistance(
                drawn, [](double x) { return x * x; }, 1),
            kMaxKsDistance);
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
  const auto density = LambdaDensity(UniformRecipe(0.2, 0.7));
  ASSERT_TRUE(density.has_value());
  EXPECT_EQ((*density)(0.19), 0);
  EXPECT_NEAR((*density)(0.5), 2, 1e-12);
  EXPECT_EQ((*density)(0.71), 0);
  const auto drawn = SampleLambdas(UniformRecipe(0.2, 0.7), 1, 20000);
  EXPECT_LT(KsDistance(
                drawn, [](double x) { return (x - 0.2) / 0.5; }, 1),
            kMaxKsDistance);
}

TEST(LambdaLawTest, AFixedLambdaHasNoDensity) {
  const Recipe recipe = UniformRecipe(0.3, 0.3);
  EXPECT_FALSE(LambdaDensity(recipe).has_value());
  EXPECT_THAT(SampleLambdas(recipe, 1, 100), Each(0.3));
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

// Of three weights each is 1/3 on average, and Beta(1, 2) when the Dirichlet law is uniform.
TEST(LambdaLawTest, MoreThanTwoSourcesHaveDirichletWeights) {
  Recipe recipe = BetaRecipe(1, 1);
  recipe.mix.sources = 3;
  const auto law = [](double x) { return 1 - (1 - x) * (1 - x); };
  EXPECT_LT(KsDistance(SampleLambdas(recipe, 1, 20000), law, 1), kMaxKsDistance);
  EXPECT_NEAR((*LambdaDensity(recipe))(0.25), 2 * 0.75, 1e-12);
  EXPECT_EQ(LambdaLawText(recipe), "Dirichlet(1), 3 sources");
}

// CutMix's lambda is 1 - the box's area after clipping: with alpha 1 on 32 x 32 the area is 0.30 on
// average, of a nominal 0.5.
TEST(LambdaLawTest, BoxesHaveTheirRealArea) {
  Recipe recipe = BetaRecipe(1, 1);
  recipe.mix.cutmix.probability = 1;
  EXPECT_NEAR(Summarise(SampleLambdas(recipe, 1, 20000)).mean, 0.70, 0.01);
  EXPECT_FALSE(LambdaDensity(recipe).has_value());
  EXPECT_EQ(LambdaLawText(recipe), "boxes of Beta(1, 1)");
  recipe.mix.cutmix.box = BoxRule::kMinMax;
  EXPECT_EQ(LambdaLawText(recipe), "boxes of sides 0.2..0.8");
}

TEST(LambdaLawTest, BoxesAndBlendsAreDrawnByTheirProbability) {
  Recipe recipe = UniformRecipe(0.123, 0.123);
  recipe.mix.cutmix.probability = 0.25;
  const std::vector<double> drawn = SampleLambdas(recipe, 1, 20000);
  const auto blends = std::count(drawn.begin(), drawn.end(), 0.123);
  EXPECT_TRUE(testing::LooksLikeRate(blends, 20000, 0.75));
  EXPECT_EQ(LambdaLawText(recipe), "always 0.123, or (0.25) boxes of Beta(1, 1)");
}

TEST(LambdaLawTest, LawsHaveTheirTexts) {
  EXPECT_EQ(LambdaLawText(BetaRecipe(0.75, 2)), "Beta(0.75, 2)");
  EXPECT_EQ(LambdaLawText(UniformRecipe(0.25, 0.5)), "uniform on 0.25..0.5");
  Recipe recipe = BetaRecipe(2, 9);
  recipe.mix.lambda_law = LambdaLaw::kSizeBiasedBeta;
  EXPECT_EQ(LambdaLawText(recipe), "Beta(3, 2)");
}

}  // namespace
}  // namespace mixfeed
