#include "augment/pool/fill.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

namespace mixfeed {
namespace {

// A pattern's own coordinates: turned, and scaled to one period.
struct Frame {
  double cos_over_period;
  double sin_over_period;
  double phase_u;
  double phase_v;
};

double Fraction(double x) { return x - std::floor(x); }

// Patterns: weight 0..1 of the second colour at (u, v), in periods.
double Plain(double, double) { return 0; }
double Stripes(double u, double) { return Fraction(u) < 0.5 ? 0 : 1; }
double Checks(double u, double v) { return (Fraction(u) < 0.5) == (Fraction(v) < 0.5) ? 0 : 1; }
double Dots(double u, double v) {
  constexpr double kRadius = 0.32;
  return std::hypot(Fraction(u) - 0.5, Fraction(v) - 0.5) < kRadius ? 1 : 0;
}
// Light and shade, as of a lit surface: a slow wave.
double Gradient(double u, double) { return 0.5 + 0.5 * std::sin(2 * std::numbers::pi * u); }

struct Pattern {
  double (*weight)(double u, double v);
  double min_period;  // of the canvas' side
  double max_period;
};

constexpr Pattern kPatterns[] = {
    {Plain, 1, 1},        {Gradient, 1.2, 2.5}, {Gradient, 1.2, 2.5},
    {Stripes, 0.1, 0.25}, {Checks, 0.14, 0.3},  {Dots, 0.12, 0.22},
};

Frame RandomFrame(double min_period, double max_period, ImageRandom* random) {
  const double angle = random->Uniform(0, std::numbers::pi);
  const double period = random->Uniform(min_period, max_period);
  const double phase_u = random->Uniform(0, 1);
  const double phase_v = random->Uniform(0, 1);
  return {std::cos(angle) / period, std::sin(angle) / period, phase_u, phase_v};
}

cv::Mat1b DrawPattern(int side, const Pattern& pattern, ImageRandom* random) {
  const Frame frame = RandomFrame(pattern.min_period * side, pattern.max_period * side, random);
  cv::Mat1b weights(side, side);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const double u = x * frame.cos_over_period + y * frame.sin_over_period + frame.phase_u;
      const double v = y * frame.cos_over_period - x * frame.sin_over_period + frame.phase_v;
      weights(y, x) = static_cast<uint8_t>(255 * pattern.weight(u, v));
    }
  }
  return weights;
}

// A coarse grid of random weights, blown up.
cv::Mat1b DrawBlotches(int side, ImageRandom* random) {
  const int cells = random->Int(3, 9);
  cv::Mat1b grid(cells, cells);
  for (uint8_t& weight : grid) weight = static_cast<uint8_t>(random->Int(0, 255));
  cv::Mat1b weights;
  cv::resize(grid, weights, {side, side}, 0, 0, cv::INTER_LINEAR);
  return weights;
}

}  // namespace

Colour FromHsv(double hue, double saturation, double value) {
  Colour colour;
  for (int channel = 0; channel < 3; ++channel) {
    // Distance of the hue from the channel's own (red 0, green 1/3, blue 2/3), in sixths.
    const double away = 6 * std::abs(Fraction(hue - channel / 3.0 + 0.5) - 0.5);
    const double strength = std::clamp(2 - away, 0.0, 1.0);
    colour[channel] =
        static_cast<uint8_t>(std::lround(255 * value * (1 - saturation * (1 - strength))));
  }
  return colour;
}

double Luma(const Colour& colour) {
  return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2];
}

Fill RandomFill(int side, const std::array<Colour, 2>& colours, ImageRandom* random) {
  const auto kinds = static_cast<int>(std::size(kPatterns));
  const int kind = random->Int(0, kinds);  // the last stands for blotches
  return {kind == kinds ? DrawBlotches(side, random) : DrawPattern(side, kPatterns[kind], random),
          colours};
}

void Paint(const Fill& fill, const cv::Mat1b& mask, double opacity, cv::Mat3b* canvas) {
  const int opacity_256 = static_cast<int>(256 * opacity);
  for (int y = 0; y < canvas->rows; ++y) {
    for (int x = 0; x < canvas->cols; ++x) {
      const int cover = mask(y, x) * opacity_256 / 256;
      if (cover == 0) continue;
      const int weight = fill.weights(y, x);
      Colour& pixel = (*canvas)(y, x);
      for (int c = 0; c < 3; ++c) {
        const int paint = (fill.colours[0][c] * (255 - weight) + fill.colours[1][c] * weight) / 255;
        pixel[c] = static_cast<uint8_t>((pixel[c] * (255 - cover) + paint * cover) / 255);
      }
    }
  }
}

}  // namespace mixfeed
