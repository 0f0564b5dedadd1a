#ifndef MIXFEED_AUGMENT_GUESS_JOURNAL_H_
#define MIXFEED_AUGMENT_GUESS_JOURNAL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed {

// The finished guesses of one step: averaged over the views and sharpened.
struct StepGuess {
  int rows = 0;  // unlabelled images of the step
  int classes = 0;
  std::vector<float> probabilities;  // [rows][classes]
  std::string model;                 // name
  int64_t model_version = 0;
  int64_t age = 0;          // in updates: update(step) less the update of the weights, not below 0
  std::string environment;  // GuessModelInfo::environment
  // The feed's guess before this one was made in another environment: from here on a fresh guess
  // may differ in its last bits from what the run so far would have given. Set by Journal::Insert.
  bool environment_changed = false;

  friend bool operator==(const StepGuess&, const StepGuess&) = default;
};

struct JournalOptions {
  std::string path;                        // SQLite file; ":memory:" in tests
  int64_t max_steps_per_feed = 2'000'000;  // oldest steps are dropped beyond it; at least 1
  int64_t max_bytes = int64_t{16} << 30;   // of stored guesses, over all feeds; at least 1 MiB
  int busy_timeout_ms = 10'000;  // how long a call waits for another process's write; at least 0
};

// What was guessed for (feed, step), kept so that a replay never runs the model again. Survives the
// process being killed. Thread safe; several processes may share one file. Bounded by its options
// but for one row of about 200 bytes for every feed that ever guessed, which stays: it is what
// knows that the feed's steps were dropped.
class Journal {
 public:
  // Creates the file when there is none. Errors: what SQLite says, with the path (sqlite.h);
  // InvalidArgument for options out of range; DataLoss for a file that is no journal, and
  // FailedPrecondition for one of another version, both left as they are; FailedPrecondition where
  // the file system allows no write-ahead log.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const JournalOptions& options);
  virtual ~Journal() = default;

  // nullopt: not yet guessed. FailedPrecondition: guessed once, but dropped by retention.
  virtual absl::StatusOr<std::optional<StepGuess>> Find(const std::string& feed_id,
                                                        int64_t step) = 0;

  // Stores the guess and returns what the journal holds afterwards: the first writer's. Retention
  // drops the lowest steps: of this feed beyond max_steps_per_feed, and beyond max_bytes of the
  // feed that holds the guess that was stored first; at most a thousand a call, so that a journal
  // opened with smaller limits than before shrinks over several. FailedPrecondition, with nothing
  // changed, when that is this very guess, or the step was dropped before. InvalidArgument for
  // sizes that do not fit each other. DataLoss when the tables contradict each other.
  virtual absl::StatusOr<StepGuess> Insert(const std::string& feed_id, int64_t step,
                                           const StepGuess& guess) = 0;

  // The model that guessed the feed's highest step; nullopt while there is none.
  virtual absl::StatusOr<std::optional<std::string>> LastModel(const std::string& feed_id) = 0;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_JOURNAL_H_
