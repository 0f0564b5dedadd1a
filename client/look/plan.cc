#include "client/look/plan.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/look/text_table.h"
#include "client/spec/enum_text.h"

namespace mixfeed {
namespace {

// "y0,x0..y1,x1", the ends outside, as in the contract.
std::string BoxText(const v1::Box& box) {
  return absl::StrCat(box.y0(), ",", box.x0(), "..", box.y1(), ",", box.x1());
}

// What the map of a resampled view does at the image's centre: degrees, magnification, and how much
// the magnification changes from side to side.
std::string WarpText(const v1::PlanRow& row, const v1::ImageShape& image) {
  if (row.map_size() != 8) return "";
  const std::vector<double> map(row.map().begin(), row.map().end());
  const double x = (image.width() - 1) / 2.0;
  const double y = (image.height() - 1) / 2.0;
  const double d = map[6] * x + map[7] * y + 1;
  const double u = (map[0] * x + map[1] * y + map[2]) / d;
  const double v = (map[3] * x + map[4] * y + map[5]) / d;
  double u_x = (map[0] - u * map[6]) / d;
  double v_x = (map[3] - v * map[6]) / d;
  const double u_y = (map[1] - u * map[7]) / d;
  const double v_y = (map[4] - v * map[7]) / d;
  const double area = u_x * v_y - u_y * v_x;
  if (area < 0) {  // mirrored
    u_x = -u_x;
    v_x = -v_x;
  }
  constexpr double kDegrees = 180 / 3.14159265358979323846;
  std::string text =
      absl::StrFormat("%.1f deg, zoom %.3f", kDegrees * std::atan2(v_x - u_y, u_x + v_y),
                      1 / std::sqrt(std::abs(area)));
  if (map[6] != 0 || map[7] != 0) {
    absl::StrAppendFormat(&text, ", perspective %.3f,%.3f", map[6] * image.width(),
                          map[7] * image.height());
  }
  return text;
}

std::string LightText(const v1::PlanRow& row) {
  if (!row.has_contrast()) return "";
  return absl::StrFormat("brightness %+.3f, contrast %.3f", row.brightness(), row.contrast());
}

// "8 (0.25), 11 (0.125)": rows and their weights.
std::string FurtherText(const v1::PlanRow& row) {
  std::string text;
  for (int i = 0; i < row.more_partner_size(); ++i) {
    absl::StrAppendFormat(&text, "%s%d (%.6f)", i == 0 ? "" : ", ", row.more_partner(i),
                          row.more_weight(i));
  }
  return text;
}

// The columns of the plan's table. One that is empty in every row is left out.
class PlanTable {
 public:
  PlanTable(const v1::GetPlanResponse& plan, const v1::ImageShape& image)
      : sent_(plan.order().begin(), plan.order().end()) {
    const char* const heads[] = {"row",  "sample", "pool", "label",   "view",   "crop",    "flip",
                                 "warp", "light",  "hole", "partner", "lambda", "further", "box"};
    for (const char* head : heads) columns_.push_back({head});
    for (int i = 0; i < plan.rows_size(); ++i) Add(static_cast<uint32_t>(i), plan.rows(i), image);
  }

  void Print(std::ostream& out) const {
    std::vector<std::vector<std::string>> shown;
    for (const auto& column : columns_) {
      const bool empty = std::all_of(column.begin() + 1, column.end(),
                                     [](const std::string& cell) { return cell.empty(); });
      if (!empty) shown.push_back(column);
    }
    if (shown.empty()) return;
    TextTable table(Across(shown, 0));
    for (size_t i = 1; i < shown.front().size(); ++i) table.Add(Across(shown, i));
    table.Print(out);
  }

 private:
  void Add(uint32_t index, const v1::PlanRow& row, const v1::ImageShape& image) {
    const bool sent = sent_.contains(index);
    const bool mixed = row.partner() != index || row.more_partner_size() > 0;
    std::string partner = "partner only, not sent";
    if (sent) partner = mixed ? absl::StrCat(row.partner()) : "not mixed";
    const std::string cells[] = {absl::StrCat(index),
                                 absl::StrCat(row.sample()),
                                 EnumText(*v1::Pool_descriptor(), row.pool()),
                                 row.has_label() ? absl::StrCat(row.label()) : "-",
                                 absl::StrCat(row.view()),
                                 absl::StrCat(row.crop_y(), ",", row.crop_x()),
                                 row.flip() ? "yes" : "no",
                                 WarpText(row, image),
                                 LightText(row),
                                 row.has_hole() ? BoxText(row.hole()) : "",
                                 partner,
                                 sent ? absl::StrFormat("%.6f", row.lambda()) : "-",
                                 FurtherText(row),
                                 row.has_box() ? BoxText(row.box()) : ""};
    for (size_t i = 0; i < columns_.size(); ++i) columns_[i].push_back(cells[i]);
  }

  static std::vector<std::string> Across(const std::vector<std::vector<std::string>>& columns,
                                         size_t row) {
    std::vector<std::string> cells;
    for (const auto& column : columns) cells.push_back(column[row].empty() ? "-" : column[row]);
    return cells;
  }

  const std::set<uint32_t> sent_;
  std::vector<std::vector<std::string>> columns_;  // the head first
};

void Print(const v1::GetPlanResponse& plan, const v1::OpenFeedResponse& feed, std::ostream& out) {
  out << "step " << plan.step() << '\n';
  if (plan.unlabelled_weight() != 0) {
    out << absl::StrFormat("lambda_u %.6g, the weight of the unlabelled loss\n",
                           plan.unlabelled_weight());
  }
  if (plan.layer() != 0) {
    out << "layer " << plan.layer()
        << ": rows are sent unmixed; the trainer mixes this hidden layer by partner and lambda\n";
  } else if (feed.spec().recipe().mix().layers_size() > 0) {
    out << "layer 0: this step mixes the input, here\n";
  }
  out << '\n';
  PlanTable(plan, feed.image()).Print(out);
}

}  // namespace

Look LookAtPlan(const v1::GetPlanResponse& plan, const v1::OpenFeedResponse& feed) {
  std::ostringstream text;
  Print(plan, feed, text);
  return {.text = text.str(), .json = ToJson(plan)};
}

}  // namespace mixfeed
