#include "augment/pool/shapes.h"

#include <cmath>
#include <numbers>

namespace mixfeed {
namespace {

using Points = std::vector<cv::Point2d>;

using std::numbers::pi;
constexpr int kArcPoints = 36;

cv::Point2d OnCircle(double angle, double radius) {
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// Points on a circle about (center_x, 0), both ends included.
Points Arc(double center_x, double radius, double from, double to) {
  Points points;
  for (int i = 0; i <= kArcPoints; ++i) {
    const double angle = from + (to - from) * i / kArcPoints;
    points.push_back(OnCircle(angle, radius) + cv::Point2d(center_x, 0));
  }
  return points;
}

Points Circle(double radius) { return Arc(0, radius, 0, 2 * pi); }

// `corners` points that are at distance 1 and `inner` by turns; the first points up.
Points Spikes(int corners, double inner) {
  Points points;
  for (int i = 0; i < 2 * corners; ++i) {
    points.push_back(OnCircle(-pi / 2 + pi * i / corners, i % 2 == 0 ? 1 : inner));
  }
  return points;
}

// The part of the unit disc that a smaller disc, moved to the right, leaves.
Points Crescent() {
  constexpr double kShift = 0.5;
  constexpr double kRadius = 0.75;
  // Where the two circles meet.
  const double x = (1 - kRadius * kRadius + kShift * kShift) / (2 * kShift);
  const double outer = std::acos(x);
  const double inner = std::acos((x - kShift) / kRadius);
  Points points = Arc(0, 1, outer, 2 * pi - outer);
  const Points back = Arc(kShift, kRadius, 2 * pi - inner, inner);
  points.insert(points.end(), back.begin(), back.end());
  return points;
}

// The well-known parametric heart curve, scaled to the unit circle.
Points Heart() {
  constexpr double kScale = 1.0 / 17;
  Points points;
  for (int i = 0; i < kArcPoints; ++i) {
    const double t = 2 * pi * i / kArcPoints;
    const double y = 13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t);
    points.emplace_back(16 * kScale * std::pow(std::sin(t), 3), -kScale * y);
  }
  return points;
}

std::vector<ShapeClass> MakeShapes() {
  const Points square = {{-0.75, -0.75}, {0.75, -0.75}, {0.75, 0.75}, {-0.75, 0.75}};
  const Points triangle = {OnCircle(-pi / 2, 1), OnCircle(pi / 6, 1), OnCircle(5 * pi / 6, 1)};
  const Points cross = {{-0.3, -0.95}, {0.3, -0.95}, {0.3, -0.3},   {0.95, -0.3},
                        {0.95, 0.3},   {0.3, 0.3},   {0.3, 0.95},   {-0.3, 0.95},
                        {-0.3, 0.3},   {-0.95, 0.3}, {-0.95, -0.3}, {-0.3, -0.3}};
  const Points arrow = {{-1, -0.25}, {0.1, -0.25}, {0.1, -0.75}, {1, 0},
                        {0.1, 0.75}, {0.1, 0.25},  {-1, 0.25}};
  const Points bolt = {{0.15, -1},  {-0.6, 0.15}, {-0.1, 0.15}, {-0.3, 0.95},
                       {0.6, -0.3}, {0.08, -0.3}, {0.55, -0.83}};
  return {{"disc", {Circle(0.9)}},     {"ring", {Circle(0.95), Circle(0.5)}},
          {"square", {square}},        {"triangle", {triangle}},
          {"star", {Spikes(5, 0.42)}}, {"cross", {cross}},
          {"crescent", {Crescent()}},  {"heart", {Heart()}},
          {"arrow", {arrow}},          {"bolt", {bolt}}};
}

}  // namespace

std::span<const ShapeClass> GeneratedShapes() {
  static const auto* const shapes = new std::vector<ShapeClass>(MakeShapes());
  return *shapes;
}

}  // namespace mixfeed
