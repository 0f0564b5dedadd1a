#include "augment/figure/guess_figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <variant>
#include <vector>

namespace mixfeed {
namespace {

using ::testing::ElementsAre;

GuessPicture MakePicture() {
  GuessPicture picture{.title = "run a",
                       .subtitle = "feed b",
                       .newest = "9 images, update 20",
                       .class_names = {"cat", "dog"},
                       .class_mean = {0.75, 0.25},
                       .prior = {0.5, 0.5},
                       .confidence = {0, 0.25, 0.25, 0.5}};
  picture.points.push_back({.update = 10, .confidence = 0.5, .prior_distance = 0.4});
  picture.points.push_back({.update = 20,
                            .confidence = 0.6,
                            .agreement = 0.7,
                            .accuracy = 0.8,
                            .validation_accuracy = 0.9,
                            .calibration_error = 0.1,
                            .drift = 0.2,
                            .prior_distance = 0.3});
  return picture;
}

std::vector<std::string> CurvesOf(const Panel& panel) {
  std::vector<std::string> labels;
  for (const Mark& mark : panel.marks) {
    if (const auto* curve = std::get_if<Curve>(&mark)) labels.push_back(curve->label);
  }
  return labels;
}

const Curve& CurveOf(const Panel& panel, const std::string& label) {
  for (const Mark& mark : panel.marks) {
    const auto* curve = std::get_if<Curve>(&mark);
    if (curve != nullptr && curve->label == label) return *curve;
  }
  static const Curve none;
  ADD_FAILURE() << "no curve " << label;
  return none;
}

TEST(GuessFigureTest, ACurveHasThePointsAtWhichItsQuantityIsKnown) {
  const Figure figure = MakeGuessFigure(MakePicture());
  ASSERT_EQ(figure.panels.size(), 4u);
  const Panel& shares = figure.panels[0];
  EXPECT_THAT(CurveOf(shares, "confidence").points,
              ElementsAre(ChartPoint{10, 0.5}, ChartPoint{20, 0.6}));
  EXPECT_THAT(CurveOf(shares, "agreement of the views").points, ElementsAre(ChartPoint{20, 0.7}));
  EXPECT_THAT(CurveOf(shares, "accuracy (hidden labels)").points, ElementsAre(ChartPoint{20, 0.8}));
  EXPECT_THAT(CurveOf(shares, "accuracy (validation)").points, ElementsAre(ChartPoint{20, 0.9}));
  const Panel& distances = figure.panels[1];
  EXPECT_THAT(CurveOf(distances, "calibration error").points, ElementsAre(ChartPoint{20, 0.1}));
  EXPECT_THAT(CurveOf(distances, "drift").points, ElementsAre(ChartPoint{20, 0.2}));
  EXPECT_THAT(CurveOf(distances, "distance from the labelled classes").points,
              ElementsAre(ChartPoint{10, 0.4}, ChartPoint{20, 0.3}));
  EXPECT_GT(distances.y.high, 0.4);
}

TEST(GuessFigureTest, WhatIsNeverKnownIsNotInTheLegend) {
  GuessPicture picture = MakePicture();
  picture.points.pop_back();
  const Figure figure = MakeGuessFigure(picture);
  EXPECT_THAT(CurvesOf(figure.panels[0]), ElementsAre("confidence"));
  EXPECT_THAT(CurvesOf(figure.panels[1]), ElementsAre("distance from the labelled classes"));
}

TEST(GuessFigureTest, CurvesHaveInksOfTheirOwn) {
  std::set<std::vector<int>> inks;
  size_t curves = 0;
  const Figure figure = MakeGuessFigure(MakePicture());
  for (const Panel& panel : figure.panels) {
    for (const std::string& label : CurvesOf(panel)) {
      const Rgb& colour = CurveOf(panel, label).ink.colour;
      inks.insert({colour.red, colour.green, colour.blue});
      ++curves;
    }
  }
  EXPECT_EQ(curves, 7u);
  EXPECT_EQ(inks.size(), curves);
}

TEST(GuessFigureTest, BarsAreThePriorTheGuessesAndTheirConfidence) {
  const Figure figure = MakeGuessFigure(MakePicture());
  const auto& prior = std::get<Bars>(figure.panels[2].marks.at(0));
  const auto& guesses = std::get<Bars>(figure.panels[2].marks.at(1));
  EXPECT_EQ(prior.bars.at(1).height, 0.5);
  EXPECT_EQ(guesses.bars.at(0).height, 0.75);
  EXPECT_GT(guesses.bars.at(0).low, prior.bars.at(0).low);  // the prior shows beside it
  EXPECT_GT(figure.panels[2].y.high, 0.75);
  const auto& confidence = std::get<Bars>(figure.panels[3].marks.at(0));
  ASSERT_EQ(confidence.bars.size(), 4u);
  EXPECT_EQ(confidence.bars[3].low, 0.75);
  EXPECT_EQ(confidence.bars[3].high, 1);
  EXPECT_EQ(confidence.bars[3].height, 0.5);
}

TEST(GuessFigureTest, NamesFewClassesAndNotMany) {
  GuessPicture picture = MakePicture();
  EXPECT_EQ(MakeGuessFigure(picture).remark, "classes: 0 cat, 1 dog");
  picture.class_names.assign(100, "thing");
  EXPECT_EQ(MakeGuessFigure(picture).remark, "");
}

TEST(GuessFigureTest, CanBeDrawnWithOnePointAndWithMany) {
  GuessPicture picture = MakePicture();
  EXPECT_TRUE(DrawFigure(MakeGuessFigure(picture)).ok());
  picture.points.resize(1);
  EXPECT_TRUE(DrawFigure(MakeGuessFigure(picture)).ok());
  picture.points = {{.update = 20, .confidence = 1}, {.update = 10, .confidence = 1}};
  EXPECT_TRUE(DrawFigure(MakeGuessFigure(picture)).ok());  // of a trainer that went back
  picture.points.assign(64, {.update = 5, .confidence = 1, .prior_distance = 0});
  EXPECT_TRUE(DrawFigure(MakeGuessFigure(picture)).ok());
}

}  // namespace
}  // namespace mixfeed
