#include "augment/figure/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "augment/figure/canvas.h"
#include "augment/figure/layout.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr Rgb kRed{200, 10, 20};
constexpr Rgb kGreen{10, 200, 20};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// One panel of 0..1 each way with nothing but `marks`.
Figure Plain(std::vector<Mark> marks) {
  Panel panel;
  panel.x.ticks = panel.y.ticks = false;
  panel.marks = std::move(marks);
  Figure figure;
  figure.panels = {panel};
  return figure;
}

// A drawn figure, read back from its PNG.
class Drawn {
 public:
  explicit Drawn(const Figure& figure) : box_(FigureLayout(figure).DataOf(0)) {
    const absl::StatusOr<Picture> picture = DrawFigure(figure);
    EXPECT_TRUE(picture.ok()) << picture.status();
    if (!picture.ok()) return;
    const std::vector<uint8_t> bytes(picture->png.begin(), picture->png.end());
    image_ = cv::imdecode(bytes, cv::IMREAD_COLOR);
    EXPECT_EQ(image_.cols, picture->width);
    EXPECT_EQ(image_.rows, picture->height);
  }

  // In the first panel's units, 0..1.
  Rgb At(double x, double y) const {
    return AtPixel(static_cast<int>((box_.left + x * box_.width) * kPixelsPerPoint),
                   static_cast<int>((box_.bottom() - y * box_.height) * kPixelsPerPoint));
  }
  Rgb AtPixel(int x, int y) const {
    const auto& pixel = image_.at<cv::Vec3b>(y, x);
    return {pixel[2], pixel[1], pixel[0]};
  }
  int CountIf(const std::function<bool(const Rgb&)>& wanted) const {
    int count = 0;
    for (int y = 0; y < image_.rows; ++y) {
      for (int x = 0; x < image_.cols; ++x) count += wanted(AtPixel(x, y));
    }
    return count;
  }
  int CountOf(const Rgb& colour) const {
    return CountIf([&](const Rgb& other) { return other == colour; });
  }
  int width() const { return image_.cols; }

 private:
  const Area box_;
  cv::Mat image_;
};

// A filled square of the panel's middle, by each kind of mark that can.
Bars SquareBars(const Ink& ink) { return {.bars = {{0.25, 0.75, 0.5}}, .ink = ink}; }

TEST(ChartTest, IsTwoThousandPixelsWideOnPaper) {
  const Drawn drawn(Plain({}));
  EXPECT_EQ(drawn.width(), 2000);
  EXPECT_EQ(drawn.AtPixel(0, 0), kPaper);
  EXPECT_EQ(drawn.At(0.5, 0.5), kCard);
}

TEST(ChartTest, ABarStandsOnZeroBetweenItsEnds) {
  const Drawn drawn(Plain({SquareBars({kRed})}));
  EXPECT_EQ(drawn.At(0.27, 0.02), kRed);
  EXPECT_EQ(drawn.At(0.73, 0.48), kRed);
  EXPECT_EQ(drawn.At(0.23, 0.25), kCard);
  EXPECT_EQ(drawn.At(0.77, 0.25), kCard);
  EXPECT_EQ(drawn.At(0.5, 0.52), kCard);
}

TEST(ChartTest, ABarBelowZeroHangs) {
  Figure figure = Plain({Bars{.bars = {{0.25, 0.75, -1}}, .ink = {kRed}}});
  figure.panels[0].y.low = -1;
  const Drawn drawn(figure);
  EXPECT_EQ(drawn.At(0.5, 0.25), kRed);
  EXPECT_EQ(drawn.At(0.5, 0.75), kCard);
}

TEST(ChartTest, AlphaBlendsWithWhatIsBelow) {
  const Drawn drawn(Plain({SquareBars({kRed}), SquareBars({kGreen, 0.25})}));
  EXPECT_EQ(drawn.At(0.5, 0.25), (Rgb{153, 58, 20}));  // 0.75 * (200, 10) + 0.25 * (10, 200)
}

TEST(ChartTest, AScatterIsDiscsOfItsRadius) {
  const Drawn drawn(
      Plain({Scatter{.points = {{0.25, 0.25}, {0.75, 0.75}}, .ink = {kRed}, .radius = 10}}));
  EXPECT_EQ(drawn.At(0.25, 0.25), kRed);
  EXPECT_EQ(drawn.At(0.75, 0.75), kRed);
  EXPECT_EQ(drawn.At(0.25, 0.75), kCard);
  // Two discs of 20 pixels radius; the rim is blended.
  EXPECT_NEAR(drawn.CountOf(kRed), 2 * M_PI * 400, 0.1 * 2 * M_PI * 400);
}

