#include "augment/figure/lambda_figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

// The line leaves the frame where the bars at the ends do.
TEST(LambdaFigureTest, TheDensityRisesAsHighAsTheBarsDo) {
  const LambdaFigure made = MakeLambdaFigure(BetaRecipe(0.01, 0.01), 1, 10000);
  for (const Panel& panel : made.figure.panels) {
    const auto& points = std::get<Curve>(panel.marks.at(1)).points;
    EXPECT_GT(points.back().y, panel.y.high);
    EXPECT_TRUE(std::is_sorted(points.begin(), points.end(),
                               [](const auto& a, const auto& b) { return a.x < b.x; }));
  }
}

TEST(LambdaFigureTest, AFixedLambdaIsOneLabelledLine) {
  Recipe recipe = BetaRecipe(1, 1);
  recipe.preset = "mine";
  recipe.mix.lambda_law = LambdaLaw::kUniform;
  recipe.mix.lambda_low = recipe.mix.lambda_high = 0.3;
  const Figure figure = MakeLambdaFigure(recipe, 1, 100).figure;
  EXPECT_EQ(figure.title, "mine: lambda = 0.3");
  ASSERT_EQ(figure.panels[0].marks.size(), 2u);
  EXPECT_EQ(std::get<Curve>(figure.panels[0].marks[0]).points[1].x, 0.3);
  EXPECT_EQ(std::get<Note>(figure.panels[0].marks[1]).text, "0.3");
  EXPECT_EQ(std::get<Note>(figure.panels[1].marks[1]).text, "0.7");
}

TEST(LambdaFigureTest, ThePanelThatIsNotUsedSaysSo) {
  Recipe recipe = BetaRecipe(1, 1);
  EXPECT_EQ(MakeLambdaFigure(recipe, 1, 100).figure.panels[1].title, "max(lambda, 1 - lambda)");
  recipe.mix.lambda_floor = false;
  const Panel panel = MakeLambdaFigure(recipe, 1, 100).figure.panels[1];
  EXPECT_EQ(panel.title, "max(lambda, 1 - lambda), not used by the recipe");
  EXPECT_EQ(panel.x.label, "max(lambda, 1 - lambda)");
}

TEST(LambdaFigureTest, SaysWhyBoxesHaveTeeth) {
  Recipe recipe = BetaRecipe(1, 1);
  EXPECT_EQ(MakeLambdaFigure(recipe, 1, 100).figure.remark, "");
  recipe.mix.cutmix.probability = 1;
  EXPECT_THAT(MakeLambdaFigure(recipe, 1, 100).figure.remark, HasSubstr("hence the teeth"));
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
