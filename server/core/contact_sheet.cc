#include "server/core/contact_sheet.h"

#include <algorithm>
#include <numeric>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "augment/base/status_macros.h"
#include "server/core/plan_rows.h"

namespace mixfeed {
namespace {

constexpr PixelFormat kSheetFormat{
    .type = PixelType::kUint8, .layout = PixelLayout::kNhwc, .normalisation = {}};

constexpr int kTopClasses = 3;
constexpr float kSmallestShown = 0.005f;  // below it a class reads "0.00"
constexpr size_t kMaxNameLength = 12;
constexpr int kMaxColumns = 6;

constexpr int kMargin = 20;    // around the sheet
constexpr int kGap = 6;        // between the images of a cell
constexpr int kPad = 10;       // inside a cell
constexpr int kLine = 17;      // height of a line of text
constexpr int kTitle = 58;     // height of the title
constexpr int kMinCell = 190;  // fits the longest line of text
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

// What is drawn of one row.
struct Cell {
  cv::Mat mixed;
  cv::Mat sources[2];
  std::string source_names[2];
  float lambda = 1;
  bool is_mixed = false;
  std::string group;
  std::vector<std::pair<std::string, float>> classes;
};

std::string Short(const std::string& name) {
  if (name.size() <= kMaxNameLength) return name;
  return name.substr(0, kMaxNameLength - 2) + "..";
}

// `count` of `total` indices, spread evenly: with K + 1 equal groups each gets its share.
std::vector<size_t> Spread(size_t total, size_t count) {
  count = std::min(total, count);
  std::vector<size_t> chosen(count);
  for (size_t i = 0; i < count; ++i) chosen[i] = i * total / count;
  return chosen;
}

cv::Mat ImageOf(std::span<const std::byte> pixels, const ImageShape& shape, int scale) {
  const int type = shape.channels == 1 ? CV_8UC1 : CV_8UC3;
  const cv::Mat raw(shape.height, shape.width, type, const_cast<std::byte*>(pixels.data()));
  cv::Mat image;
  cv::cvtColor(raw, image, shape.channels == 1 ? cv::COLOR_GRAY2BGR : cv::COLOR_RGB2BGR);
  cv::resize(image, image, {}, scale, scale, cv::INTER_NEAREST);
  return image;
}

std::vector<std::pair<std::string, float>> TopClasses(const Dataset& dataset,
                                                      std::span<const float> target) {
  std::vector<size_t> order(target.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return target[a] > target[b]; });
  std::vector<std::pair<std::string, float>> top;
  for (const size_t c : order) {
    if (top.size() == kTopClasses || target[c] < kSmallestShown) break;
    top.emplace_back(dataset.class_names[c], target[c]);
  }
  return top;
}

std::string GroupName(const Plan& plan, const ViewPlan& view) {
  switch (view.pool) {
    case PoolId::kLabelled:
      return "labelled";
    case PoolId::kUnlabelled:
      return plan.views > 1 ? absl::StrCat("unlabelled, view ", view.view + 1) : "unlabelled";
    case PoolId::kValidation:
      return "validation";
    case PoolId::kTest:
      return "test";
  }
  return "";
}

std::string SourceName(const Dataset& dataset, const ViewPlan& view) {
  const int label = LabelToShow(dataset, view, /*reveal=*/false);
  if (label == kNoLabel) return "?";
  return Short(dataset.class_names[static_cast<size_t>(label)]);
}

// Makes the step's batch and cuts the chosen rows out of it.
class CellMaker {
 public:
  CellMaker(const OpenedFeed& feed, Renderer* renderer, const SheetOptions& options)
      : feed_(feed), renderer_(renderer), options_(options) {}

