#ifndef MIXFEED_AUGMENT_GUESS_JOURNAL_CHECKS_H_
#define MIXFEED_AUGMENT_GUESS_JOURNAL_CHECKS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "augment/guess/journal.h"

namespace mixfeed {

// What every journal refuses, in the same words wherever the guesses are kept (journal.h).

// Bounds how long one Insert keeps others waiting.
inline constexpr int kMaxDropsPerInsert = 1000;

// The limit, or, of 0, the highest number: no limit.
int64_t LimitOr(int64_t limit);

// InvalidArgument for limits that no journal takes.
absl::Status ValidateLimits(int64_t max_steps_per_feed, int64_t max_bytes);

// InvalidArgument unless the guess's sizes fit each other and there are a feed id and a step from
// 0.
absl::Status ValidateEntry(const std::string& feed_id, int64_t step, const StepGuess& guess);

// InvalidArgument unless a feed `forked_id` may be forked of `feed_id` at `step`.
absl::Status ValidateFork(const std::string& feed_id, int64_t step, const std::string& forked_id);

// FailedPrecondition for a guess of `bytes` that alone is more than the journal keeps.
absl::Status CheckGuessBytes(const std::string& feed_id, int64_t step, int64_t bytes,
                             int64_t max_bytes);

// FailedPrecondition: the step was dropped, as all of its feed up to `dropped_through` were.
absl::Status StepDroppedError(const std::string& feed_id, int64_t step, int64_t dropped_through,
                              int64_t max_steps_per_feed, int64_t max_bytes);

// AlreadyExists: `forked_id` has a past of its own.
absl::Status ForkedElsewhereError(const std::string& forked_id);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_JOURNAL_CHECKS_H_
