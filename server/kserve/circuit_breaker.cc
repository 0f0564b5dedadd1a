#include "server/kserve/circuit_breaker.h"

#include <algorithm>

namespace mixfeed {

void CircuitBreaker::Succeeded() {
  if (open_) return;
  failures_ = 0;
  open_for_ = options_.first_open;
}

void CircuitBreaker::Failed(Time now) {
  if (open_) return;
  if (++failures_ >= options_.failures_to_open) Open(now);
}

CircuitBreaker::Pause CircuitBreaker::RetryPause() {
  Pause pause = options_.first_retry;
  for (int failure = 1; failure < failures_ && pause < options_.longest_retry; ++failure) {
    pause *= 2;
  }
  return Draw(std::min(pause, options_.longest_retry));
}

void CircuitBreaker::Open(Time now) {
  open_ = true;
  probe_at_ = now + Draw(open_for_);
  open_for_ = std::min(open_for_ * 2, options_.longest_open);
}

void CircuitBreaker::CloseOnTrial() {
  open_ = false;
  failures_ = options_.failures_to_open - 1;
}

CircuitBreaker::Pause CircuitBreaker::Draw(Pause longest) {
  std::uniform_int_distribution<Pause::rep> pause((longest.count() + 1) / 2, longest.count());
  return Pause(pause(random_));
}

}  // namespace mixfeed