  absl::StatusOr<std::vector<Cell>> Make() {
    MIXFEED_ASSIGN_OR_RETURN(plan_, feed_.maker->MakePlan(options_.step));
    // A pool of its own: the engine has promised the server's slots to consumers.
    SlotPool slots(renderer_, feed_.maker->SlotBytes(kSheetFormat, Share{}));
    MIXFEED_ASSIGN_OR_RETURN(batch_,
                             feed_.maker->Make(options_.step, kSheetFormat, Share{}, &slots));
    absl::StatusOr<std::vector<Cell>> cells = MakeCells();
    batch_.reset();  // before its slot's pool
    return cells;
  }

 private:
  absl::StatusOr<std::vector<Cell>> MakeCells() {
    std::vector<Cell> cells;
    for (const size_t r : Spread(plan_.rows.size(), static_cast<size_t>(options_.rows))) {
      MIXFEED_ASSIGN_OR_RETURN(Cell cell, MakeCell(r));
      cells.push_back(std::move(cell));
    }
    return cells;
  }

  absl::StatusOr<Cell> MakeCell(size_t r) {
    const ImageShape& shape = feed_.dataset->shape;
    const size_t bytes = ImageBytes(shape, kSheetFormat.type);
    const auto classes = static_cast<size_t>(batch_->classes);
    Cell cell;
    cell.mixed = ImageOf(batch_->pixels.subspan(r * bytes, bytes), shape, 2 * options_.scale);
    cell.lambda = plan_.lambda[r];
    cell.is_mixed = static_cast<size_t>(plan_.partner[r]) != r;
    cell.group = GroupName(plan_, plan_.rows[r]);
    cell.classes = TopClasses(*feed_.dataset, batch_->targets.subspan(r * classes, classes));
    const size_t rows[] = {r, static_cast<size_t>(plan_.partner[r])};
    for (size_t s = 0; s < 2; ++s) {
      MIXFEED_ASSIGN_OR_RETURN(cell.sources[s], RenderSource(plan_.rows[rows[s]]));
      cell.source_names[s] = SourceName(*feed_.dataset, plan_.rows[rows[s]]);
    }
    return cell;
  }

  absl::StatusOr<cv::Mat> RenderSource(const ViewPlan& view) {
    const RenderRow row{.a = ViewOf(view), .b = ViewOf(view)};
    std::vector<std::byte> pixels(ImageBytes(feed_.dataset->shape, kSheetFormat.type));
    MIXFEED_RETURN_IF_ERROR(
        renderer_->Render(*feed_.pool, std::span(&row, 1), kSheetFormat, pixels));
    return ImageOf(pixels, feed_.dataset->shape, options_.scale);
  }

  const OpenedFeed& feed_;
  Renderer* const renderer_;
  const SheetOptions options_;
  Plan plan_;
  std::shared_ptr<const Batch> batch_;
};

void Write(cv::Mat* sheet, const std::string& text, cv::Point at, double scale,
           const cv::Scalar& colour) {
  cv::putText(*sheet, text, at, kFont, scale, colour, 1, cv::LINE_AA);
}

void Paste(const cv::Mat& image, cv::Point at, cv::Mat* sheet) {
  image.copyTo((*sheet)(cv::Rect(at, image.size())));
  cv::rectangle(*sheet, cv::Rect(at, image.size()), kFrame);
}

// Sizes that follow from the images, and where things go.
class Layout {
 public:
  Layout(const std::vector<Cell>& cells, int count)
      : mixed_(cells.front().mixed.size()), source_(cells.front().sources[0].size()) {
    columns_ = std::min(kMaxColumns, count);
    lines_ = (count + columns_ - 1) / columns_;
  }

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
  // Of a cell's content, from its corner.
  cv::Point MixedAt() const { return {kPad, kPad}; }
  cv::Point SourceAt(int s) const {
    return {kPad + mixed_.width + kGap, kPad + s * (source_.height + kLine)};
  }
  cv::Point TextAt(int line) const {
    return {kPad, 2 * kPad + Images() + line * kLine + kLine / 2};
  }
  cv::Size source() const { return source_; }

 private:
  static constexpr int kTextLines = 2 + kTopClasses;
  int Images() const { return std::max(mixed_.height, 2 * (source_.height + kLine)); }

