#include "augment/guess/journal_checks.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

constexpr int64_t kMinMaxBytes = int64_t{1} << 20;

}  // namespace

int64_t LimitOr(int64_t limit) { return limit > 0 ? limit : std::numeric_limits<int64_t>::max(); }

absl::Status ValidateLimits(int64_t max_steps_per_feed, int64_t max_bytes) {
  if (max_steps_per_feed < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "journal: max_steps_per_feed is ", max_steps_per_feed, "; allowed: at least 0 (no limit)"));
  }
  if (max_bytes == 0 || max_bytes >= kMinMaxBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "journal: max_bytes is ", max_bytes, "; allowed: 0 (no limit) and at least ", kMinMaxBytes));
}

absl::Status ValidateEntry(const std::string& feed_id, int64_t step, const StepGuess& guess) {
  const bool sized =
      guess.rows > 0 && guess.classes > 0 &&
      std::cmp_equal(guess.probabilities.size(), int64_t{guess.rows} * guess.classes);
  if (!feed_id.empty() && step >= 0 && sized) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "journal: guess of feed '", feed_id, "', step ", step, " has ", guess.probabilities.size(),
      " probabilities for ", guess.rows, " rows of ", guess.classes,
      " classes; allowed: rows * classes of them, a feed id, a step from 0"));
}

absl::Status ValidateFork(const std::string& feed_id, int64_t step, const std::string& forked_id) {
  if (!feed_id.empty() && !forked_id.empty() && feed_id != forked_id && step >= 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("journal: a fork of feed '", feed_id, "' at step ",
                                                 step, " as '", forked_id,
                                                 "'; allowed: two feeds' ids, a step from 0"));
}

absl::Status CheckGuessBytes(const std::string& feed_id, int64_t step, int64_t bytes,
                             int64_t max_bytes) {
  if (bytes <= LimitOr(max_bytes)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the guess of feed ", feed_id, ", step ", step,
                                                    " takes ", bytes, " bytes; the journal keeps ",
                                                    max_bytes));
}

absl::Status StepDroppedError(const std::string& feed_id, int64_t step, int64_t dropped_through,
                              int64_t max_steps_per_feed, int64_t max_bytes) {
  const auto limit_text = [](int64_t limit, const char* what) {
    return limit > 0 ? absl::StrCat(limit, what) : absl::StrCat("all", what);
  };
  return absl::FailedPreconditionError(absl::StrCat(
      "the guess of feed ", feed_id, ", step ", step, " is no longer in the journal, which keeps ",
      limit_text(max_steps_per_feed, " steps of a feed"), " and ",
      limit_text(max_bytes, " bytes over all"),
      " (--journal-max-steps, --journal-max-bytes), or it was lost with a damaged file; the oldest "
      "step from which all can be replayed is ",
      dropped_through + 1, "; fork the run there, or open a new one"));
}

absl::Status ForkedElsewhereError(const std::string& forked_id) {
  return absl::AlreadyExistsError(
      absl::StrCat("feed ", forked_id, " has guesses of its own, or was forked elsewhere"));
}

}  // namespace mixfeed
