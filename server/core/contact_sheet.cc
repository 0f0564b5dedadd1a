#include "server/core/contact_sheet.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "server/core/sheet_rows.h"

namespace mixfeed {
namespace {

constexpr int64_t kMaxSheetPixels = int64_t{64} << 20;
constexpr size_t kMaxNameLength = 12;
constexpr int kMaxColumns = 6;

constexpr int kMargin = 20;    // around the sheet
constexpr int kGap = 6;        // between images, and between cells
constexpr int kPad = 10;       // inside a cell
constexpr int kLine = 17;      // height of a line of text
constexpr int kTextLines = 5;  // group, lambda, three classes
constexpr int kTitle = 58;     // height of the title
constexpr int kMinCell = 210;  // width that fits the longest line of text
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kTextScale = 0.42;
constexpr double kTitleScale = 0.62;

// Blue, green, red.
const cv::Scalar kPaper(250, 249, 247);
const cv::Scalar kCard(255, 255, 255);
const cv::Scalar kFrame(222, 218, 214);
const cv::Scalar kInk(48, 40, 36);
const cv::Scalar kFaint(140, 130, 124);
const cv::Scalar kBar(196, 148, 74);

// Sizes that follow from the images, and where things go.
class Layout {
 public:
  Layout(const ImageShape& image, int scale, int count)
      : source_(image.width * scale, image.height * scale),
        mixed_(source_ * 2),
        columns_(std::min(kMaxColumns, count)),
        lines_((count + columns_ - 1) / columns_) {}

  cv::Size source() const { return source_; }
  cv::Size mixed() const { return mixed_; }
  cv::Size sheet() const {
    return {2 * kMargin + columns_ * cell().width + (columns_ - 1) * kGap,
            2 * kMargin + kTitle + lines_ * cell().height + (lines_ - 1) * kGap};
  }
  cv::Size cell() const {
    const int images = mixed_.width + kGap + source_.width;
    return {2 * kPad + std::max(images, kMinCell), 3 * kPad + Images() + kTextLines * kLine};
  }
  cv::Point CellAt(int index) const {
    return {kMargin + index % columns_ * (cell().width + kGap),
            kMargin + kTitle + index / columns_ * (cell().height + kGap)};
  }
  // Places inside a cell, from its corner.
  cv::Point MixedAt() const { return {kPad, kPad}; }
  cv::Point SourceAt(int s) const {
    return {kPad + mixed_.width + kGap, kPad + s * (source_.height + kLine)};
  }
  cv::Point TextAt(int line) const {
    return {kPad, 2 * kPad + Images() + line * kLine + kLine / 2};
  }

 private:
  int Images() const { return std::max(mixed_.height, 2 * (source_.height + kLine)); }

  const cv::Size source_;
  const cv::Size mixed_;
  const int columns_;
  const int lines_;
};

std::string Short(const std::string& name) {
  if (name.size() <= kMaxNameLength) return name;
  return name.substr(0, kMaxNameLength - 2) + "..";
}

// Draws a sheet cell by cell. OpenCV's exceptions pass through.
class Painter {
 public:
  Painter(const ImageShape& image, const Layout& layout)
      : image_(image), layout_(layout), sheet_(layout.sheet(), CV_8UC3, kPaper) {}

  void DrawTitle(const std::string& title, const std::string& subtitle) {
    Write(title, {kMargin, kMargin + 18}, kTitleScale, kInk);
    Write(subtitle, {kMargin, kMargin + 40}, kTextScale, kFaint);
  }

  void DrawCell(const SheetRow& row, cv::Point corner) {
    cv::rectangle(sheet_, cv::Rect(corner, layout_.cell()), kCard, cv::FILLED);
    cv::rectangle(sheet_, cv::Rect(corner, layout_.cell()), kFrame);
    DrawImage(row.mixed, cv::Rect(corner + layout_.MixedAt(), layout_.mixed()));
    for (int s = 0; s < (row.is_mixed ? 2 : 1); ++s) {
      const cv::Rect place(corner + layout_.SourceAt(s), layout_.source());
      DrawImage(row.sources[static_cast<size_t>(s)], place);
      Write(Short(row.source_names[static_cast<size_t>(s)]),
            {place.x, place.y + place.height + kLine - 5}, kTextScale, kFaint);
    }
    Write(row.group, corner + layout_.TextAt(0), kTextScale, kFaint);
    const std::string mixing =
        row.is_mixed ? absl::StrFormat("lambda %.3f", row.lambda) : std::string("not mixed");
    Write(mixing, corner + layout_.TextAt(1), kTextScale, kInk);
    for (size_t i = 0; i < row.classes.size(); ++i) {
      DrawClass(row.classes[i], corner + layout_.TextAt(static_cast<int>(i) + 2));
    }
  }

