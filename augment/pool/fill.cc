#include "augment/pool/fill.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

namespace mixfeed {
namespace {

// A pattern's coordinates are counted in periods, as fractions of 2^32: the whole periods fall away
// by themselves, and no pixel depends on how a machine rounds.
using Phase = uint32_t;
constexpr double kPeriod = 0x1p32;

// Patterns: weight 0..255 of the second colour at (u, v).
uint8_t Plain(Phase, Phase) { return 0; }
uint8_t Stripes(Phase u, Phase) { return u >> 31 ? 255 : 0; }
uint8_t Checks(Phase u, Phase v) { return (u ^ v) >> 31 ? 255 : 0; }
uint8_t Dots(Phase u, Phase v) {
  constexpr int kRadius = 0x52;  // of a period of 0x100
  const int from_u = static_cast<int>(u >> 24) - 0x80;
  const int from_v = static_cast<int>(v >> 24) - 0x80;
  return from_u * from_u + from_v * from_v < kRadius * kRadius ? 255 : 0;
}
// Light and shade: a wave of parabolas.
uint8_t Gradient(Phase u, Phase) {
  const int t = static_cast<int>(u >> 23) - 0x100;  // -256..255, a period
  const int wave = 4 * (0x100 - std::abs(t)) * std::abs(t) / 0x100;
  return static_cast<uint8_t>(std::clamp(0x80 + (t < 0 ? -wave : wave) / 2, 0, 255));
}

struct Frame {
  Phase u;  // at the first pixel
  Phase v;
  Phase along;   // what u grows by for a step right, v for a step down
  Phase across;  // what u grows by for a step down, v falls by for a step right
};

template <uint8_t (*Weight)(Phase u, Phase v)>
void Draw(const Frame& frame, cv::Mat1b* weights) {
  for (int y = 0; y < weights->rows; ++y) {
    const auto down = static_cast<Phase>(y);
    Phase u = frame.u + down * frame.across;
    Phase v = frame.v + down * frame.along;
    uint8_t* const row = (*weights)[y];
    for (int x = 0; x < weights->cols; ++x, u += frame.along, v -= frame.across) {
      row[x] = Weight(u, v);
    }
  }
}

struct Pattern {
  void (*draw)(const Frame& frame, cv::Mat1b* weights);
  double min_period;  // of the canvas' side
  double max_period;
};

constexpr Pattern kPatterns[] = {
    {Draw<Plain>, 1, 1},        {Draw<Gradient>, 1.2, 2.5}, {Draw<Gradient>, 1.2, 2.5},
    {Draw<Stripes>, 0.1, 0.25}, {Draw<Checks>, 0.14, 0.3},  {Draw<Dots>, 0.12, 0.22},
};

Phase ToPhase(double periods) {
  return static_cast<Phase>(static_cast<int64_t>(std::floor(periods * kPeriod)));
}

cv::Mat1b DrawPattern(int side, const Pattern& pattern, ImageRandom* random) {
  const double angle = random->Uniform(0, std::numbers::pi);
  const double period = side * random->Uniform(pattern.min_period, pattern.max_period);
  const Phase u = ToPhase(random->Uniform(0, 1));
  const Phase v = ToPhase(random->Uniform(0, 1));
  cv::Mat1b weights(side, side);
  pattern.draw({u, v, ToPhase(std::cos(angle) / period), ToPhase(std::sin(angle) / period)},
               &weights);
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
    const double from_channel = hue - channel / 3.0;
    const double away = 6 * std::abs(from_channel - std::round(from_channel));
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
  const cv::Rect area = cv::boundingRect(mask);
  for (int y = area.y; y < area.y + area.height; ++y) {
    const uint8_t* const covers = mask[y];
    const uint8_t* const weights = fill.weights[y];
    Colour* const pixels = (*canvas)[y];
    for (int x = area.x; x < area.x + area.width; ++x) {
      const int cover = covers[x] * opacity_256 / 256;
      if (cover == 0) continue;
      for (int c = 0; c < 3; ++c) {
        const int first = fill.colours[0][c];
        const int paint = first + (fill.colours[1][c] - first) * weights[x] / 255;
        const int under = pixels[x][c];
        pixels[x][c] = static_cast<uint8_t>(under + (paint - under) * cover / 255);
      }
    }
  }
}

}  // namespace mixfeed
