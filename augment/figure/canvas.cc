#include "augment/figure/canvas.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace mixfeed {
namespace {

// OpenCV draws at 1 / 2^kShift of a pixel.
constexpr int kShift = 4;
constexpr int kFont = cv::FONT_HERSHEY_DUPLEX;
constexpr int kFontHeight = 30;  // pixels a line of it at scale 1, capitals 21 of them

// Places this far outside a picture are moved nearer: OpenCV's fixed point has 32 bits.
constexpr double kFarAway = 1e5;

double Pixels(double points) { return std::clamp(points * kPixelsPerPoint, -kFarAway, kFarAway); }
int Near(double pixels) { return static_cast<int>(std::lround(pixels)); }

cv::Point ToPixel(const Place& place) { return {Near(Pixels(place.x)), Near(Pixels(place.y))}; }

cv::Rect ToPixels(const Area& box) {
  return {ToPixel({box.left, box.top}), ToPixel({box.right(), box.bottom()})};
}

cv::Scalar Bgr(const Rgb& colour) {
  return {static_cast<double>(colour.blue), static_cast<double>(colour.green),
          static_cast<double>(colour.red)};
}

cv::Point Fixed(const Place& place, cv::Point offset) {
  const auto fixed = [](double points, int from) {
    return Near((Pixels(points) - from) * (1 << kShift));
  };
  return {fixed(place.x, offset.x), fixed(place.y, offset.y)};
}

double FontScale(const TextStyle& style) { return Pixels(style.size) / kFontHeight; }
int FontThickness(const TextStyle& style) {
  return std::max(1, Near(FontScale(style) * (style.bold ? 2.0 : 1.3)));
}

cv::Size TextPixels(const std::string& text, const TextStyle& style, int* below) {
  return cv::getTextSize(text, kFont, FontScale(style), FontThickness(style), below);
}

// Where the text's box begins, along its line, from its place.
int AnchorShift(const TextStyle& style, int width) {
  if (style.anchor == Anchor::kLeft) return 0;
  return style.anchor == Anchor::kCentre ? width / 2 : width;
}

// Blue, green and red times alpha, and alpha.
using Light = cv::Vec4d;

Light LightOf(const Ink& ink) {
  return Light(ink.colour.blue, ink.colour.green, ink.colour.red, 1) * ink.alpha;
}

// Two neighbouring cells and how far between their centres a pixel is, 0..1.
struct Between {
  Between(int pixel, int pixels, int cells) {
    const double at = (pixel + 0.5) * cells / pixels - 0.5;
    first = std::clamp(static_cast<int>(std::floor(at)), 0, cells - 1);
    second = std::min(first + 1, cells - 1);
    share = std::clamp(at - first, 0.0, 1.0);
  }
  int first = 0;
  int second = 0;
  double share = 0;
};

cv::Vec3b Over(const Light& light, const cv::Vec3b& below) {
  cv::Vec3b pixel;
  for (int c = 0; c < 3; ++c) {
    pixel[c] = static_cast<uint8_t>(std::lround(light[c] + (1 - light[3]) * below[c]));
  }
  return pixel;
}

// The ink, as far as the mask lets it through.
void BlendInto(cv::Mat* target, const cv::Mat& mask, const Ink& ink) {
  const Light light = LightOf(ink);
  for (int y = 0; y < target->rows; ++y) {
    for (int x = 0; x < target->cols; ++x) {
      cv::Vec3b& pixel = target->at<cv::Vec3b>(y, x);
      pixel = Over(light * (mask.at<uint8_t>(y, x) / 255.0), pixel);
    }
  }
}

}  // namespace

Canvas::Canvas(double width, double height, const Rgb& paper)
    : pixels_(Near(Pixels(height)), Near(Pixels(width)), CV_8UC3, Bgr(paper)) {
  ClearClip();
}

void Canvas::SetClip(const Area& clip) {
  clip_ = ToPixels(clip) & cv::Rect(0, 0, pixels_.cols, pixels_.rows);
}

void Canvas::ClearClip() { clip_ = cv::Rect(0, 0, pixels_.cols, pixels_.rows); }

