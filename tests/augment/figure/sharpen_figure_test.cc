#include "augment/figure/sharpen_figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <variant>
#include <vector>

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

TEST(SharpenFigureTest, EntropyIsInBits) {
  EXPECT_NEAR(EntropyBits(std::vector<float>{0.5, 0.25, 0.125, 0.125}), 1.75, 1e-12);
  EXPECT_EQ(EntropyBits(std::vector<float>{1, 0, 0}), 0);
  EXPECT_NEAR(EntropyBits(std::vector<float>(8, 0.125f)), 3, 1e-12);
}

TEST(SharpenFigureTest, TheExampleFallsHarmonically) {
  EXPECT_THAT(ExampleGuess(3), ElementsAre(FloatNear(6.0f / 11, 1e-6f), FloatNear(3.0f / 11, 1e-6f),
                                           FloatNear(2.0f / 11, 1e-6f)));
  EXPECT_THAT(ExampleGuess(1), ElementsAre(1.0f));
}

TEST(SharpenFigureTest, SharpensAtEachTemperature) {
  const std::vector<float> guess = {0.6f, 0.3f, 0.1f};
  const std::vector<Sharpened> sharpened = SharpenAt(guess, std::vector<double>{1, 0.5});
  ASSERT_EQ(sharpened.size(), 2u);
  EXPECT_THAT(sharpened[0].probabilities,
              ElementsAre(FloatNear(0.6f, 1e-6f), FloatNear(0.3f, 1e-6f), FloatNear(0.1f, 1e-6f)));
  // Squares 36 : 9 : 1.
  EXPECT_THAT(sharpened[1].probabilities,
              ElementsAre(FloatNear(36.0f / 46, 1e-6f), FloatNear(9.0f / 46, 1e-6f),
                          FloatNear(1.0f / 46, 1e-6f)));
  EXPECT_NEAR(sharpened[0].entropy_bits, 1.2954618, 1e-6);
  EXPECT_LT(sharpened[1].entropy_bits, sharpened[0].entropy_bits);
}

TEST(SharpenFigureTest, APanelHasTheGuessAndTheSharpenedBars) {
  const std::vector<float> guess = {0.6f, 0.4f};
  const std::vector<Sharpened> sharpened = {{0.5, {0.7f, 0.3f}, 0.88}};
  const Figure figure = MakeSharpenFigure(guess, sharpened);
  ASSERT_EQ(figure.panels.size(), 1u);
  EXPECT_EQ(figure.panels[0].title, "T = 0.5");
  EXPECT_EQ(figure.panels[0].subtitle, "entropy 0.88 bits");
  const auto& marks = figure.panels[0].marks;
  ASSERT_EQ(marks.size(), 4u);
  EXPECT_FLOAT_EQ(static_cast<float>(std::get<Bars>(marks[0]).bars[1].height), 0.4f);
  EXPECT_FLOAT_EQ(static_cast<float>(std::get<Bars>(marks[1]).bars[1].height), 0.3f);
  EXPECT_EQ(std::get<Note>(marks[3]).text, "0.30");
  EXPECT_TRUE(DrawFigure(figure).ok());
}

TEST(SharpenFigureTest, EveryOneOfTenClassesHasATick) {
  const std::vector<float> guess = ExampleGuess(10);
  const Figure figure = MakeSharpenFigure(guess, SharpenAt(guess, std::vector<double>{0.5}));
  EXPECT_EQ(figure.panels[0].x.step, 1);
  EXPECT_EQ(figure.panels[0].y.step, 0.2);
  EXPECT_EQ(figure.panels[0].y.label, "probability");
}

TEST(SharpenFigureTest, ManyClassesHaveWidePanelsWithoutNumbers) {
  const std::vector<float> guess = ExampleGuess(100);
  const std::vector<double> temperatures(16, 0.5);
  const Figure figure = MakeSharpenFigure(guess, SharpenAt(guess, temperatures));
  EXPECT_EQ(figure.columns, 2);
  EXPECT_EQ(figure.panels[0].marks.size(), 2u);
  EXPECT_TRUE(DrawFigure(figure).ok());
}

}  // namespace
}  // namespace mixfeed