  const cv::Mat& sheet() const { return sheet_; }

 private:
  void Write(const std::string& text, cv::Point at, double scale, const cv::Scalar& colour) {
    cv::putText(sheet_, text, at, kFont, scale, colour, 1, cv::LINE_AA);
  }

  void DrawImage(const std::vector<std::byte>& pixels, const cv::Rect& place) {
    const bool grey = image_.channels == 1;
    // OpenCV has no image of constant pixels; this one is only read.
    const cv::Mat raw(image_.height, image_.width, grey ? CV_8UC1 : CV_8UC3,
                      const_cast<std::byte*>(pixels.data()));
    cv::Mat image;
    cv::cvtColor(raw, image, grey ? cv::COLOR_GRAY2BGR : cv::COLOR_RGB2BGR);
    cv::resize(image, sheet_(place), place.size(), 0, 0, cv::INTER_NEAREST);
    cv::rectangle(sheet_, place, kFrame);
  }

  // Name, weight, and a bar as long as the weight says.
  void DrawClass(const std::pair<std::string, float>& named, cv::Point at) {
    constexpr int kNameWidth = 96;
    constexpr int kNumberWidth = 36;
    const int widest = layout_.cell().width - 2 * kPad - kNameWidth - kNumberWidth;
    Write(Short(named.first), at, kTextScale, kInk);
    Write(absl::StrFormat("%.2f", named.second), at + cv::Point(kNameWidth, 0), kTextScale, kInk);
    const int length = std::max(1, static_cast<int>(named.second * static_cast<float>(widest)));
    const cv::Point bar = at + cv::Point(kNameWidth + kNumberWidth, -kLine / 2);
    cv::rectangle(sheet_, cv::Rect(bar, cv::Size(length, kLine / 2)), kBar, cv::FILLED);
  }

  const ImageShape image_;
  const Layout layout_;
  cv::Mat sheet_;
};

absl::Status CheckSize(const Layout& layout, int rows, int scale) {
  const int64_t pixels = int64_t{layout.sheet().width} * layout.sheet().height;
  if (pixels <= kMaxSheetPixels) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("rows is ", rows, " and scale ", scale,
                                                 ": the sheet would have ", pixels,
                                                 " pixels; allowed: at most ", kMaxSheetPixels));
}

ContactSheet Draw(const OpenedFeed& feed, const SheetOptions& options,
                  const std::vector<SheetRow>& rows) {
  const ImageShape& image = feed.dataset->shape;
  const Layout layout(image, options.scale, static_cast<int>(rows.size()));
  Painter painter(image, layout);
  painter.DrawTitle(
      absl::StrCat(feed.spec.recipe.preset, " on ", feed.spec.dataset, ", step ", options.step),
      absl::StrCat("feed ", feed.id, ", run ", feed.run, "; ", rows.size(), " of ",
                   feed.spec.rows(), " rows"));
  for (size_t i = 0; i < rows.size(); ++i) {
    painter.DrawCell(rows[i], layout.CellAt(static_cast<int>(i)));
  }
  std::vector<uchar> png;
  cv::imencode(".png", painter.sheet(), png);
  return {.png = std::string(png.begin(), png.end()),
          .width = painter.sheet().cols,
          .height = painter.sheet().rows};
}

}  // namespace

absl::StatusOr<ContactSheet> DrawContactSheet(const OpenedFeed& feed, Renderer* renderer,
                                              const SheetOptions& options) {
  const int most = std::min(options.rows, feed.spec.rows());
  MIXFEED_RETURN_IF_ERROR(
      CheckSize(Layout(feed.dataset->shape, options.scale, most), most, options.scale));
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<SheetRow> rows,
                           CollectSheetRows(feed, renderer, options.step, options.rows));
  try {
    return Draw(feed, options, rows);
  } catch (const cv::Exception& error) {
    return absl::InternalError(absl::StrCat("the contact sheet cannot be drawn: ", error.what()));
  }
}

}  // namespace mixfeed
