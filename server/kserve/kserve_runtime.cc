#include "server/kserve/kserve_runtime.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>
#include <utility>

#include "augment/base/status_macros.h"
#include "augment/guess/not_yet.h"

namespace mixfeed {
namespace {

constexpr int kRowsOfTrial = 3;

// When there is nothing to probe.
constexpr std::chrono::hours kLongTime(24);

}  // namespace

KserveRuntime::KserveRuntime(const KserveOptions& options)
    : options_(options),
      prober_([this](const std::stop_token& stop) { ProbeUntilStopped(stop); }) {}

KserveRuntime::~KserveRuntime() {
  prober_.request_stop();
  MutexLock lock(&mu_);
  changed_.NotifyAll();
}

absl::Status KserveRuntime::Try(const GuessModelInfo& info, const std::string& address,
                                const std::stop_token& stop) {
  MIXFEED_ASSIGN_OR_RETURN(const std::shared_ptr<KserveModel> model,
                           KserveModel::Create(info, address, options_, &clock_, [] {}));
  const absl::Status found = model->Probe(stop);
  if (stop.stop_requested()) return absl::CancelledError("the registration was cancelled");
  MIXFEED_RETURN_IF_ERROR(found);
  std::mt19937 random(1);
  std::uniform_real_distribution<float> pixel(-1, 1);
  std::vector<float> views(static_cast<size_t>(kRowsOfTrial * info.input.pixels()));
  std::generate(views.begin(), views.end(), [&] { return pixel(random); });
  std::vector<float> probabilities(static_cast<size_t>(kRowsOfTrial * info.classes));
  return model->Guess(views, kRowsOfTrial, /*batch_statistics=*/false, probabilities);
}

absl::StatusOr<std::shared_ptr<GuessModel>> KserveRuntime::Load(const GuessModelInfo& info,
                                                                const std::string& address) {
  const auto opened = [this] {
    MutexLock lock(&mu_);
    changed_.NotifyAll();
  };
  MIXFEED_ASSIGN_OR_RETURN(std::shared_ptr<KserveModel> model,
                           KserveModel::Create(info, address, options_, &clock_, opened));
  MutexLock lock(&mu_);
  std::erase_if(models_, [](const auto& known) { return known.expired(); });
  models_.push_back(model);
  return model;
}

void KserveRuntime::SetReturned(std::function<void()> returned) {
  MutexLock lock(&returned_mu_);
  returned_ = std::move(returned);
}

void KserveRuntime::Stop() {
  MutexLock lock(&mu_);
  for (const std::weak_ptr<KserveModel>& known : models_) {
    if (const std::shared_ptr<KserveModel> model = known.lock()) model->Stop();
  }
}

KserveRuntime::Models KserveRuntime::WaitForDue(const std::stop_token& stop) {
  MutexLock lock(&mu_);
  while (!stop.stop_requested()) {
    const KserveClock::Time now = clock_.Now();
    KserveClock::Time next = now + kLongTime;
    Models due;
    for (const std::weak_ptr<KserveModel>& known : models_) {
      std::shared_ptr<KserveModel> model = known.lock();
      const auto probe_at = model ? model->probe_at() : std::nullopt;
      if (!probe_at) continue;
      if (*probe_at <= now) {
        due.push_back(std::move(model));
      } else {
        next = std::min(next, *probe_at);
      }
    }
    if (!due.empty()) return due;
    changed_.WaitUntil(&mu_, next);
  }
  return {};
}

void KserveRuntime::ProbeUntilStopped(const std::stop_token& stop) {
  for (;;) {
    const Models due = WaitForDue(stop);
    if (due.empty()) return;
    bool answered = false;
    for (const std::shared_ptr<KserveModel>& model : due) {
      const absl::Status status = model->Probe(stop);
      if (IsNotYet(status)) continue;
      // One that does not fit is no longer waited for either: whoever asks it is told why.
      spdlog::info("guess model {} answers again: {}", model->info().name, model->environment());
      answered = true;
    }
    if (!answered) continue;
    MutexLock lock(&returned_mu_);
    returned_();
  }
}

}  // namespace mixfeed
