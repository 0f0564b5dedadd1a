#ifndef MIXFEED_AUGMENT_POOL_FILL_H_
#define MIXFEED_AUGMENT_POOL_FILL_H_

#include <array>
#include <opencv2/core.hpp>

#include "augment/pool/image_random.h"

namespace mixfeed {

// R, G, B.
using Colour = cv::Vec3b;

// `hue` in turns (any value, wrapped); saturation and value 0..1.
Colour FromHsv(double hue, double saturation, double value);

// Perceived brightness, 0..255 (BT.601).
double Luma(const Colour& colour);

// A pattern of two colours that covers the plane: plain, gradient, stripes, checks, dots, blotches.
struct Fill {
  cv::Mat1b weights;  // of colours[1], 0..255, at each pixel of the canvas
  std::array<Colour, 2> colours;
};

// A pattern drawn at random for a canvas of `side` pixels.
Fill RandomFill(int side, const std::array<Colour, 2>& colours, ImageRandom* random);

// Lays `fill` over `canvas` where `mask` (0..255) says, at `opacity` 0..1.
void Paint(const Fill& fill, const cv::Mat1b& mask, double opacity, cv::Mat3b* canvas);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_FILL_H_
