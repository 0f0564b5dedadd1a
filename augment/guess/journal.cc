#include "augment/guess/journal.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <span>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "augment/base/mutex.h"
#include "augment/base/status_macros.h"
#include "augment/guess/journal_checks.h"
#include "augment/guess/journal_schema.h"
#include "augment/guess/sqlite.h"

namespace mixfeed {
namespace {

static_assert(std::endian::native == std::endian::little, "guesses are stored as they lie in RAM");

absl::Status ValidateOptions(const JournalOptions& options) {
  if (options.path.empty()) return absl::InvalidArgumentError("journal: path is empty");
  MIXFEED_RETURN_IF_ERROR(ValidateLimits(options.max_steps_per_feed, options.max_bytes));
  if (options.busy_timeout_ms < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "journal: busy_timeout_ms is ", options.busy_timeout_ms, "; allowed: at least 0"));
  }
  return absl::OkStatus();
}

int64_t ChecksumOf(std::span<const std::byte> probabilities) {
  return std::bit_cast<int64_t>(XXH3_64bits(probabilities.data(), probabilities.size()));
}

// Further models as they are stored: "NAME VERSION UPDATE WEIGHTS" each, separated by commas. Names
// hold neither blanks nor commas.
std::string TextOf(const std::vector<GuessSource>& more) {
  return absl::StrJoin(more, ",", [](std::string* out, const GuessSource& source) {
    absl::StrAppend(out, source.model, " ", source.version, " ", source.update, " ",
                    source.weights);
  });
}

// nullopt for a text that TextOf does not write.
std::optional<std::vector<GuessSource>> SourcesOf(const std::string& text) {
  std::vector<GuessSource> more;
  if (text.empty()) return more;
  for (const auto part : absl::StrSplit(text, ',')) {
    const std::vector<std::string> words = absl::StrSplit(part, ' ');
    GuessSource source;
    if (words.size() != 4 || !absl::SimpleAtoi(words[1], &source.version) ||
        !absl::SimpleAtoi(words[2], &source.update)) {
      return std::nullopt;
    }
    source.model = words[0];
    source.weights = words[3];
    more.push_back(std::move(source));
  }
  return more;
}

// What max_bytes counts of a guess; SqliteJournal::Prepare has the same in SQL.
int64_t BytesOf(const StepGuess& guess) {
  return kGuessOverheadBytes +
         static_cast<int64_t>(guess.probabilities.size() * sizeof(float) + guess.model.size() +
                              guess.environment.size() + guess.weights.size() +
                              TextOf(guess.more).size());
}

// The journal in a SQLite file. One connection, used by one thread at a time.
class SqliteJournal : public Journal {
 public:
  SqliteJournal(JournalOptions options, std::unique_ptr<SqliteDatabase> db)
      : options_(std::move(options)), db_(std::move(db)) {}

  absl::Status Prepare();
  absl::StatusOr<std::optional<StepGuess>> Find(const std::string& feed_id, int64_t step) override;
  absl::StatusOr<StepGuess> Insert(const std::string& feed_id, int64_t step,
                                   const StepGuess& guess) override;
  absl::StatusOr<std::optional<std::string>> LastModel(const std::string& feed_id) override;
  absl::Status Fork(const std::string& feed_id, int64_t step,
                    const std::string& forked_id) override;

 private:
  struct Feed {
    int64_t key = 0;
    int64_t steps = 0;
    int64_t dropped_through = -1;
    bool has_environment = false;
    std::string environment;
    int64_t parent = 0;
    int64_t fork_step = 0;
  };

