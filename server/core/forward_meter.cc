#include "server/core/forward_meter.h"

#include <chrono>
#include <span>
#include <vector>

#include "augment/base/status_macros.h"
#include "server/core/plan_rows.h"

namespace mixfeed {
namespace {

// Enough that caches do not keep one step's views, few enough to hold.
constexpr int64_t kSteps = 4;

using Clock = std::chrono::steady_clock;

// One step's views as the guesser hands them to the model, pass by pass.
struct StepViews {
  int rows = 0;  // of one pass
  std::vector<std::vector<float>> passes;
};

absl::StatusOr<StepViews> RenderStep(const OpenedFeed& feed, Renderer* renderer,
                                     const Normalisation& normalisation, int64_t step) {
  MIXFEED_ASSIGN_OR_RETURN(const Plan plan, feed.maker->MakePlan(step));
  StepViews views{.rows = plan.unlabelled_rows, .passes = {}};
  const PixelFormat format{PixelType::kFloat32, PixelLayout::kNchw, normalisation};
  const auto floats = static_cast<size_t>(plan.unlabelled_rows * feed.dataset->shape.pixels());
  for (int k = 0; k < plan.views; ++k) {
    std::vector<RenderRow> rows;
    for (int i = 0; i < plan.unlabelled_rows; ++i) {
      const int row = plan.labelled_rows + k * plan.unlabelled_rows + i;
      const RenderView view = ViewOf(plan.rows[static_cast<size_t>(row)]);
      rows.push_back({.a = view, .b = view});
    }
    std::vector<float>& pass = views.passes.emplace_back(floats);
    MIXFEED_RETURN_IF_ERROR(
        renderer->Render(*feed.pool, rows, format, std::as_writable_bytes(std::span<float>(pass))));
  }
  return views;
}

}  // namespace

absl::StatusOr<ForwardRate> MeasureForwardRate(const OpenedFeed& feed, Renderer* renderer,
                                               GuessModel* model, int64_t duration_ms,
                                               const std::function<bool()>& stop) {
  std::vector<StepViews> steps;
  for (int64_t step = 0; step < kSteps; ++step) {
    MIXFEED_ASSIGN_OR_RETURN(StepViews views,
                             RenderStep(feed, renderer, model->info().normalisation, step));
    steps.push_back(std::move(views));
  }
  const bool batch_statistics = feed.spec.recipe.guess.batch_statistics;
  std::vector<float> probabilities(static_cast<size_t>(steps[0].rows) *
                                   static_cast<size_t>(model->info().classes));
  ForwardRate rate;
  const Clock::time_point start = Clock::now();
  std::chrono::duration<double> elapsed{};
  for (size_t at = 0; elapsed < std::chrono::milliseconds(duration_ms); at = (at + 1) % kSteps) {
    for (const std::vector<float>& pass : steps[at].passes) {
      if (stop()) return absl::CancelledError("the measurement was stopped");
      MIXFEED_RETURN_IF_ERROR(model->Guess(pass, steps[at].rows, batch_statistics, probabilities));
      rate.images += steps[at].rows;
    }
    elapsed = Clock::now() - start;
  }
  rate.images_per_second = static_cast<double>(rate.images) / elapsed.count();
  return rate;
}

}  // namespace mixfeed
