#include "augment/figure/vicinity_figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

VicinityFigureOptions Small() {
  VicinityFigureOptions options;
  options.points = 60;
  options.vicinity.labelled = 60;
  options.vicinity.draws = 20000;
  return options;
}

absl::StatusOr<VicinityFigure> Make(const VicinityFigureOptions& options) {
  return MakeVicinityFigure(options, [](const char*) {});
}

TEST(VicinityFigureTest, HasAPanelForEachRuleAndTheTruth) {
  std::vector<std::string> begun;
  const auto made =
      MakeVicinityFigure(Small(), [&](const char* rule) { begun.emplace_back(rule); });
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(begun, ElementsAre("none", "mixup", "same-class", "k-nearest", "label-preserving"));
  std::vector<std::string> titles;
  for (const Panel& panel : made->figure.panels) titles.push_back(panel.title);
  EXPECT_THAT(titles, ElementsAre("none", "mixup", "same-class", "k-nearest", "label-preserving",
                                  "the truth"));
  EXPECT_EQ(made->figure.columns, 3);
  EXPECT_TRUE(DrawFigure(made->figure).ok());
}

TEST(VicinityFigureTest, ItsDivergencesAreNumbersOfBits) {
  const auto made = Make(Small());
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->divergences.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(made->divergences[i].has_value());
    EXPECT_GT(made->divergences[i]->points, 0);
    EXPECT_LE(made->divergences[i]->points, made->divergences[i]->joint);
    EXPECT_LT(made->divergences[i]->joint, 1);
    EXPECT_THAT(made->figure.panels[i].subtitle, HasSubstr("JS 0."));
  }
}

// All 10,000 points of the true distribution are hardly told from it; mixing moves them away.
TEST(VicinityFigureTest, ManyUnmixedPointsAreTheTruth) {
  VicinityFigureOptions options = Small();
  options.points = options.vicinity.labelled = kMaxToyPoints;
  options.rules = {VicinityRule::kNone, VicinityRule::kMixup};
  const auto made = Make(options);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_LT(made->divergences[0]->joint, 0.005);
  EXPECT_GT(made->divergences[1]->joint, 0.1);
}

TEST(VicinityFigureTest, ASinglePointHasNoDivergence) {
  VicinityFigureOptions options = Small();
  options.vicinity.point = 3;
  const auto made = Make(options);
  ASSERT_TRUE(made.ok()) << made.status();
  for (const auto& divergence : made->divergences) EXPECT_FALSE(divergence.has_value());
  EXPECT_THAT(made->figure.panels[2].subtitle, HasSubstr("its own class"));
  EXPECT_TRUE(DrawFigure(made->figure).ok());
}

TEST(VicinityFigureTest, UnlabelledPointsAreInTheLegend) {
  const auto labels = [](int labelled) {
    VicinityFigureOptions options = Small();
    options.vicinity.labelled = labelled;
    options.rules = {VicinityRule::kMixup};
    std::string text;
    const auto made = Make(options);
    for (const Mark& mark : made->figure.panels[0].marks) {
      if (const Scatter* scatter = std::get_if<Scatter>(&mark)) text += scatter->label + ";";
    }
    return text;
  };
  EXPECT_EQ(labels(60), "point of class 0;point of class 1;");
  EXPECT_EQ(labels(59), "unlabelled point;point of class 0;point of class 1;");
}

TEST(VicinityFigureTest, TheLegendSaysHowManyPointsAreDrawn) {
  VicinityFigureOptions options = Small();
  options.points = 4000;
  options.vicinity.labelled = 1000;
  options.rules = {VicinityRule::kNone};
  const auto made = Make(options);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto& marks = made->figure.panels[0].marks;
  EXPECT_EQ(std::get<Scatter>(marks[1]).label, "unlabelled point (1500 of 3000 drawn)");
  EXPECT_EQ(std::get<Scatter>(marks[2]).label, "point of class 0 (150 of 500 drawn)");
}

TEST(VicinityFigureTest, AllPointsLieInTheFrame) {
  VicinityFigureOptions options = Small();
  options.noise = kMaxToyNoise;
  options.points = options.vicinity.labelled = 300;
  options.rules = {VicinityRule::kNone};
  for (options.vicinity.seed = 0; options.vicinity.seed < 5; ++options.vicinity.seed) {
    const auto made = Make(options);
    ASSERT_TRUE(made.ok()) << made.status();
    const Panel& panel = made->figure.panels[0];
    for (const size_t mark : {1u, 2u}) {
      for (const ChartPoint& point : std::get<Scatter>(panel.marks[mark]).points) {
        EXPECT_TRUE(point.x > panel.x.low && point.x < panel.x.high);
        EXPECT_TRUE(point.y > panel.y.low && point.y < panel.y.high);
      }
    }
  }
}

TEST(VicinityFigureTest, AllShapesCanBeDrawnAtTheEndsOfTheirRanges) {
  for (const ToyShape shape : {ToyShape::kMoons, ToyShape::kCircles, ToyShape::kBlobs}) {
    for (const double noise : {0.0, kMaxToyNoise}) {
      VicinityFigureOptions options = Small();
      options.shape = shape;
      options.noise = noise;
      options.points = options.vicinity.labelled = kMinToyPoints;
      options.vicinity.neighbours = 1;
      const auto made = Make(options);
      ASSERT_TRUE(made.ok()) << made.status();
      EXPECT_TRUE(DrawFigure(made->figure).ok());
    }
  }
}

TEST(VicinityFigureTest, FourPanelsStandInASquare) {
  VicinityFigureOptions options = Small();
  const auto columns = [&](size_t rules) {
    options.rules.assign(rules, VicinityRule::kNone);
    return Make(options)->figure.columns;
  };
  EXPECT_EQ(columns(1), 2);
  EXPECT_EQ(columns(2), 3);
  EXPECT_EQ(columns(3), 2);
  EXPECT_EQ(columns(kMaxRules), 3);
}

struct Wrong {
  std::function<void(VicinityFigureOptions*)> break_it;
  const char* message;
};

TEST(VicinityFigureTest, WrongOptionsAreNamed) {
  const Wrong cases[] = {
      {[](auto* o) { o->shape = static_cast<ToyShape>(3); }, "shape is 3"},
      {[](auto* o) { o->noise = -0.1; }, "noise is -0.1"},
      {[](auto* o) { o->noise = 1.1; }, "noise is 1.1"},
      {[](auto* o) { o->points = 1; }, "points is 1; allowed: 2..10000"},
      {[](auto* o) { o->points = 10001; }, "points is 10001"},
      {[](auto* o) { o->rules.clear(); }, "rules is 0"},
      {[](auto* o) { o->rules.resize(17); }, "rules is 17"},
      {[](auto* o) { o->rules = {static_cast<VicinityRule>(9)}; }, "rules is 9"},
      {[](auto* o) { o->vicinity.labelled = 61; }, "labelled is 61"},
  };
  for (const Wrong& wrong : cases) {
    VicinityFigureOptions options = Small();
    wrong.break_it(&options);
    const absl::Status status = Make(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong.message;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(wrong.message), HasSubstr("allowed")));
  }
}

}  // namespace
}  // namespace mixfeed
