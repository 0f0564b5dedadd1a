#include "augment/guess/journal_schema.h"

#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

constexpr char kInMemory[] = ":memory:";

// Marks the file as ours (SQLite's application_id): "mxfj".
constexpr int64_t kApplicationId = 0x6d78666a;
constexpr int64_t kJournalVersion = 4;

// A feed keeps its row after its guesses were dropped, since that is what knows of them; its
// environment is that of its latest guess, NULL before the first; of a feed that was forked
// `parent` has the guesses of the steps below `fork_step` that it has none of its own of, else it
// is 0. `sequence` is the order of insertion over all feeds, `checksum` the XXH3-64 of the
// probabilities, 0 of those of older versions; `total` has one row.
constexpr char kSchema[] = R"(
  CREATE TABLE feeds (
    feed INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    steps INTEGER NOT NULL DEFAULT 0,
    dropped_through INTEGER NOT NULL DEFAULT -1,
    environment TEXT,
    parent INTEGER NOT NULL DEFAULT 0,
    fork_step INTEGER NOT NULL DEFAULT 0);
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
    model_update INTEGER NOT NULL,
    weights TEXT NOT NULL,
    more TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (feed, step));
  CREATE TABLE total (bytes INTEGER NOT NULL);
  INSERT INTO total VALUES (0);)";

// What brings a journal of a version up to the next. Of version 2 all guesses were of trainers with
// a batch an update.
struct Migration {
  int64_t from;
  const char* sql;
};
constexpr Migration kMigrations[] = {{2, R"(
  ALTER TABLE feeds ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE feeds ADD COLUMN fork_step INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE guesses ADD COLUMN model_update INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE guesses ADD COLUMN weights TEXT NOT NULL DEFAULT '';
  UPDATE guesses SET model_update = max(0, step - age);)"},
                                     {3, R"(
  ALTER TABLE guesses ADD COLUMN more TEXT NOT NULL DEFAULT '';
  ALTER TABLE guesses ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;)"}};
constexpr int64_t kOldestVersion = kMigrations[0].from;

// The journal's version, 0 of a file that is still empty; refuses files of anybody else. Only
// reads, in one statement: all numbers are of one moment, also while another process makes the
// tables.
absl::StatusOr<int64_t> ReadVersion(SqliteDatabase* db) {
  MIXFEED_ASSIGN_OR_RETURN(
      const std::unique_ptr<SqliteStatement> statement,
      db->Prepare("SELECT application_id, user_version, (SELECT COUNT(*) FROM sqlite_master) "
                  "FROM pragma_application_id, pragma_user_version"));
  SqliteQuery query(statement.get());
  MIXFEED_RETURN_IF_ERROR(query.Step().status());
  const int64_t application_id = query.Int(0);
  const int64_t version = query.Int(1);
  const int64_t tables = query.Int(2);
  if (application_id == 0 && version == 0 && tables == 0) return int64_t{0};
  if (application_id != kApplicationId) {
    return absl::FailedPreconditionError(
        absl::StrCat(db->path(), " is a SQLite file, but no journal of guesses"));
  }
  if (version >= kOldestVersion && version <= kJournalVersion) return version;
  return absl::FailedPreconditionError(absl::StrCat("journal ", db->path(), " has version ",
                                                    version, "; this build reads ", kOldestVersion,
                                                    "..", kJournalVersion));
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

// Makes the tables in a fresh file, and adds what an older version's lack.
absl::Status CreateOrCheckSchema(SqliteDatabase* db, int busy_timeout_ms) {
  // Looked at before anything is changed, the journal mode included, so that a file of somebody
  // else stays as it is; and again under the lock, since another process may be faster.
  MIXFEED_RETURN_IF_ERROR(ReadVersion(db).status());
  MIXFEED_RETURN_IF_ERROR(UseWriteAheadLog(db, busy_timeout_ms));
  MIXFEED_ASSIGN_OR_RETURN(const auto transaction, SqliteTransaction::Begin(db));
  MIXFEED_ASSIGN_OR_RETURN(const int64_t version, ReadVersion(db));
  if (version == kJournalVersion) return absl::OkStatus();
  if (version == 0) MIXFEED_RETURN_IF_ERROR(db->Execute(kSchema));
  for (const Migration& migration : kMigrations) {
    if (version == 0 || migration.from < version) continue;
    MIXFEED_RETURN_IF_ERROR(db->Execute(migration.sql));
  }
  MIXFEED_RETURN_IF_ERROR(db->Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId,
                                                   "; PRAGMA user_version = ", kJournalVersion)));
  return transaction->Commit();
}

