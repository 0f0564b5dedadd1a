#include "server/core/forward_meter.h"

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

// Enough that caches do not keep one step's views, few enough to hold.
constexpr int64_t kSteps = 4;

// Passes asked for at once: twice as many as the runtime makes at once (torch_runtime.h), so that
// it never waits for the next one.
constexpr size_t kCallers = 4;

using Clock = std::chrono::steady_clock;

// The views of some steps as the guesser hands them to the model, pass by pass.
struct Passes {
  int rows = 0;  // of one pass
  std::vector<std::vector<float>> views;
};

absl::StatusOr<Passes> RenderPasses(const OpenedFeed& feed, const Normalisation& normalisation) {
  Passes passes;
  for (int64_t step = 0; step < kSteps; ++step) {
    MIXFEED_ASSIGN_OR_RETURN(const Plan plan, feed.maker->MakePlan(step));
    passes.rows = plan.unlabelled_rows;
    const auto floats = static_cast<size_t>(plan.unlabelled_rows * feed.dataset->shape.pixels());
    for (int k = 0; k < plan.views; ++k) {
      std::vector<float>& pass = passes.views.emplace_back(floats);
      MIXFEED_RETURN_IF_ERROR(feed.maker->RenderGuessView(plan, k, normalisation, pass));
    }
  }
  return passes;
}

struct CallerResult {
  absl::Status status;
  int64_t images = 0;
  double seconds = 0;
};

// Passes one after the other for `duration`, at least one unless `stop` says otherwise. The first
// one, in which the model may still be setting up, is not counted.
CallerResult CallModel(const Passes& passes, GuessModel* model, bool batch_statistics,
                       Clock::duration duration, const std::function<bool()>& stop) {
  CallerResult result;
  std::vector<float> probabilities(static_cast<size_t>(passes.rows) *
                                   static_cast<size_t>(model->info().classes));
  Clock::time_point start;
  for (size_t pass = 0; !stop(); ++pass) {
    result.status = model->Guess(passes.views[pass % passes.views.size()], passes.rows,
                                 batch_statistics, probabilities);
    if (!result.status.ok()) return result;
    const Clock::time_point now = Clock::now();
    if (pass == 0) {
      start = now;
      continue;
    }
    result.images += passes.rows;
    result.seconds = std::chrono::duration<double>(now - start).count();
    if (now - start >= duration) return result;
  }
  return result;
}

}  // namespace

absl::StatusOr<ForwardRate> MeasureForwardRate(const OpenedFeed& feed, GuessModel* model,
                                               int64_t duration_ms,
                                               const std::function<bool()>& stop) {
  MIXFEED_ASSIGN_OR_RETURN(const Passes passes, RenderPasses(feed, model->info().normalisation));
  std::atomic<bool> failed = false;
  const auto stop_or_failed = [&] { return failed || stop(); };
  std::array<CallerResult, kCallers> results;
  std::vector<std::thread> callers;
  for (CallerResult& result : results) {
    callers.emplace_back([&] {
      result = CallModel(passes, model, feed.spec.recipe.guess.batch_statistics,
                         std::chrono::milliseconds(duration_ms), stop_or_failed);
      if (!result.status.ok()) failed = true;
    });
  }
  for (std::thread& caller : callers) caller.join();
  if (stop()) return absl::CancelledError("the measurement was stopped");
  ForwardRate rate;
  for (const CallerResult& result : results) MIXFEED_RETURN_IF_ERROR(result.status);
  for (const CallerResult& result : results) {
    rate.images += result.images;
    rate.images_per_second += static_cast<double>(result.images) / result.seconds;
  }
  return rate;
}

}  // namespace mixfeed
