#include "server/core/forward_meter.h"

#include <array>
#include <chrono>
#include <span>
#include <thread>
#include <vector>

#include "augment/base/status_macros.h"
#include "server/core/plan_rows.h"

namespace mixfeed {
namespace {

// Enough that caches do not keep one step's views, few enough to hold.
constexpr int64_t kSteps = 4;

// Passes asked for at once: as many as the runtime makes at once, at most (torch_runtime.h).
constexpr size_t kCallers = 2;

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

struct CallerResult {
  absl::Status status;
  int64_t images = 0;
};

// Passes one after the other, until `done`.
CallerResult CallModel(const std::vector<StepViews>& steps, GuessModel* model,
                       bool batch_statistics, const std::function<bool()>& done) {
  CallerResult result;
  std::vector<float> probabilities(static_cast<size_t>(steps[0].rows) *
                                   static_cast<size_t>(model->info().classes));
  for (size_t at = 0;; at = (at + 1) % steps.size()) {
    for (const std::vector<float>& pass : steps[at].passes) {
      if (done()) return result;
      result.status = model->Guess(pass, steps[at].rows, batch_statistics, probabilities);
      if (!result.status.ok()) return result;
      result.images += steps[at].rows;
    }
  }
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
  const Clock::time_point start = Clock::now();
  const Clock::time_point end = start + std::chrono::milliseconds(duration_ms);
  const auto done = [&stop, end] { return stop() || Clock::now() >= end; };
  std::array<CallerResult, kCallers> results;
  std::vector<std::thread> callers;
  for (CallerResult& result : results) {
    callers.emplace_back(
        [&] { result = CallModel(steps, model, feed.spec.recipe.guess.batch_statistics, done); });
  }
  for (std::thread& caller : callers) caller.join();
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  if (stop()) return absl::CancelledError("the measurement was stopped");
  ForwardRate rate;
  for (const CallerResult& result : results) {
    MIXFEED_RETURN_IF_ERROR(result.status);
    rate.images += result.images;
  }
  rate.images_per_second = static_cast<double>(rate.images) / elapsed.count();
  return rate;
}

}  // namespace mixfeed