TEST(ChartTest, AnOutlineSetsADiscOffFromItsGround) {
  const Drawn drawn(
      Plain({SquareBars({kGreen}),
             Scatter{.points = {{0.5, 0.25}}, .ink = {kRed}, .radius = 10, .outlined = true}}));
  EXPECT_EQ(drawn.At(0.5, 0.25), kRed);
  // The rim is a pixel and a half wide: somewhere just outside of the disc it is nearly white.
  const double width = FigureLayout(Plain({})).DataOf(0).width;
  int whitest = 0;
  for (double reach = 10; reach < 12; reach += 0.1) {
    whitest = std::max<int>(whitest, drawn.At(0.5 + reach / width, 0.25).blue);
  }
  EXPECT_GT(whitest, 150);
}

TEST(ChartTest, ACurveJoinsItsPoints) {
  const Drawn drawn(
      Plain({Curve{.points = {{0, 0.5}, {0.5, 0.5}, {0.5, 1}}, .ink = {kRed}, .thickness = 4}}));
  EXPECT_EQ(drawn.At(0.25, 0.5), kRed);
  EXPECT_EQ(drawn.At(0.5, 0.75), kRed);
  EXPECT_EQ(drawn.At(0.75, 0.5), kCard);
}

TEST(ChartTest, HeatLiesInItsRectangleWithTheFirstRowBelow) {
  const Drawn drawn(Plain({Heat{.x_low = 0,
                                .x_high = 1,
                                .y_low = 0,
                                .y_high = 1,
                                .columns = 1,
                                .cells = {{kRed}, {kGreen}}}}));
  EXPECT_EQ(drawn.At(0.5, 0.1), kRed);
  EXPECT_EQ(drawn.At(0.5, 0.9), kGreen);
  const Rgb middle = drawn.At(0.5, 0.5);
  EXPECT_NEAR(middle.red, 105, 2);
  EXPECT_NEAR(middle.green, 105, 2);
}

TEST(ChartTest, HeatWithoutAlphaShowsTheGround) {
  const Drawn drawn(Plain({Heat{.columns = 1, .cells = {{kRed, 0}}}}));
  EXPECT_EQ(drawn.At(0.5, 0.5), kCard);
}

TEST(ChartTest, TextIsDrawnInItsInk) {
  const Drawn drawn(Plain({Note{.at = {0.5, 0.5}, .text = "IIII", .ink = {kRed}}}));
  EXPECT_GT(drawn.CountIf([](const Rgb& c) { return c.red > c.green + 100; }), 50);
}

TEST(ChartTest, MarksAreCutOffAtTheAxes) {
  const Drawn plain(Plain({}));
  const Drawn drawn(Plain({
      Bars{.bars = {{-5, -1, 9}, {0.5, 0.5, 0}}, .ink = {kRed}},
      Scatter{.points = {{1e300, -1e300}, {-0.1, 0.5}}, .ink = {kRed}},
      Curve{.points = {{-1e300, 2}, {1e300, 2}}, .ink = {kRed}},
      Heat{.x_low = 2, .x_high = 3, .columns = 1, .cells = {{kRed}}},
      Note{.at = {0.5, 9}, .text = "far above", .ink = {kRed}},
  }));
  EXPECT_EQ(drawn.CountOf(kPaper), plain.CountOf(kPaper));
  EXPECT_EQ(drawn.CountOf(kCard), plain.CountOf(kCard));
}

TEST(ChartTest, HeatLargerThanTheAxesIsCutNotShrunk) {
  const Drawn drawn(Plain({Heat{
      .x_low = -1e6, .x_high = 1, .y_low = -1e6, .y_high = 0.5, .columns = 1, .cells = {{kRed}}}}));
  EXPECT_EQ(drawn.At(0.9, 0.4), kRed);
  EXPECT_EQ(drawn.At(0.9, 0.6), kCard);
}

TEST(ChartTest, MarksWithoutPlacesAreNothing) {
  const Drawn plain(Plain({}));
  const Drawn drawn(Plain({Bars{}, Curve{}, Scatter{}, Note{}}));
  EXPECT_EQ(drawn.CountOf(kCard), plain.CountOf(kCard));
}

TEST(ChartTest, TheLegendNamesEachLabelOnce) {
  const Scatter labelled{.points = {{0.5, 0.5}}, .ink = {kRed, 0.1}, .label = "a"};
  const Curve curve{.points = {}, .ink = {kGreen}, .label = "b"};
  Figure figure = Plain({labelled, labelled, curve, Bars{}});
  figure.panels.push_back(figure.panels[0]);
  const std::vector<LegendEntry> entries = LegendOf(figure);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].label, "a");
  EXPECT_FALSE(entries[0].line);
  EXPECT_EQ(entries[1].label, "b");
  EXPECT_TRUE(entries[1].line);
  const Drawn drawn(figure);
  EXPECT_GT(drawn.CountOf(kRed), 100);
  EXPECT_GT(drawn.CountOf(kGreen), 50);
}