  absl::StatusOr<std::optional<StepGuess>> FindLocked(const std::string& feed_id, int64_t step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<StepGuess> ReadGuess(const SqliteQuery& row, const std::string& feed_id,
                                      int64_t step) const;
  absl::StatusOr<std::optional<Feed>> FindFeed(const std::string& feed_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Feed> ParentOf(const Feed& feed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static Feed ReadFeed(const SqliteQuery& row);
  absl::StatusOr<Feed> FindOrAddFeed(const std::string& feed_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Returns the guess as it is then stored.
  absl::StatusOr<StepGuess> AddGuess(const Feed& feed, int64_t step, const StepGuess& guess)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status AddToCounts(int64_t feed, int64_t steps, int64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Returns how many guesses it dropped.
  absl::StatusOr<int> ApplyRetention(int64_t feed, int64_t steps)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<bool> IsOverBytes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<int64_t> FeedOfOldestGuess() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status DropLowestStep(int64_t feed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Contradiction() const;

  const JournalOptions options_;
  Mutex mu_;
  const std::unique_ptr<SqliteDatabase> db_ ABSL_PT_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> find_guess_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> find_feed_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> find_parent_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> add_fork_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> last_model_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> add_feed_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> add_guess_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> set_environment_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> add_steps_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> add_bytes_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> total_bytes_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> oldest_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> lowest_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> drop_guess_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> raise_dropped_ ABSL_GUARDED_BY(mu_);
};

absl::Status SqliteJournal::Prepare() {
  MutexLock lock(&mu_);
  const std::pair<std::unique_ptr<SqliteStatement>*, const char*> statements[] = {
      {&find_guess_,
       "SELECT row_count, classes, probabilities, model, model_version, age, environment_changed, "
       "environment, model_update, weights, more, checksum FROM guesses WHERE feed = ? AND step = "
       "?"},
      {&find_feed_,
       "SELECT feed, steps, dropped_through, environment IS NOT NULL, environment, parent, "
       "fork_step FROM feeds WHERE id = ?"},
      {&find_parent_,
       "SELECT feed, steps, dropped_through, environment IS NOT NULL, environment, parent, "
       "fork_step FROM feeds WHERE feed = ?"},
      {&last_model_,
       "SELECT model FROM guesses WHERE feed = ? AND step < ? ORDER BY step DESC LIMIT 1"},
      {&add_feed_, "INSERT INTO feeds (id) VALUES (?)"},
      {&add_fork_,
       "INSERT INTO feeds (id, parent, fork_step, environment) "
       "SELECT ?, feed, ?, environment FROM feeds WHERE feed = ?"},
      {&add_guess_,
       "INSERT INTO guesses (feed, step, row_count, classes, probabilities, model, model_version, "
       "age, environment_changed, environment, model_update, weights, more, "
       "checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {&set_environment_, "UPDATE feeds SET environment = ? WHERE feed = ?"},
      {&add_steps_, "UPDATE feeds SET steps = steps + ? WHERE feed = ?"},
      {&add_bytes_, "UPDATE total SET bytes = bytes + ?"},
      {&total_bytes_, "SELECT bytes FROM total"},
      {&oldest_, "SELECT feed FROM guesses ORDER BY sequence LIMIT 1"},
      {&lowest_,
       "SELECT sequence, step, length(probabilities) + length(CAST(model AS BLOB)) + "
       "length(CAST(environment AS BLOB)) + length(CAST(weights AS BLOB)) + "
       "length(CAST(more AS BLOB)) FROM guesses WHERE feed = ? ORDER BY step LIMIT 1"},
      {&drop_guess_, "DELETE FROM guesses WHERE sequence = ?"},
      {&raise_dropped_,
       "UPDATE feeds SET dropped_through = max(dropped_through, ?) WHERE feed = ?"},
  };
  for (const auto& [statement, sql] : statements) {
    MIXFEED_ASSIGN_OR_RETURN(*statement, db_->Prepare(sql));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<StepGuess>> SqliteJournal::Find(const std::string& feed_id,
                                                             int64_t step) {
  MutexLock lock(&mu_);
  return FindLocked(feed_id, step);
}

absl::StatusOr<StepGuess> SqliteJournal::Insert(const std::string& feed_id, int64_t step,
                                                const StepGuess& guess) {
  MIXFEED_RETURN_IF_ERROR(ValidateEntry(feed_id, step, guess));
  MIXFEED_RETURN_IF_ERROR(CheckGuessBytes(feed_id, step, BytesOf(guess), options_.max_bytes));
  MutexLock lock(&mu_);
  MIXFEED_ASSIGN_OR_RETURN(const auto transaction, SqliteTransaction::Begin(db_.get()));
  MIXFEED_ASSIGN_OR_RETURN(std::optional<StepGuess> first, FindLocked(feed_id, step));
  if (first.has_value()) return *std::move(first);
  MIXFEED_ASSIGN_OR_RETURN(const Feed feed, FindOrAddFeed(feed_id));
  MIXFEED_ASSIGN_OR_RETURN(StepGuess stored, AddGuess(feed, step, guess));
  MIXFEED_ASSIGN_OR_RETURN(const int drops, ApplyRetention(feed.key, feed.steps + 1));
  if (drops > 0) {
    // Retention drops the lowest steps first, which may be this one: then nothing is changed.
    MIXFEED_ASSIGN_OR_RETURN(const std::optional<StepGuess> kept, FindLocked(feed_id, step));
    if (!kept.has_value()) return Contradiction();
  }
  MIXFEED_RETURN_IF_ERROR(transaction->Commit());
  return stored;
}

absl::StatusOr<std::optional<std::string>> SqliteJournal::LastModel(const std::string& feed_id) {
  MutexLock lock(&mu_);
  MIXFEED_ASSIGN_OR_RETURN(std::optional<Feed> feed, FindFeed(feed_id));
  int64_t below = std::numeric_limits<int64_t>::max();
  while (feed.has_value()) {
    SqliteQuery query(last_model_.get());
    MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Bind(feed->key).Bind(below).Step());
    if (found) return query.Text(0);
    if (feed->parent == 0) break;
    below = std::min(below, feed->fork_step);
    MIXFEED_ASSIGN_OR_RETURN(feed, ParentOf(*feed));
  }
  return std::nullopt;
}

absl::Status SqliteJournal::Fork(const std::string& feed_id, int64_t step,
                                 const std::string& forked_id) {
  MIXFEED_RETURN_IF_ERROR(ValidateFork(feed_id, step, forked_id));
  MutexLock lock(&mu_);
  MIXFEED_ASSIGN_OR_RETURN(const auto transaction, SqliteTransaction::Begin(db_.get()));
  MIXFEED_ASSIGN_OR_RETURN(const Feed from, FindOrAddFeed(feed_id));
  MIXFEED_ASSIGN_OR_RETURN(const std::optional<Feed> known, FindFeed(forked_id));
  if (known.has_value()) {
    if (known->parent == from.key && known->fork_step == step) return absl::OkStatus();
    return ForkedElsewhereError(forked_id);
  }
  MIXFEED_RETURN_IF_ERROR(
      SqliteQuery(add_fork_.get()).Bind(forked_id).Bind(step).Bind(from.key).Run());
  return transaction->Commit();
}

absl::StatusOr<std::optional<StepGuess>> SqliteJournal::FindLocked(const std::string& feed_id,
                                                                   int64_t step) {
  MIXFEED_ASSIGN_OR_RETURN(std::optional<Feed> feed, FindFeed(feed_id));
  while (feed.has_value()) {
    SqliteQuery query(find_guess_.get());
    MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Bind(feed->key).Bind(step).Step());
    if (found) return ReadGuess(query, feed_id, step);
    if (step <= feed->dropped_through) {
      return StepDroppedError(feed_id, step, feed->dropped_through, options_.max_steps_per_feed,
                              options_.max_bytes);
    }
    if (feed->parent == 0 || step >= feed->fork_step) break;
    MIXFEED_ASSIGN_OR_RETURN(feed, ParentOf(*feed));
  }
  return std::nullopt;
}

absl::StatusOr<StepGuess> SqliteJournal::ReadGuess(const SqliteQuery& row,
                                                   const std::string& feed_id, int64_t step) const {
  StepGuess guess;
  guess.rows = static_cast<int>(row.Int(0));
  guess.classes = static_cast<int>(row.Int(1));
  const std::span<const std::byte> bytes = row.Blob(2);
  guess.probabilities.resize(bytes.size() / sizeof(float));
  const auto probabilities = std::as_writable_bytes(std::span(guess.probabilities));
  std::copy_n(bytes.begin(), probabilities.size(), probabilities.begin());
  guess.model = row.Text(3);
  guess.model_version = row.Int(4);
  guess.age = row.Int(5);
  guess.environment_changed = row.Int(6) != 0;
  guess.environment = row.Text(7);
  guess.model_update = row.Int(8);
  guess.weights = row.Text(9);
  std::optional<std::vector<GuessSource>> more = SourcesOf(row.Text(10));
  const int64_t checksum = row.Int(11);
  const bool whole = bytes.size() == probabilities.size() && more.has_value() &&
                     (checksum == 0 || checksum == ChecksumOf(bytes));
  if (more.has_value()) guess.more = *std::move(more);
  if (whole && ValidateEntry(feed_id, step, guess).ok()) return guess;
  return absl::DataLossError(absl::StrCat("journal ", options_.path, ": the guess of feed ",
                                          feed_id, ", step ", step, " is damaged: ", bytes.size(),
                                          " bytes for ", row.Int(0), " rows of ", row.Int(1),
                                          " classes, or not those that were written"));
}

absl::StatusOr<std::optional<SqliteJournal::Feed>> SqliteJournal::FindFeed(
    const std::string& feed_id) {
  SqliteQuery query(find_feed_.get());
  MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Bind(feed_id).Step());
  if (!found) return std::nullopt;
  return ReadFeed(query);
}

absl::StatusOr<SqliteJournal::Feed> SqliteJournal::ParentOf(const Feed& feed) {
  SqliteQuery query(find_parent_.get());
  MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Bind(feed.parent).Step());
  if (!found) return Contradiction();
  return ReadFeed(query);
}

SqliteJournal::Feed SqliteJournal::ReadFeed(const SqliteQuery& row) {
  return {.key = row.Int(0),
          .steps = row.Int(1),
          .dropped_through = row.Int(2),
          .has_environment = row.Int(3) != 0,
          .environment = row.Text(4),
          .parent = row.Int(5),
          .fork_step = row.Int(6)};
}

absl::StatusOr<SqliteJournal::Feed> SqliteJournal::FindOrAddFeed(const std::string& feed_id) {
  MIXFEED_ASSIGN_OR_RETURN(const std::optional<Feed> known, FindFeed(feed_id));
  if (known.has_value()) return *known;
  MIXFEED_RETURN_IF_ERROR(SqliteQuery(add_feed_.get()).Bind(feed_id).Run());
  MIXFEED_ASSIGN_OR_RETURN(const std::optional<Feed> added, FindFeed(feed_id));
  if (!added.has_value()) return Contradiction();
  return *added;
}

absl::StatusOr<StepGuess> SqliteJournal::AddGuess(const Feed& feed, int64_t step,
                                                  const StepGuess& guess) {
  const bool same_environment = feed.has_environment && feed.environment == guess.environment;
  StepGuess stored = guess;
  stored.environment_changed = feed.has_environment && !same_environment;
  if (!same_environment) {
    MIXFEED_RETURN_IF_ERROR(
        SqliteQuery(set_environment_.get()).Bind(guess.environment).Bind(feed.key).Run());
  }
  const auto bytes = std::as_bytes(std::span(guess.probabilities));
  MIXFEED_RETURN_IF_ERROR(SqliteQuery(add_guess_.get())
                              .Bind(feed.key)
                              .Bind(step)
                              .Bind(int64_t{guess.rows})
                              .Bind(int64_t{guess.classes})
                              .Bind(bytes)
                              .Bind(guess.model)
                              .Bind(guess.model_version)
                              .Bind(guess.age)
                              .Bind(int64_t{stored.environment_changed})
                              .Bind(guess.environment)
                              .Bind(guess.model_update)
                              .Bind(guess.weights)
                              .Bind(TextOf(guess.more))
                              .Bind(ChecksumOf(bytes))
                              .Run());
  MIXFEED_RETURN_IF_ERROR(AddToCounts(feed.key, 1, BytesOf(guess)));
  return stored;
}

absl::Status SqliteJournal::AddToCounts(int64_t feed, int64_t steps, int64_t bytes) {
  MIXFEED_RETURN_IF_ERROR(SqliteQuery(add_steps_.get()).Bind(steps).Bind(feed).Run());
  return SqliteQuery(add_bytes_.get()).Bind(bytes).Run();
}

absl::StatusOr<int> SqliteJournal::ApplyRetention(int64_t feed, int64_t steps) {
  int drops = 0;
  const int64_t most = LimitOr(options_.max_steps_per_feed);
  for (; steps > most && drops < kMaxDropsPerInsert; --steps, ++drops) {
    MIXFEED_RETURN_IF_ERROR(DropLowestStep(feed));
  }
  for (; drops < kMaxDropsPerInsert; ++drops) {
    MIXFEED_ASSIGN_OR_RETURN(const bool over, IsOverBytes());
    if (!over) break;
    MIXFEED_ASSIGN_OR_RETURN(const int64_t victim, FeedOfOldestGuess());
    MIXFEED_RETURN_IF_ERROR(DropLowestStep(victim));
  }
  return drops;
}

absl::StatusOr<bool> SqliteJournal::IsOverBytes() {
  SqliteQuery query(total_bytes_.get());
  MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return Contradiction();
  return query.Int(0) > LimitOr(options_.max_bytes);
}

absl::StatusOr<int64_t> SqliteJournal::FeedOfOldestGuess() {
  SqliteQuery query(oldest_.get());
  MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return Contradiction();
  return query.Int(0);
}

absl::Status SqliteJournal::DropLowestStep(int64_t feed) {
  int64_t sequence = 0, step = 0, bytes = 0;
  {
    SqliteQuery query(lowest_.get());
    MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Bind(feed).Step());
    if (!found) return Contradiction();
    sequence = query.Int(0), step = query.Int(1), bytes = kGuessOverheadBytes + query.Int(2);
  }
  MIXFEED_RETURN_IF_ERROR(SqliteQuery(drop_guess_.get()).Bind(sequence).Run());
  MIXFEED_RETURN_IF_ERROR(SqliteQuery(raise_dropped_.get()).Bind(step).Bind(feed).Run());
  return AddToCounts(feed, -1, -bytes);
}

absl::Status SqliteJournal::Contradiction() const {
  return absl::DataLossError(
      absl::StrCat("journal ", options_.path, ": its counts do not fit its guesses"));
}

// Sets a damaged file aside and puts what can be read of it in its place; returns what was done.
absl::StatusOr<std::string> ReplaceDamaged(const std::string& path) {
  const std::string salvaged_path = path + ".salvaged";
  MIXFEED_RETURN_IF_ERROR(RemoveSqliteFile(salvaged_path));  // of an attempt that was killed
  const absl::StatusOr<int64_t> salvaged = SalvageJournal(path, salvaged_path);
  MIXFEED_ASSIGN_OR_RETURN(const std::string aside, SetSqliteFileAside(path));
  if (!salvaged.ok()) {
    MIXFEED_RETURN_IF_ERROR(RemoveSqliteFile(salvaged_path));
    return absl::StrCat("set aside as ", aside,
                        "; nothing could be read, and all steps are guessed anew: ",
                        std::string(salvaged.status().message()));
  }
  MIXFEED_RETURN_IF_ERROR(RenameSqliteFile(salvaged_path, path));
  return absl::StrCat(
      "set aside as ", aside, "; ", *salvaged,
      " guesses could be read and are kept; steps whose guesses are lost are refused");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const JournalOptions& options) {
  MIXFEED_RETURN_IF_ERROR(ValidateOptions(options));
  MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> db,
                           OpenJournalFile(options.path, options.busy_timeout_ms));
  auto journal = std::make_unique<SqliteJournal>(options, std::move(db));
  MIXFEED_RETURN_IF_ERROR(journal->Prepare());
  return journal;
}

absl::StatusOr<RecoveredJournal> Journal::OpenOrRecover(const JournalOptions& options) {
  MIXFEED_RETURN_IF_ERROR(ValidateOptions(options));
  absl::Status sound;
  {
    const auto db = OpenJournalFile(options.path, options.busy_timeout_ms);
    sound = db.ok() ? CheckSqliteFile(db->get()) : db.status();
  }
  RecoveredJournal recovered;
  if (absl::IsDataLoss(sound)) {
    MIXFEED_ASSIGN_OR_RETURN(recovered.notice, ReplaceDamaged(options.path));
    recovered.notice = absl::StrCat(std::string(sound.message()), "; ", recovered.notice);
  }
  MIXFEED_ASSIGN_OR_RETURN(recovered.journal, Open(options));
  return recovered;
}

}  // namespace mixfeed
