#include "client/retry.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>

namespace mixfeed {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause(50);
constexpr milliseconds kLongestPause(2000);

// Every call that is retried is a pure read, or opens what is the same when opened twice (a feed of
// a new run too, since FeedHandle names the run); so a call whose answer was lost may be made
// again. Codes that are not listed would come back unchanged.
struct RetryableCode {
  absl::StatusCode code;
  bool unary;
  bool new_stream;
  bool stream;
};
constexpr RetryableCode kRetryableCodes[] = {
    // The server restarts, drains or cannot be reached: another one, or it itself, will answer.
    {absl::StatusCode::kUnavailable, true, true, true},
    // All slots or calls are taken now. A new stream that does not fit is refused for good; where
    // one comes back, the server may not have noticed yet that the lost connection's slots are
    // free.
    {absl::StatusCode::kResourceExhausted, true, false, true},
    // A server that was told to stop at once cancels its streams. Our own Cancel is looked at
    // first.
    {absl::StatusCode::kCancelled, false, true, true},
    // The server's idle limit: the trainer paused, say to evaluate, and goes on now. Streams carry
    // no deadline of our own.
    {absl::StatusCode::kDeadlineExceeded, false, true, true},
};

milliseconds Shortened(milliseconds pause) {
  thread_local std::minstd_rand random(std::random_device{}());
  const auto quarter = static_cast<uint32_t>(pause.count() / 4);
  return pause - milliseconds(random() % (quarter + 1));
}

// Returns whether it was cancelled meanwhile.
bool Sleep(Clock::time_point until, Cancellation* cancellation) {
  Cancellation never;
  return (cancellation != nullptr ? cancellation : &never)->WaitUntil(until);
}

}  // namespace

bool IsRetryable(CallKind kind, absl::StatusCode code) {
  for (const RetryableCode& retryable : kRetryableCodes) {
    if (retryable.code != code) continue;
    switch (kind) {
      case CallKind::kUnary:
        return retryable.unary;
      case CallKind::kNewStream:
        return retryable.new_stream;
      case CallKind::kStream:
        return retryable.stream;
    }
  }
  return false;
}

absl::Status Retry(const RetryOptions& options, const std::function<absl::Status()>& attempt) {
  const milliseconds limit(options.limit_ms);
  std::optional<Clock::time_point> deadline;
  if (options.kind == CallKind::kUnary) deadline = Clock::now() + limit;
  for (milliseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    const absl::Status status = attempt();
    if (status.ok() || !IsRetryable(options.kind, status.code())) return status;
    const Clock::time_point now = Clock::now();
    if (!deadline.has_value()) deadline = now + limit;
    const Clock::time_point next = now + Shortened(pause);
    if (next >= *deadline) return status;
    if (Sleep(next, options.cancellation)) return absl::CancelledError("cancelled by the caller");
  }
}

}  // namespace mixfeed