// Copies guesses by ranges of `sequence`, halved where a page cannot be read, down to single ones,
// which are left out.
class GuessCopier {
 public:
  explicit GuessCopier(SqliteDatabase* db) : db_(*db) {}

  absl::Status Copy(int64_t first, int64_t last) {
    if (failures_ == kMaxFailures) return absl::OkStatus();
    // Looking for the end of a range, SQLite reads what comes after it.
    const std::string where =
        first == last ? absl::StrCat("= ", first) : absl::StrCat("BETWEEN ", first, " AND ", last);
    const absl::Status status = db_.Execute(
        "INSERT INTO main.guesses SELECT * FROM damaged.guesses WHERE sequence " + where);
    if (!absl::IsDataLoss(status)) return status;
    ++failures_;
    if (first == last) return absl::OkStatus();
    const int64_t middle = first + (last - first) / 2;
    MIXFEED_RETURN_IF_ERROR(Copy(first, middle));
    return Copy(middle + 1, last);
  }

 private:
  // Where the table's root is lost, every range fails.
  static constexpr int kMaxFailures = 100'000;

  SqliteDatabase& db_;
  int failures_ = 0;
};

// `dropped_through` first, since it compares the count of steps that there were. A feed that is
// read in order had a guess of every step above `base`; what it had below, salvaged before, does
// not count.
constexpr char kCountAgain[] = R"(
  WITH kept AS (
    SELECT f.feed, count(g.step) AS steps, coalesce(max(g.step), -1) AS last,
        max(f.dropped_through, f.fork_step - 1) AS base,
        count(CASE WHEN g.step <= max(f.dropped_through, f.fork_step - 1) THEN 1 END) AS below
      FROM main.feeds AS f LEFT JOIN main.guesses AS g USING (feed) GROUP BY f.feed)
  UPDATE main.feeds SET dropped_through = max(kept.last, kept.base + feeds.steps - kept.below)
    FROM kept WHERE kept.feed = feeds.feed AND feeds.steps > kept.steps;
  UPDATE main.feeds SET steps = (SELECT count(*) FROM main.guesses AS g WHERE g.feed = feeds.feed);
  UPDATE main.total SET bytes = (
    SELECT coalesce(sum(length(probabilities) + length(CAST(model AS BLOB)) +
                        length(CAST(environment AS BLOB)) + length(CAST(weights AS BLOB)) +
                        length(CAST(more AS BLOB))), 0) FROM main.guesses) + )";

// Each statement for itself: after an error within a transaction, SQLite reads no page any more.
absl::Status CopyJournal(SqliteDatabase* db) {
  MIXFEED_RETURN_IF_ERROR(db->Execute("INSERT INTO main.feeds SELECT * FROM damaged.feeds"));
  MIXFEED_RETURN_IF_ERROR(GuessCopier(db).Copy(1, std::numeric_limits<int64_t>::max()));
  return db->Execute(
      absl::StrCat(kCountAgain, kGuessOverheadBytes, " * (SELECT count(*) FROM main.guesses)"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteDatabase>> OpenJournalFile(const std::string& path,
                                                                int busy_timeout_ms) {
  MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> db,
                           SqliteDatabase::Open(path, busy_timeout_ms));
  MIXFEED_RETURN_IF_ERROR(CreateOrCheckSchema(db.get(), busy_timeout_ms));
  return db;
}

absl::StatusOr<int64_t> SalvageJournal(const std::string& damaged_path, const std::string& path) {
  MIXFEED_ASSIGN_OR_RETURN(const auto db, OpenJournalFile(path, /*busy_timeout_ms=*/0));
  MIXFEED_RETURN_IF_ERROR(db->Execute("PRAGMA synchronous = OFF"));  // a crash begins anew
  MIXFEED_ASSIGN_OR_RETURN(const auto attach, db->Prepare("ATTACH ? AS damaged"));
  MIXFEED_RETURN_IF_ERROR(SqliteQuery(attach.get()).Bind(damaged_path).Run());
  MIXFEED_RETURN_IF_ERROR(CopyJournal(db.get()));
  MIXFEED_ASSIGN_OR_RETURN(const auto count, db->Prepare("SELECT count(*) FROM main.guesses"));
  SqliteQuery query(count.get());
  MIXFEED_RETURN_IF_ERROR(query.Step().status());
  return query.Int(0);
}

}  // namespace mixfeed
