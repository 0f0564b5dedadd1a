#include "server/core/sheet_canvas.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace mixfeed {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
// OpenCV's strokes are whole pixels: text is drawn large and made small for even, fine ones.
constexpr int kTextMagnification = 4;

struct Type {
  double scale;
  int stroke;  // in magnified pixels
};

Type TypeOf(TextSize size) {
  return size == TextSize::kTitle ? Type{0.72 * kTextMagnification, 6}
                                  : Type{0.44 * kTextMagnification, 5};
}

int Length(float weight, int whole) {
  return static_cast<int>(std::lround(weight * static_cast<float>(whole)));
}

}  // namespace

int TextWidth(const std::string& text, TextSize size) {
  const Type type = TypeOf(size);
  int baseline = 0;
  const int width = cv::getTextSize(text, kFont, type.scale, type.stroke, &baseline).width;
  return (width + kTextMagnification - 1) / kTextMagnification;
}

std::string FitText(const std::string& text, TextSize size, int width) {
  if (TextWidth(text, size) <= width) return text;
  std::string start = text;
  while (!start.empty() && TextWidth(start + "..", size) > width) start.pop_back();
  return start + "..";
}

void SheetCanvas::Write(const std::string& text, cv::Point at, TextSize size,
                        const cv::Scalar& colour) {
  const Type type = TypeOf(size);
  int below = 0;
  const cv::Size large = cv::getTextSize(text, kFont, type.scale, type.stroke, &below);
  const int descent = below / kTextMagnification + 2;
  const cv::Size box(large.width / kTextMagnification + 2,
                     large.height / kTextMagnification + 2 + descent);
  cv::Mat mask(box * kTextMagnification, CV_8UC1, cv::Scalar(0));
  cv::putText(mask, text, {0, (box.height - descent) * kTextMagnification}, kFont, type.scale,
              cv::Scalar(255), type.stroke, cv::LINE_AA);
  cv::resize(mask, mask, box, 0, 0, cv::INTER_AREA);
  const cv::Point corner(at.x, at.y - (box.height - descent));
  const cv::Rect place = cv::Rect(corner, box) & cv::Rect({}, sheet_.size());
  for (int y = place.y; y < place.br().y; ++y) {
    for (int x = place.x; x < place.br().x; ++x) {
      const double ink = mask.at<uchar>(y - corner.y, x - corner.x) / 255.0;
      auto& pixel = sheet_.at<cv::Vec3b>(y, x);
      for (int c = 0; c < 3; ++c) {
        pixel[c] = cv::saturate_cast<uchar>(pixel[c] + ink * (colour[c] - pixel[c]));
      }
    }
  }
}

void SheetCanvas::Fill(const cv::Rect& place, const cv::Scalar& colour) {
  if (!place.empty()) cv::rectangle(sheet_, place, colour, cv::FILLED);
}

void SheetCanvas::Frame(const cv::Rect& place, const cv::Scalar& colour, int thickness) {
  Fill({place.x, place.y, place.width, thickness}, colour);
  Fill({place.x, place.br().y - thickness, place.width, thickness}, colour);
  Fill({place.x, place.y, thickness, place.height}, colour);
  Fill({place.br().x - thickness, place.y, thickness, place.height}, colour);
}

void SheetCanvas::DrawImage(const std::vector<std::byte>& pixels, const ImageShape& shape,
                            const cv::Rect& place) {
  const bool grey = shape.channels == 1;
  // OpenCV has no image of constant pixels; this one is only read.
  const cv::Mat raw(shape.height, shape.width, grey ? CV_8UC1 : CV_8UC3,
                    const_cast<std::byte*>(pixels.data()));
  cv::Mat image;
  cv::cvtColor(raw, image, grey ? cv::COLOR_GRAY2BGR : cv::COLOR_RGB2BGR);
  cv::resize(image, sheet_(place), place.size(), 0, 0, cv::INTER_NEAREST);
}

void SheetCanvas::DrawBar(float weight, const cv::Rect& place, const cv::Scalar& colour) {
  Fill(place, sheet_colour::kTrack);
  Fill({place.x, place.y, Length(weight, place.width), place.height}, colour);
}

void SheetCanvas::DrawShares(const std::vector<float>& shares, const cv::Rect& place) {
  float sum = 0;
  int from = 0;
  for (size_t s = 0; s < shares.size(); ++s) {
    sum += shares[s];
    const int to = std::min(place.width, Length(sum, place.width));
    Fill({place.x + from, place.y, to - from, place.height}, sheet_colour::kShares[s]);
    from = to;
  }
}

}  // namespace mixfeed
