#include "augment/pool/painter.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "augment/pool/fill.h"
#include "augment/pool/opencv_border.h"
#include "augment/pool/shapes.h"

namespace mixfeed {
namespace {

using std::numbers::pi;

// Drawn at twice the size, then averaged down: edges come out smooth.
constexpr int kCanvasSide = 2 * kPaintedSide;
constexpr int kSubpixelBits = 4;  // fractional bits of the coordinates that OpenCV is given

// How often the shape has its class's own hue instead of any. Higher makes colour tell more.
constexpr double kOwnHueRate = 0.4;
constexpr double kMinContrast = 40;  // in brightness, between shape and background, of 255

// Contrast of the two colours of a pattern: in shapes and clutter, in calm backgrounds; and how
// often a background is as busy as a shape.
constexpr double kShapeContrast = 0.5;
constexpr double kCalmContrast = 0.15;
constexpr double kBusyRate = 0.2;

constexpr double kMinRadius = 0.27 * kCanvasSide;
constexpr double kMaxRadius = 0.42 * kCanvasSide;
constexpr int kMaxClutter = 5;
constexpr double kOutlineRate = 0.3;
constexpr double kShadowRate = 0.35;
constexpr double kCoverRate = 0.3;
constexpr double kBlurRate = 0.25;
constexpr double kMaxNoise = 12;  // standard deviation, of 255

// Two colours of near hues whose brightness differs by up to `contrast`, 0..1.
std::array<Colour, 2> RandomColours(double hue, double contrast, ImageRandom* random) {
  const double saturation = random->Uniform(0.1, 0.95);
  const double value = random->Uniform(0.2, 1);
  const double other_hue = hue + random->Uniform(-0.1, 0.1);
  const double other_value = std::clamp(value + random->Uniform(-contrast, contrast), 0.15, 1.0);
  return {FromHsv(hue, saturation, value), FromHsv(other_hue, saturation, other_value)};
}

// Colours for the shape that stand out from `background`.
std::array<Colour, 2> ContrastingColours(int label, const Colour& background, ImageRandom* random) {
  constexpr int kTries = 30;
  std::array<Colour, 2> colours{};
  for (int i = 0; i < kTries; ++i) {
    const double own_hue =
        static_cast<double>(label) / static_cast<double>(GeneratedShapes().size());
    const double hue = random->Chance(kOwnHueRate) ? own_hue + random->Uniform(-0.05, 0.05)
                                                   : random->Uniform(0, 1);
    colours = RandomColours(hue, kShapeContrast, random);
    const bool stands_out = std::all_of(colours.begin(), colours.end(), [&](const Colour& colour) {
      return std::abs(Luma(colour) - Luma(background)) > kMinContrast;
    });
    if (stands_out) break;
  }
  return colours;
}

// Where and how large an outline is drawn.
struct Placement {
  cv::Point2d center;
  double radius;
  double angle;
  double aspect;  // of width to height, before turning
};

using FixedOutline = std::vector<std::vector<cv::Point>>;

FixedOutline Place(const Outline& outline, const Placement& at, cv::Point2d offset = {}) {
  const double cosine = std::cos(at.angle);
  const double sine = std::sin(at.angle);
  const double wide = std::sqrt(at.aspect);
  FixedOutline placed;
  for (const auto& polygon : outline) {
    placed.emplace_back();
    for (const cv::Point2d& point : polygon) {
      const double x = point.x * at.radius * wide;
      const double y = point.y * at.radius / wide;
      const double scale = 1 << kSubpixelBits;
      placed.back().emplace_back(cvRound(scale * (at.center.x + offset.x + x * cosine - y * sine)),
                                 cvRound(scale * (at.center.y + offset.y + x * sine + y * cosine)));
    }
  }
  return placed;
}

cv::Mat1b Uniform(uint8_t value) { return cv::Mat1b(kCanvasSide, kCanvasSide, value); }

cv::Mat1b FilledMask(const FixedOutline& outline) {
  cv::Mat1b mask = Uniform(0);
  cv::fillPoly(mask, outline, cv::Scalar(255), cv::LINE_AA, kSubpixelBits);
  return mask;
}

cv::Mat1b StrokeMask(const FixedOutline& outline, int thickness) {
  cv::Mat1b mask = Uniform(0);
  cv::polylines(mask, outline, true, cv::Scalar(255), thickness, cv::LINE_AA, kSubpixelBits);
  return mask;
}

// Arguments in braces are evaluated in order, those of a call in any: no call here draws twice.
cv::Point2d RandomPoint(ImageRandom* random) {
  return cv::Point2d{random->Uniform(0, kCanvasSide), random->Uniform(0, kCanvasSide)};
}

// Clutter: things that tell nothing.

cv::Mat1b LineMask(const Placement& at, ImageRandom* random) {
  cv::Mat1b mask = Uniform(0);
  const double length = 3 * at.radius;
  const cv::Point2d along(length * std::cos(at.angle), length * std::sin(at.angle));
  cv::line(mask, at.center - along, at.center + along, cv::Scalar(255), random->Int(1, 4),
           cv::LINE_AA);
  return mask;
}

cv::Mat1b EllipseMask(const Placement& at, ImageRandom*) {
  cv::Mat1b mask = Uniform(0);
  const cv::RotatedRect box(at.center, cv::Size2d(2 * at.radius, at.radius),
                            static_cast<float>(at.angle * 180 / pi));
  cv::ellipse(mask, box, cv::Scalar(255), cv::FILLED, cv::LINE_AA);
  return mask;
}

cv::Mat1b QuadrangleMask(const Placement& at, ImageRandom* random) {
  std::vector<cv::Point2d> corners;
  for (int i = 0; i < 4; ++i) {
    const double radius = random->Uniform(0.4, 1.2);
    corners.emplace_back(radius * std::cos(pi / 2 * i), radius * std::sin(pi / 2 * i));
  }
  return FilledMask(Place({corners}, at));
}

constexpr cv::Mat1b (*kClutterMasks[])(const Placement& at, ImageRandom* random) = {
    LineMask, EllipseMask, QuadrangleMask};

cv::Mat1b ClutterMask(double size, ImageRandom* random) {
  const Placement at{.center = RandomPoint(random),
                     .radius = size,
                     .angle = random->Uniform(0, 2 * pi),
                     .aspect = 1};
  const int kind = random->Int(0, static_cast<int>(std::size(kClutterMasks)) - 1);
  return kClutterMasks[kind](at, random);
}

void PaintClutter(double size, double opacity, ImageRandom* random, cv::Mat3b* canvas) {
  const auto colours = RandomColours(random->Uniform(0, 1), kShapeContrast, random);
  const Fill fill = RandomFill(kCanvasSide, colours, random);
  Paint(fill, ClutterMask(size, random), opacity, canvas);
}

Fill PlainFill(const Colour& colour) { return {Uniform(0), {colour, colour}}; }

Placement RandomPlacement(ImageRandom* random) {
  Placement at;
  at.radius = random->Uniform(kMinRadius, kMaxRadius);
  const double room = kCanvasSide / 2.0 - at.radius;
  at.center.x = kCanvasSide / 2.0 + random->Uniform(-room, room);
  at.center.y = kCanvasSide / 2.0 + random->Uniform(-room, room);
  at.angle = random->Uniform(-pi / 4, pi / 4);
  if (random->Chance(0.2)) at.angle = random->Uniform(0, 2 * pi);
  at.aspect = std::exp(random->Uniform(-0.3, 0.3));
  return at;
}

void PaintShape(int label, const Colour& background, ImageRandom* random, cv::Mat3b* canvas) {
  const Outline& outline = GeneratedShapes()[static_cast<size_t>(label)].outline;
  const Placement at = RandomPlacement(random);
  if (random->Chance(kShadowRate)) {
    const cv::Point2d offset{random->Uniform(-6, 6), random->Uniform(2, 6)};
    Paint(PlainFill({0, 0, 0}), FilledMask(Place(outline, at, offset)), 0.4, canvas);
  }
  const FixedOutline placed = Place(outline, at);
  const auto colours = ContrastingColours(label, background, random);
  Paint(RandomFill(kCanvasSide, colours, random), FilledMask(placed), 1, canvas);
  if (random->Chance(kOutlineRate)) {
    const Colour colour = RandomColours(random->Uniform(0, 1), 0, random)[0];
    Paint(PlainFill(colour), StrokeMask(placed, random->Int(2, 4)), 1, canvas);
  }
}

cv::Mat3b PaintScene(int label, ImageRandom* random) {
  cv::Mat3b canvas(kCanvasSide, kCanvasSide, Colour(0, 0, 0));
  const double contrast = random->Chance(kBusyRate) ? kShapeContrast : kCalmContrast;
  const auto background = RandomColours(random->Uniform(0, 1), contrast, random);
  Paint(RandomFill(kCanvasSide, background, random), Uniform(255), 1, &canvas);
  for (int i = random->Int(0, kMaxClutter); i > 0; --i) {
    const double opacity = random->Uniform(0.4, 1);
    PaintClutter(random->Uniform(3, 10), opacity, random, &canvas);
  }
  PaintShape(label, background[0], random, &canvas);
  if (random->Chance(kCoverRate)) PaintClutter(random->Uniform(4, 8), 1, random, &canvas);
  return canvas;
}

// Noise of nearly normal distribution and standard deviation 1: the sum of four bytes.
double Noise(uint64_t bits) {
  constexpr double kMean = 4 * 127.5;
  constexpr double kDeviation = 147.8;  // 2 sqrt((256^2 - 1) / 12)
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += static_cast<double>((bits >> (8 * i)) & 0xFF);
  return (sum - kMean) / kDeviation;
}

// What a camera does: exposure and noise, and the change to channel planes.
void Expose(const cv::Mat3b& image, ImageRandom* random, uint8_t* pixels) {
  const double gain = random->Uniform(0.7, 1.25);
  const double offset = random->Uniform(-25, 25);
  const double noise = random->Uniform(2, kMaxNoise);
  for (int i = 0; i < kPaintedSide * kPaintedSide; ++i) {
    const Colour& colour = image(i / kPaintedSide, i % kPaintedSide);
    for (int c = 0; c < 3; ++c) {
      const double value = gain * colour[c] + offset + noise * Noise(random->Bits());
      pixels[c * kPaintedSide * kPaintedSide + i] = cv::saturate_cast<uint8_t>(value);
    }
  }
}

}  // namespace

absl::Status PaintImage(int label, ImageRandom random, uint8_t* pixels) {
  return StopOpenCvExceptions("drawing an image", [&] {
    const cv::Mat3b scene = PaintScene(label, &random);
    cv::Mat3b image;
    cv::resize(scene, image, {kPaintedSide, kPaintedSide}, 0, 0, cv::INTER_AREA);
    if (random.Chance(kBlurRate)) cv::GaussianBlur(image, image, {3, 3}, 0);
    Expose(image, &random, pixels);
    return absl::OkStatus();
  });
}

}  // namespace mixfeed
