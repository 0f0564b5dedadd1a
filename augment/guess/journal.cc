#include "augment/guess/journal.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <span>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/mutex.h"
#include "augment/base/status_macros.h"
#include "augment/guess/sqlite.h"

namespace mixfeed {
namespace {

static_assert(std::endian::native == std::endian::little, "guesses are stored as they lie in RAM");

constexpr int64_t kMinMaxBytes = int64_t{1} << 20;

constexpr char kInMemory[] = ":memory:";

// Marks the file as ours (SQLite's application_id): "mxfj".
constexpr int64_t kApplicationId = 0x6d78666a;
constexpr int64_t kJournalVersion = 2;

// What a guess takes besides its probabilities and texts, about: its numbers and their index.
constexpr int64_t kGuessOverheadBytes = 100;

// Bounds how long one Insert holds the lock.
constexpr int kMaxDropsPerInsert = 1000;

// A feed keeps its row after its guesses were dropped, since that is what knows of them; its
// environment is that of its latest guess, NULL before the first. `sequence` is the order of
// insertion over all feeds; `total` has one row.
constexpr char kSchema[] = R"(
  CREATE TABLE feeds (
    feed INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    steps INTEGER NOT NULL DEFAULT 0,
    dropped_through INTEGER NOT NULL DEFAULT -1,
    environment TEXT);
  CREATE TABLE guesses (
    sequence INTEGER PRIMARY KEY,
    feed INTEGER NOT NULL REFERENCES feeds,
    step INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    classes INTEGER NOT NULL,
    probabilities BLOB NOT NULL,
    model TEXT NOT NULL,
    model_version INTEGER NOT NULL,
    age INTEGER NOT NULL,
    environment TEXT NOT NULL,
    environment_changed INTEGER NOT NULL,
    UNIQUE (feed, step));
  CREATE TABLE total (bytes INTEGER NOT NULL);
  INSERT INTO total VALUES (0);)";

absl::Status ValidateOptions(const JournalOptions& options) {
  if (options.path.empty()) return absl::InvalidArgumentError("journal: path is empty");
  if (options.max_steps_per_feed < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "journal: max_steps_per_feed is ", options.max_steps_per_feed, "; allowed: at least 1"));
  }
  if (options.max_bytes < kMinMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat("journal: max_bytes is ", options.max_bytes,
                                                   "; allowed: at least ", kMinMaxBytes));
  }
  if (options.busy_timeout_ms < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "journal: busy_timeout_ms is ", options.busy_timeout_ms, "; allowed: at least 0"));
  }
  return absl::OkStatus();
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

// Whether the file is still empty; refuses files of anybody else. Only reads, in one statement: all
// numbers are of one moment, also while another process makes the tables.
absl::StatusOr<bool> IsFresh(SqliteDatabase* db) {
  MIXFEED_ASSIGN_OR_RETURN(
      const std::unique_ptr<SqliteStatement> statement,
      db->Prepare("SELECT application_id, user_version, (SELECT COUNT(*) FROM sqlite_master) "
                  "FROM pragma_application_id, pragma_user_version"));
  SqliteQuery query(statement.get());
  MIXFEED_RETURN_IF_ERROR(query.Step().status());
  const int64_t application_id = query.Int(0);
  const int64_t version = query.Int(1);
  const int64_t tables = query.Int(2);
  if (application_id == 0 && version == 0 && tables == 0) return true;
  if (application_id != kApplicationId) {
    return absl::DataLossError(
        absl::StrCat(db->path(), " is a SQLite file, but no journal of guesses"));
  }
  if (version == kJournalVersion) return false;
  return absl::FailedPreconditionError(absl::StrCat(
      "journal ", db->path(), " has version ", version, "; this build reads ", kJournalVersion));
}

