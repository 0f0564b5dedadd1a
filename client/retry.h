#ifndef MIXFEED_CLIENT_RETRY_H_
#define MIXFEED_CLIENT_RETRY_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "client/cancellation.h"

namespace mixfeed {

enum class CallKind : uint8_t {
  kUnary,      // one request, one answer: the limit counts from the start
  kNewStream,  // a stream's first batch: the limit counts from the first failure
  kStream,     // a stream's next batch: likewise
};

// Whether a call of this kind that ended with `code` is made again. The table in retry.cc says why.
bool IsRetryable(CallKind kind, absl::StatusCode code);

struct RetryOptions {
  CallKind kind = CallKind::kUnary;
  int64_t limit_ms = 30'000;             // no attempt begins after it
  Cancellation* cancellation = nullptr;  // may be null; ends the waiting between attempts
};

// Calls `attempt` until it returns OK or an error that is not retryable, with pauses that double
// from 50 ms to 2 s (less up to a quarter, at random, so that many clients do not come back at
// once). Returns the last error when the limit does not leave time for another attempt; Cancelled
// when cancelled.
absl::Status Retry(const RetryOptions& options, const std::function<absl::Status()>& attempt);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_RETRY_H_
