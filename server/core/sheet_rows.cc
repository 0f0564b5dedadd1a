#include "server/core/sheet_rows.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "server/core/plan_rows.h"

namespace mixfeed {
namespace {

constexpr PixelFormat kFormat{
    .type = PixelType::kUint8, .layout = PixelLayout::kNhwc, .normalisation = {}};

constexpr size_t kTopClasses = 3;
constexpr float kSmallestShown = 0.005f;  // below it a weight reads "0.00"

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
  return label == kNoLabel ? "?" : dataset.class_names[static_cast<size_t>(label)];
}

// Makes the step's batch and takes rows out of it.
class Collector {
 public:
  Collector(const OpenedFeed& feed, Renderer* renderer) : feed_(feed), renderer_(renderer) {}

  absl::StatusOr<std::vector<SheetRow>> Collect(int64_t step, int count) {
    MIXFEED_ASSIGN_OR_RETURN(plan_, feed_.maker->MakePlan(step));
    // A pool of its own: the engine has promised the server's slots to consumers.
    SlotPool slots(renderer_, feed_.maker->SlotBytes(kFormat, Share{}));
    MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<const Batch> batch,
                             feed_.maker->Make(step, kFormat, Share{}, &slots));
    const auto total = static_cast<size_t>(plan_.size());
    const size_t taken = std::min(total, static_cast<size_t>(count));
    std::vector<SheetRow> rows(taken);
    for (size_t i = 0; i < taken; ++i) {
      MIXFEED_RETURN_IF_ERROR(Fill(*batch, i * total / taken, &rows[i]));
    }
    return rows;
  }

 private:
  absl::Status Fill(const Batch& batch, size_t r, SheetRow* row) const {
    const size_t bytes = ImageBytes(batch.shape, kFormat.type);
    const auto classes = static_cast<size_t>(batch.classes);
    const std::span<const std::byte> mixed = batch.pixels.subspan(r * bytes, bytes);
    row->mixed.assign(mixed.begin(), mixed.end());
    const auto partner = static_cast<size_t>(plan_.partner[r]);
    row->is_mixed = partner != r;
    row->lambda = plan_.lambda[r];
    row->group = GroupName(plan_, plan_.rows[r]);
    row->classes = TopClasses(*feed_.dataset, batch.targets.subspan(r * classes, classes));
    const size_t views[] = {r, partner};
    for (size_t s = 0; s < row->sources.size(); ++s) {
      MIXFEED_RETURN_IF_ERROR(RenderSource(views[s], &row->sources[s]));
      row->source_names[s] = SourceName(*feed_.dataset, plan_.rows[views[s]]);
    }
    return absl::OkStatus();
  }

  absl::Status RenderSource(size_t source, std::vector<std::byte>* pixels) const {
    pixels->resize(ImageBytes(feed_.dataset->shape, kFormat.type));
    const RenderView view = ViewOf(plan_, static_cast<int32_t>(source));
    const RenderRow row{.a = view, .b = view};
    return renderer_->Render(*feed_.pool, std::span(&row, 1), kFormat, *pixels);
  }

  const OpenedFeed& feed_;
  Renderer* const renderer_;
  Plan plan_;
};

}  // namespace

absl::StatusOr<std::vector<SheetRow>> CollectSheetRows(const OpenedFeed& feed, Renderer* renderer,
                                                       int64_t step, int count) {
  return Collector(feed, renderer).Collect(step, count);
}

}  // namespace mixfeed