// Sets the mode and returns the one that the file then has. SQLite does not wait for other
// processes here, as it does elsewhere.
absl::StatusOr<std::string> SetWriteAheadLog(SqliteDatabase* db, int busy_timeout_ms) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(busy_timeout_ms);
  while (true) {
    absl::StatusOr<std::string> mode = db->QueryText("PRAGMA journal_mode = WAL");
    if (!absl::IsUnavailable(mode.status()) || std::chrono::steady_clock::now() >= deadline) {
      return mode;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// With a write-ahead log, NORMAL loses nothing when the process dies, and at most the newest
// guesses (never the file) when the machine does.
absl::Status UseWriteAheadLog(SqliteDatabase* db, int busy_timeout_ms) {
  MIXFEED_ASSIGN_OR_RETURN(const std::string mode, SetWriteAheadLog(db, busy_timeout_ms));
  if (mode != "wal" && db->path() != kInMemory) {
    return absl::FailedPreconditionError(
        absl::StrCat("journal ", db->path(), ": its file system allows no write-ahead log (SQLite ",
                     "stays in mode ", mode, "); choose a folder on a local disk"));
  }
  return db->Execute("PRAGMA synchronous = NORMAL");
}

// Makes the tables in a fresh file.
absl::Status CreateOrCheckSchema(SqliteDatabase* db, int busy_timeout_ms) {
  // Looked at before anything is changed, the journal mode included, so that a file of somebody
  // else stays as it is; and again under the lock, since another process may be faster.
  MIXFEED_RETURN_IF_ERROR(IsFresh(db).status());
  MIXFEED_RETURN_IF_ERROR(UseWriteAheadLog(db, busy_timeout_ms));
  MIXFEED_ASSIGN_OR_RETURN(const auto transaction, SqliteTransaction::Begin(db));
  MIXFEED_ASSIGN_OR_RETURN(const bool fresh, IsFresh(db));
  if (!fresh) return absl::OkStatus();
  MIXFEED_RETURN_IF_ERROR(
      db->Execute(absl::StrCat(kSchema, "PRAGMA application_id = ", kApplicationId,
                               "; PRAGMA user_version = ", kJournalVersion)));
  return transaction->Commit();
}

// What max_bytes counts of a guess; SqliteJournal::Prepare has the same in SQL.
int64_t BytesOf(const StepGuess& guess) {
  return kGuessOverheadBytes + static_cast<int64_t>(guess.probabilities.size() * sizeof(float) +
                                                    guess.model.size() + guess.environment.size());
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

 private:
  struct Feed {
    int64_t key = 0;
    int64_t steps = 0;
    int64_t dropped_through = -1;
    bool has_environment = false;
    std::string environment;
  };

  absl::StatusOr<std::optional<StepGuess>> FindLocked(const std::string& feed_id, int64_t step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<StepGuess> ReadGuess(const SqliteQuery& row, const std::string& feed_id,
                                      int64_t step) const;
  absl::StatusOr<std::optional<Feed>> FindFeed(const std::string& feed_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Feed> FindOrAddFeed(const std::string& feed_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status AddGuess(const Feed& feed, int64_t step, const StepGuess& guess)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status AddToCounts(int64_t feed, int64_t steps, int64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ApplyRetention(int64_t feed, int64_t steps) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<bool> IsOverBytes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<int64_t> FeedOfOldestGuess() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status DropLowestStep(int64_t feed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Dropped(const std::string& feed_id, int64_t step, int64_t dropped_through) const;
  absl::Status Contradiction() const;

  const JournalOptions options_;
  Mutex mu_;
  const std::unique_ptr<SqliteDatabase> db_ ABSL_PT_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> find_guess_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<SqliteStatement> find_feed_ ABSL_GUARDED_BY(mu_);
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
       "guesses.environment FROM guesses JOIN feeds USING (feed) WHERE id = ? AND step = ?"},
      {&find_feed_,
       "SELECT feed, steps, dropped_through, environment IS NOT NULL, environment FROM feeds "
       "WHERE id = ?"},
      {&last_model_,
       "SELECT model FROM guesses JOIN feeds USING (feed) WHERE id = ? ORDER BY step DESC LIMIT 1"},
      {&add_feed_, "INSERT INTO feeds (id) VALUES (?)"},
      {&add_guess_,
       "INSERT INTO guesses (feed, step, row_count, classes, probabilities, model, model_version, "
       "age, environment_changed, environment) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {&set_environment_, "UPDATE feeds SET environment = ? WHERE feed = ?"},
      {&add_steps_, "UPDATE feeds SET steps = steps + ? WHERE feed = ?"},
      {&add_bytes_, "UPDATE total SET bytes = bytes + ?"},
      {&total_bytes_, "SELECT bytes FROM total"},
      {&oldest_, "SELECT feed FROM guesses ORDER BY sequence LIMIT 1"},
      {&lowest_,
       "SELECT sequence, step, length(probabilities) + length(CAST(model AS BLOB)) + "
       "length(CAST(environment AS BLOB)) FROM guesses WHERE feed = ? ORDER BY step LIMIT 1"},
      {&drop_guess_, "DELETE FROM guesses WHERE sequence = ?"},
      {&raise_dropped_, "UPDATE feeds SET dropped_through = ? WHERE feed = ?"},
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
  if (BytesOf(guess) > options_.max_bytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("the guess of feed ", feed_id, ", step ", step, " takes ", BytesOf(guess),
                     " bytes; the journal keeps ", options_.max_bytes));
  }
  MutexLock lock(&mu_);
  MIXFEED_ASSIGN_OR_RETURN(const auto transaction, SqliteTransaction::Begin(db_.get()));
  MIXFEED_ASSIGN_OR_RETURN(std::optional<StepGuess> first, FindLocked(feed_id, step));
  if (first.has_value()) return *std::move(first);
  MIXFEED_ASSIGN_OR_RETURN(const Feed feed, FindOrAddFeed(feed_id));
  MIXFEED_RETURN_IF_ERROR(AddGuess(feed, step, guess));
  MIXFEED_RETURN_IF_ERROR(ApplyRetention(feed.key, feed.steps + 1));
  // Retention drops the lowest steps first, which may be this one: then nothing is changed.
  MIXFEED_ASSIGN_OR_RETURN(std::optional<StepGuess> stored, FindLocked(feed_id, step));
  if (!stored.has_value()) return Contradiction();
  MIXFEED_RETURN_IF_ERROR(transaction->Commit());
  return *std::move(stored);
}

absl::StatusOr<std::optional<std::string>> SqliteJournal::LastModel(const std::string& feed_id) {
  MutexLock lock(&mu_);
  SqliteQuery query(last_model_.get());
  MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Bind(feed_id).Step());
  if (!found) return std::nullopt;
  return query.Text(0);
}

absl::StatusOr<std::optional<StepGuess>> SqliteJournal::FindLocked(const std::string& feed_id,
                                                                   int64_t step) {
  SqliteQuery query(find_guess_.get());
  MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Bind(feed_id).Bind(step).Step());
  if (found) return ReadGuess(query, feed_id, step);
  MIXFEED_ASSIGN_OR_RETURN(const std::optional<Feed> feed, FindFeed(feed_id));
  if (feed.has_value() && step <= feed->dropped_through) {
    return Dropped(feed_id, step, feed->dropped_through);
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
  const bool whole = bytes.size() == probabilities.size();
  if (whole && ValidateEntry(feed_id, step, guess).ok()) return guess;
  return absl::DataLossError(absl::StrCat("journal ", options_.path, ": the guess of feed ",
                                          feed_id, ", step ", step, " is damaged: ", bytes.size(),
                                          " bytes for ", row.Int(0), " rows of ", row.Int(1),
                                          " classes"));
}

absl::StatusOr<std::optional<SqliteJournal::Feed>> SqliteJournal::FindFeed(
    const std::string& feed_id) {
  SqliteQuery query(find_feed_.get());
  MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Bind(feed_id).Step());
  if (!found) return std::nullopt;
  return Feed{.key = query.Int(0),
              .steps = query.Int(1),
              .dropped_through = query.Int(2),
              .has_environment = query.Int(3) != 0,
              .environment = query.Text(4)};
}

absl::StatusOr<SqliteJournal::Feed> SqliteJournal::FindOrAddFeed(const std::string& feed_id) {
  MIXFEED_ASSIGN_OR_RETURN(const std::optional<Feed> known, FindFeed(feed_id));
  if (known.has_value()) return *known;
  MIXFEED_RETURN_IF_ERROR(SqliteQuery(add_feed_.get()).Bind(feed_id).Run());
  MIXFEED_ASSIGN_OR_RETURN(const std::optional<Feed> added, FindFeed(feed_id));
  if (!added.has_value()) return Contradiction();
  return *added;
}

absl::Status SqliteJournal::AddGuess(const Feed& feed, int64_t step, const StepGuess& guess) {
  const bool same_environment = feed.has_environment && feed.environment == guess.environment;
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
                              .Bind(int64_t{feed.has_environment && !same_environment})
                              .Bind(guess.environment)
                              .Run());
  return AddToCounts(feed.key, 1, BytesOf(guess));
}

absl::Status SqliteJournal::AddToCounts(int64_t feed, int64_t steps, int64_t bytes) {
  MIXFEED_RETURN_IF_ERROR(SqliteQuery(add_steps_.get()).Bind(steps).Bind(feed).Run());
  return SqliteQuery(add_bytes_.get()).Bind(bytes).Run();
}

absl::Status SqliteJournal::ApplyRetention(int64_t feed, int64_t steps) {
  int drops = 0;
  for (; steps > options_.max_steps_per_feed && drops < kMaxDropsPerInsert; --steps, ++drops) {
    MIXFEED_RETURN_IF_ERROR(DropLowestStep(feed));
  }
  for (; drops < kMaxDropsPerInsert; ++drops) {
    MIXFEED_ASSIGN_OR_RETURN(const bool over, IsOverBytes());
    if (!over) break;
    MIXFEED_ASSIGN_OR_RETURN(const int64_t victim, FeedOfOldestGuess());
    MIXFEED_RETURN_IF_ERROR(DropLowestStep(victim));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> SqliteJournal::IsOverBytes() {
  SqliteQuery query(total_bytes_.get());
  MIXFEED_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return Contradiction();
  return query.Int(0) > options_.max_bytes;
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

absl::Status SqliteJournal::Dropped(const std::string& feed_id, int64_t step,
                                    int64_t dropped_through) const {
  return absl::FailedPreconditionError(absl::StrCat(
      "the guess of feed ", feed_id, ", step ", step,
      " was dropped by retention: the journal keeps ", options_.max_steps_per_feed,
      " steps of a feed and ", options_.max_bytes, " bytes over all, and has dropped steps up to ",
      dropped_through, " of this feed; open a new run, or keep more"));
}

absl::Status SqliteJournal::Contradiction() const {
  return absl::DataLossError(
      absl::StrCat("journal ", options_.path, ": its counts do not fit its guesses"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const JournalOptions& options) {
  MIXFEED_RETURN_IF_ERROR(ValidateOptions(options));
  MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> db,
                           SqliteDatabase::Open(options.path, options.busy_timeout_ms));
  MIXFEED_RETURN_IF_ERROR(CreateOrCheckSchema(db.get(), options.busy_timeout_ms));
  auto journal = std::make_unique<SqliteJournal>(options, std::move(db));
  MIXFEED_RETURN_IF_ERROR(journal->Prepare());
  return journal;
}

}  // namespace mixfeed