  const cv::Size mixed_;
  const cv::Size source_;
  int columns_ = 1;
  int lines_ = 1;
};

void DrawClasses(const Cell& cell, const Layout& layout, cv::Point corner, cv::Mat* sheet) {
  constexpr int kNameWidth = 96;
  constexpr int kNumberWidth = 36;
  const int widest = layout.cell().width - 2 * kPad - kNameWidth - kNumberWidth;
  for (size_t i = 0; i < cell.classes.size(); ++i) {
    const auto& [name, weight] = cell.classes[i];
    const cv::Point at = corner + layout.TextAt(static_cast<int>(i) + 2);
    Write(sheet, Short(name), at, kTextScale, kInk);
    Write(sheet, absl::StrFormat("%.2f", weight), at + cv::Point(kNameWidth, 0), kTextScale, kInk);
    const int length = std::max(1, static_cast<int>(weight * static_cast<float>(widest)));
    const cv::Point bar = at + cv::Point(kNameWidth + kNumberWidth, -kLine / 2);
    cv::rectangle(*sheet, cv::Rect(bar, cv::Size(length, kLine / 2)), kBar, cv::FILLED);
  }
}

void DrawCell(const Cell& cell, const Layout& layout, cv::Point corner, cv::Mat* sheet) {
  cv::rectangle(*sheet, cv::Rect(corner, layout.cell()), kCard, cv::FILLED);
  cv::rectangle(*sheet, cv::Rect(corner, layout.cell()), kFrame);
  Paste(cell.mixed, corner + layout.MixedAt(), sheet);
  for (int s = 0; s < (cell.is_mixed ? 2 : 1); ++s) {
    const cv::Point at = corner + layout.SourceAt(s);
    Paste(cell.sources[s], at, sheet);
    Write(sheet, cell.source_names[s], at + cv::Point(0, layout.source().height + 12), kTextScale,
          kFaint);
  }
  Write(sheet, cell.group, corner + layout.TextAt(0), kTextScale, kFaint);
  const std::string mixing =
      cell.is_mixed ? absl::StrFormat("lambda %.3f", cell.lambda) : std::string("not mixed");
  Write(sheet, mixing, corner + layout.TextAt(1), kTextScale, kInk);
  DrawClasses(cell, layout, corner, sheet);
}

absl::StatusOr<ContactSheet> Encode(const cv::Mat& sheet) {
  std::vector<uchar> png;
  try {
    cv::imencode(".png", sheet, png);
  } catch (const cv::Exception& error) {
    return absl::InternalError(absl::StrCat("the contact sheet cannot be encoded: ", error.what()));
  }
  return ContactSheet{
      .png = std::string(png.begin(), png.end()), .width = sheet.cols, .height = sheet.rows};
}

}  // namespace

absl::StatusOr<ContactSheet> DrawContactSheet(const OpenedFeed& feed, Renderer* renderer,
                                              const SheetOptions& options) {
  MIXFEED_ASSIGN_OR_RETURN(const std::vector<Cell> cells,
                           CellMaker(feed, renderer, options).Make());
  const Layout layout(cells, static_cast<int>(cells.size()));
  cv::Mat sheet(layout.sheet(), CV_8UC3, kPaper);
  Write(&sheet,
        absl::StrCat(feed.spec.recipe.preset, " on ", feed.spec.dataset, ", step ", options.step),
        {kMargin, kMargin + 18}, kTitleScale, kInk);
  Write(&sheet,
        absl::StrCat("feed ", feed.id, ", run ", feed.run, "; ", cells.size(), " of ",
                     feed.spec.rows(), " rows"),
        {kMargin, kMargin + 40}, kTextScale, kFaint);
  for (size_t i = 0; i < cells.size(); ++i) {
    DrawCell(cells[i], layout, layout.CellAt(static_cast<int>(i)), &sheet);
  }
  return Encode(sheet);
}

}  // namespace mixfeed
