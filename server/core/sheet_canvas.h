#ifndef MIXFEED_SERVER_CORE_SHEET_CANVAS_H_
#define MIXFEED_SERVER_CORE_SHEET_CANVAS_H_

#include <array>
#include <cstddef>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "augment/pool/dataset.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// Colours of a contact sheet: blue, green, red.
namespace sheet_colour {
inline const cv::Scalar kPaper(250, 248, 246);
inline const cv::Scalar kCard(255, 255, 255);
inline const cv::Scalar kFrame(224, 220, 216);
inline const cv::Scalar kTrack(240, 237, 234);  // the empty part of a bar
inline const cv::Scalar kInk(44, 36, 32);
inline const cv::Scalar kFaint(122, 112, 106);
inline const cv::Scalar kBar(150, 128, 112);
inline const cv::Scalar kHole(160, 38, 214);  // the outline of a hole
// What the row itself gives to the mixed image, its partner, and further partners.
inline const std::array<cv::Scalar, kMaxSources> kShares = {
    cv::Scalar(205, 122, 38), cv::Scalar(30, 118, 240), cv::Scalar(84, 158, 60),
    cv::Scalar(170, 80, 150), cv::Scalar(150, 160, 30), cv::Scalar(70, 60, 205),
    cv::Scalar(60, 96, 140),  cv::Scalar(130, 130, 130)};
}  // namespace sheet_colour

enum class TextSize { kSmall, kTitle };

// Height of a line of small text, in pixels.
inline constexpr int kSheetLine = 18;

// Width in pixels that `text` takes.
int TextWidth(const std::string& text, TextSize size);

// `text`, or as much of its beginning as fits into `width` pixels with ".." behind it.
std::string FitText(const std::string& text, TextSize size, int width);

// Draws a contact sheet's parts. OpenCV's exceptions pass through. Not thread safe.
class SheetCanvas {
 public:
  explicit SheetCanvas(cv::Size size) : sheet_(size, CV_8UC3, sheet_colour::kPaper) {}

  // `at` is the left end of the baseline. What is outside the sheet is cut off.
  void Write(const std::string& text, cv::Point at, TextSize size, const cv::Scalar& colour);

  void Fill(const cv::Rect& place, const cv::Scalar& colour);
  // A line of `thickness` pixels just inside `place`.
  void Frame(const cv::Rect& place, const cv::Scalar& colour, int thickness = 1);

  // Shows `pixels`, [height][width][channels] uint8 of `shape`, magnified to `place`.
  void DrawImage(const std::vector<std::byte>& pixels, const ImageShape& shape,
                 const cv::Rect& place);

  // A bar of the whole `place` for 1; `weight` is 0..1.
  void DrawBar(float weight, const cv::Rect& place, const cv::Scalar& colour);

  // The shares of a whole, one beside the other, each in its colour.
  void DrawShares(const std::vector<float>& shares, const cv::Rect& place);

  const cv::Mat& sheet() const { return sheet_; }

 private:
  cv::Mat sheet_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_SHEET_CANVAS_H_
