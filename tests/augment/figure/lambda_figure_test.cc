#include "augment/figure/lambda_figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <variant>

#include "augment/recipe/presets.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;

Recipe BetaRecipe(double alpha, double beta) {
  Recipe recipe;
  recipe.mix.enabled = true;
  recipe.mix.alpha = alpha;
  recipe.mix.beta = beta;
  return recipe;
}

TEST(LambdaFigureTest, TheHistogramHasAreaOne) {
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
TEST(LambdaFigureTest, ExtremeShapesCanBeDrawn) {
  for (const double shape : {kMinBetaShape, kMaxBetaShape}) {
    EXPECT_TRUE(DrawFigure(MakeLambdaFigure(BetaRecipe(shape, shape), 1, 1000).figure).ok());
  }
}

TEST(LambdaFigureTest, TheLawOfEveryPresetThatMixesCanBeDrawn) {
  std::set<std::string> laws;
  for (const Preset& preset : Presets()) {
    const Recipe recipe = preset.make();
    if (!recipe.mix.enabled || !laws.insert(LambdaLawText(recipe)).second) continue;
    EXPECT_TRUE(DrawFigure(MakeLambdaFigure(recipe, 1, 200).figure).ok()) << preset.name;
  }
  EXPECT_GE(laws.size(), 2u);
}

TEST(LambdaFigureTest, SaysWhichPanelTheRecipeTakes) {
  Recipe recipe = BetaRecipe(1, 1);
  recipe.preset = "mine";
  EXPECT_THAT(MakeLambdaFigure(recipe, 7, 10).figure.subtitle,
              HasSubstr("10 draws, seed 7; the recipe takes max(lambda, 1 - lambda)"));
  recipe.mix.lambda_floor = false;
  const Figure figure = MakeLambdaFigure(recipe, 7, 10).figure;
  EXPECT_THAT(figure.subtitle, HasSubstr("lambda as drawn"));
  EXPECT_EQ(figure.title, "mine: lambda of Beta(1, 1)");
}

}  // namespace
}  // namespace mixfeed