TEST(ChartTest, ALongLegendTakesMoreLines) {
  std::vector<Mark> marks;
  for (int i = 0; i < 12; ++i)
    marks.emplace_back(Curve{.label = "a rather long label " + std::to_string(i)});
  const FigureLayout layout(Plain(marks));
  ASSERT_EQ(layout.legend().size(), 12u);
  EXPECT_GT(layout.legend().back().y, layout.legend().front().y);
  for (const Place& place : layout.legend()) EXPECT_LT(place.x, 1000 - 150);
  EXPECT_GT(layout.CardOf(0).top, layout.legend().back().y);
}

TEST(ChartTest, PanelsStandSideBySideWithoutOverlap) {
  Figure figure = Plain({});
  figure.panels.resize(5, figure.panels[0]);
  figure.columns = 3;
  const FigureLayout layout(figure);
  EXPECT_EQ(layout.CardOf(0).top, layout.CardOf(2).top);
  EXPECT_GT(layout.CardOf(1).left, layout.CardOf(0).right());
  EXPECT_LE(layout.CardOf(2).right(), layout.width());
  EXPECT_GT(layout.CardOf(3).top, layout.CardOf(0).bottom());
  EXPECT_LE(layout.CardOf(4).bottom(), layout.height());
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(layout.DataOf(i).height / layout.DataOf(i).width, figure.aspect, 1e-12);
    EXPECT_LT(layout.DataOf(i).bottom(), layout.CardOf(i).bottom());
  }
}

TEST(ChartTest, TicksTitlesAndLabelsHaveRoom) {
  Figure figure = Plain({});
  const Area bare = FigureLayout(figure).DataOf(0);
  Panel& panel = figure.panels[0];
  panel.title = panel.subtitle = panel.x.label = panel.y.label = figure.subtitle = "text";
  panel.x.ticks = panel.y.ticks = true;
  const Area full = FigureLayout(figure).DataOf(0);
  EXPECT_GT(full.left, bare.left + 30);
  EXPECT_GT(full.top, bare.top + 30);
  EXPECT_GT(Drawn(figure).CountOf(kInk), 100);
}

TEST(ChartTest, TheSameFigureGivesTheSameBytes) {
  const Figure figure = Plain({SquareBars({kRed, 0.5})});
  EXPECT_EQ(DrawFigure(figure)->png, DrawFigure(figure)->png);
}

struct Wrong {
  std::function<void(Figure*)> break_it;
  const char* field;
};

TEST(ChartTest, WhatCannotBeDrawnIsNamed) {
  const Wrong cases[] = {
      {[](Figure* f) { f->panels.clear(); }, "figure.panels is 0"},
      {[](Figure* f) { f->panels.resize(65); }, "figure.panels is 65"},
      {[](Figure* f) {
         f->panels.resize(64);
         f->aspect = 4;
       },
       "figure.panels is so many"},
      {[](Figure* f) { f->columns = 0; }, "figure.columns is 0"},
      {[](Figure* f) { f->columns = 9; }, "figure.columns is 9"},
      {[](Figure* f) { f->aspect = 0.09; }, "figure.aspect is 0.09"},
      {[](Figure* f) { f->aspect = 4.1; }, "figure.aspect is 4.1"},
      {[](Figure* f) { f->panels[0].x.high = 0; }, "figure.panels[0].x is 0..0"},
      {[](Figure* f) { f->panels[0].y.low = NAN; }, "figure.panels[0].y is nan..1"},
      {[](Figure* f) { f->panels[0].y.high = kInfinity; }, "figure.panels[0].y is 0..inf"},
      {[](Figure* f) {
         f->panels[0].marks = {Curve{.points = {{NAN, 0}}}};
       },
       "[0].marks is at"},
      {[](Figure* f) {
         f->panels[0].marks = {Scatter{.points = {{0, NAN}}}};
       },
       "[0].marks is at"},
      {[](Figure* f) {
         f->panels[0].marks = {Bars{.bars = {{0, 1, NAN}}}};
       },
       "[0].marks is at"},
      {[](Figure* f) {
         f->panels[0].marks = {Note{.at = {kInfinity, 0}}};
       },
       "[0].marks is at"},
      {[](Figure* f) { f->panels[0].marks = {Heat{.x_low = NAN}}; }, "[0].marks is at"},
      {[](Figure* f) { f->panels[0].marks = {Heat{.columns = 0}}; }, "heat.columns is 0"},
      {[](Figure* f) { f->panels[0].marks = {Heat{.columns = 2}}; }, "heat.cells is 0 of them"},
      {[](Figure* f) { f->panels[0].marks = {Heat{.columns = 2, .cells = std::vector<Ink>(3)}}; },
       "heat.cells is 3 of them"},
  };
  for (const Wrong& wrong : cases) {
    Figure figure = Plain({});
    wrong.break_it(&figure);
    const absl::Status status = DrawFigure(figure).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong.field;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(wrong.field), HasSubstr("allowed")));
  }
}

}  // namespace
}  // namespace mixfeed