void Canvas::Cover(const cv::Rect& area, const Ink& ink,
                   const std::function<void(cv::Mat*, cv::Point)>& draw) {
  const cv::Rect seen = area & clip_;
  if (seen.empty() || ink.alpha <= 0) return;
  cv::Mat mask = cv::Mat::zeros(seen.size(), CV_8UC1);
  draw(&mask, seen.tl());
  cv::Mat target = pixels_(seen);
  BlendInto(&target, mask, ink);
}

void Canvas::FillBox(const Area& box, const Ink& ink) {
  Cover(ToPixels(box), ink, [](cv::Mat* mask, cv::Point) { mask->setTo(255); });
}

void Canvas::FrameBox(const Area& box, double thickness, const Ink& ink) {
  const double half = thickness / 2;
  FillBox({box.left - half, box.top - half, box.width + thickness, thickness}, ink);
  FillBox({box.left - half, box.bottom() - half, box.width + thickness, thickness}, ink);
  FillBox({box.left - half, box.top + half, thickness, box.height - thickness}, ink);
  FillBox({box.right() - half, box.top + half, thickness, box.height - thickness}, ink);
}

void Canvas::Line(std::span<const Place> places, double thickness, const Ink& ink) {
  Cover(clip_, ink, [&](cv::Mat* mask, cv::Point offset) {
    std::vector<cv::Point> points;
    for (const Place& place : places) points.push_back(Fixed(place, offset));
    cv::polylines(*mask, points, /*isClosed=*/false, cv::Scalar(255),
                  std::max(1, Near(Pixels(thickness))), cv::LINE_AA, kShift);
  });
}

void Canvas::Disc(const Place& centre, double radius, const Ink& ink) {
  const double reach = radius + 1;
  const Area box{centre.x - reach, centre.y - reach, 2 * reach, 2 * reach};
  Cover(ToPixels(box), ink, [&](cv::Mat* mask, cv::Point offset) {
    cv::circle(*mask, Fixed(centre, offset), Near(Pixels(radius) * (1 << kShift)), cv::Scalar(255),
               cv::FILLED, cv::LINE_AA, kShift);
  });
}

void Canvas::Text(const std::string& text, const Place& at, const TextStyle& style) {
  int below = 0;
  const int thickness = FontThickness(style);
  const cv::Size size = TextPixels(text, style, &below);
  const cv::Point origin(thickness, thickness + size.height);
  cv::Mat line =
      cv::Mat::zeros(size.height + below + 2 * thickness, size.width + 2 * thickness, CV_8UC1);
  cv::putText(line, text, origin, kFont, FontScale(style), cv::Scalar(255), thickness, cv::LINE_AA);
  cv::Point corner = ToPixel(at);
  if (style.upwards) {
    corner += cv::Point(-origin.y, AnchorShift(style, size.width) - line.cols + origin.x);
    cv::rotate(line, line, cv::ROTATE_90_COUNTERCLOCKWISE);
  } else {
    corner -= cv::Point(AnchorShift(style, size.width) + origin.x, origin.y);
  }
  const cv::Rect area(corner, line.size());
  Cover(area, style.ink, [&](cv::Mat* mask, cv::Point offset) {
    line(cv::Rect(offset - corner, mask->size())).copyTo(*mask);
  });
}

void Canvas::Cells(std::span<const Ink> cells, int columns, const Area& box) {
  const int rows = static_cast<int>(cells.size()) / columns;
  const cv::Rect area = ToPixels(box);
  const cv::Rect seen = area & clip_;
  const auto light = [&](int row, const Between& x) {
    const std::span<const Ink> line =
        cells.subspan(static_cast<size_t>(row) * static_cast<size_t>(columns));
    return LightOf(line[static_cast<size_t>(x.first)]) * (1 - x.share) +
           LightOf(line[static_cast<size_t>(x.second)]) * x.share;
  };
  for (int py = seen.y; py < seen.y + seen.height; ++py) {
    const Between y(py - area.y, area.height, rows);
    for (int px = seen.x; px < seen.x + seen.width; ++px) {
      const Between x(px - area.x, area.width, columns);
      const Light mean = light(y.first, x) * (1 - y.share) + light(y.second, x) * y.share;
      cv::Vec3b& pixel = pixels_.at<cv::Vec3b>(py, px);
      pixel = Over(mean, pixel);
    }
  }
}

double Canvas::TextWidth(const std::string& text, const TextStyle& style) {
  int below = 0;
  return static_cast<double>(TextPixels(text, style, &below).width) / kPixelsPerPoint;
}

}  // namespace mixfeed
