#include "server/engine/stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mixfeed {

using State = WantedBatch::State;

Stream::Stream(const Options& options, std::shared_ptr<BatchSeries> series, StepSequence steps,
               std::shared_ptr<const SlotPromise> promise, std::shared_ptr<BatchSink> sink)
    : options_(options),
      series_(std::move(series)),
      steps_(steps),
      promise_(std::move(promise)),
      sink_(std::move(sink)),
      credits_(options.credits) {}

int Stream::Capacity() const {
  if (options_.repeat) return 1;
  return std::min(credits_ + options_.prefetch, options_.slots - in_flight_);
}

void Stream::Refill() {
  if (ended()) return;
  while (!steps_.done() && static_cast<int>(window_.size()) < Capacity()) {
    std::shared_ptr<WantedBatch> batch = series_->Want(steps_.Take());
    if (!batch->settled()) batch->AddWaiter(weak_from_this());
    window_.push_back(std::move(batch));
  }
}

std::shared_ptr<WantedBatch> Stream::TakeQueued() {
  const auto queued = std::find_if(window_.begin(), window_.end(), [](const auto& batch) {
    return batch->state == State::kQueued;
  });
  if (queued == window_.end()) return nullptr;
  (*queued)->state = State::kMaking;
  return *queued;
}

bool Stream::HasQueued() const {
  return std::any_of(window_.begin(), window_.end(),
                     [](const auto& batch) { return batch->state == State::kQueued; });
}

bool Stream::CanDeliver() const {
  if (closed_) return false;
  if (end_.has_value() || AtLastStep()) return true;
  if (window_.empty()) return false;
  const State head = window_.front()->state;
  return head == State::kFailed || (head == State::kReady && credits_ > 0);
}

Delivery Stream::TakeDelivery() {
  if (end_.has_value()) return {nullptr, *end_, 0};
  if (AtLastStep()) return {nullptr, absl::OkStatus(), 0};
  const std::shared_ptr<WantedBatch> head = window_.front();
  if (head->state == State::kFailed) return {nullptr, head->error, 0};
  if (!options_.repeat) window_.pop_front();
  --credits_;
  ++in_flight_;
  if (const std::shared_ptr<SlotClaim> claim = head->claim.lock()) claim->KeepPromise(promise_);
  return {head->frame, absl::OkStatus(), head->step};
}

absl::Status Stream::Grant(int count, int ceiling) {
  if (ended()) return absl::OkStatus();
  if (count < 1 || count > ceiling - credits_) {
    return absl::InvalidArgumentError(absl::StrCat("credits.count is ", count, " and ", credits_,
                                                   " are outstanding; allowed: 1 and more, and ",
                                                   ceiling, " together"));
  }
  credits_ += count;
  return absl::OkStatus();
}

void Stream::FrameTaken() { in_flight_ = std::max(in_flight_ - 1, 0); }

Leftovers Stream::End(absl::Status status) {
  if (ended()) return {};
  end_ = std::move(status);
  return {std::move(window_), nullptr, nullptr};
}

Leftovers Stream::Close() {
  closed_ = true;
  return {std::move(window_), std::move(sink_), std::move(promise_)};
}

bool Stream::WaitsForClient() const {
  if (ended()) return false;
  if (in_flight_ > 0) return true;
  return credits_ == 0 && !window_.empty() && window_.front()->state == State::kReady;
}

bool Stream::WaitsForWeights() const {
  return !ended() && credits_ > 0 && !window_.empty() && window_.front()->state == State::kWaiting;
}

bool Stream::TriesAgain() const {
  return !ended() && !window_.empty() && !window_.front()->settled() &&
         !window_.front()->error.ok();
}

void Stream::CollectWaiting(std::set<BatchKey>* waiting) const {
  for (const std::shared_ptr<WantedBatch>& batch : window_) {
    if (batch->state == State::kWaiting) waiting->insert({series_, batch->step});
  }
}

void Stream::UpdateWaiting(Clock::time_point now, bool life) {
  if (!WaitsForClient()) {
    waiting_since_.reset();
  } else if (life || !waiting_since_.has_value()) {
    waiting_since_ = now;
  }
  if (WaitsForWeights()) {
    if (!weights_since_.has_value()) weights_since_ = now;
  } else if (!TriesAgain()) {
    weights_since_.reset();
  }
}

}  // namespace mixfeed
