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

// A further model that took part in a guess.
struct GuessSource {
  std::string model;  // name
  int64_t version = 0;
  int64_t update = 0;   // the trainer's update count that the weights are of
  std::string weights;  // their digest (GuessModelInfo::weights)

  friend bool operator==(const GuessSource&, const GuessSource&) = default;
};

// The finished guesses of one step: averaged over the views and models, and sharpened.
struct StepGuess {
  int rows = 0;  // unlabelled images of the step
  int classes = 0;
  std::vector<float> probabilities;  // [rows][classes]
  std::string model;                 // name; of the first, where several models guess
  int64_t model_version = 0;
  int64_t model_update = 0;       // the trainer's update count that the weights are of
  std::string weights;            // their digest (GuessModelInfo::weights)
  std::vector<GuessSource> more;  // the further models
  int64_t age = 0;          // in updates: update(step) less the oldest weights' update, not below 0
  std::string environment;  // GuessModelInfo::environment; different ones separated by " + "
  // The feed's guess before this one was made in another environment: from here on a fresh guess
  // may differ in its last bits from what the run so far would have given. Set by Journal::Insert.
  bool environment_changed = false;

  friend bool operator==(const StepGuess&, const StepGuess&) = default;
};

struct JournalOptions {
  std::string path;  // SQLite file; ":memory:" in tests
  // The replay horizon: the oldest steps are dropped beyond it. A step takes about 2.6 KB (64
  // images of 10 classes). 0: no limit.
  int64_t max_steps_per_feed = 0;
  int64_t max_bytes = 0;  // of stored guesses, over all feeds; 0: no limit; or at least 1 MiB
  int busy_timeout_ms = 10'000;  // how long a call waits for another process's write; at least 0
};

class Journal;
struct RecoveredJournal {
  std::unique_ptr<Journal> journal;
  // What was wrong with the file, where it is now, what could be kept and what becomes of the rest;
  // empty of a sound one.
  std::string notice;
};

// What was guessed for (feed, step), kept so that a replay never runs the model again. Survives the
// process being killed. Thread safe; several processes may share one file. Bounded by its options
// but for one row of about 200 bytes for every feed that ever guessed, which stays: it is what
// knows that the feed's steps were dropped.
class Journal {
 public:
  // Creates the file when there is none. Errors: what SQLite says, with the path (sqlite.h);
  // InvalidArgument for options out of range; DataLoss for a file that is no database;
  // FailedPrecondition for another program's database and a journal of another version, all left
  // as they are; FailedPrecondition where the file system allows no write-ahead log.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const JournalOptions& options);

  // As Open, but a damaged file, where Open or later calls would say DataLoss, is renamed
  // (".damaged" and a number behind its name) and what can be read of it goes into a fresh one:
  // guesses that are lost are refused as if they had been dropped by retention. Where not even the
  // feeds can be read, all of them are made anew. Reads the whole file first.
  static absl::StatusOr<RecoveredJournal> OpenOrRecover(const JournalOptions& options);
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

  // From now on `forked_id`, of which nothing is known yet, has the guesses of `feed_id` for the
  // steps below `step`, those that are still to come too; what is dropped there it loses, too. The
  // same fork again is fine. AlreadyExists, with nothing changed, when the feed has guesses or was
  // forked otherwise; InvalidArgument for a feed of itself and a negative step.
  virtual absl::Status Fork(const std::string& feed_id, int64_t step,
                            const std::string& forked_id) = 0;

  // Whether guesses are kept where they cannot be reached for now: calls return NotYetError
  // (not_yet.h) then, but for Find of what this object has read or stored before.
  virtual bool IsAway() const { return false; }
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_JOURNAL_H_
