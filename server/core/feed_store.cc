#include "server/core/feed_store.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

constexpr int kBusyTimeoutMs = 10'000;

// `opened` orders the feeds: SQLite gives each new row a number above all others. WAL keeps the
// file whole when the process is killed.
constexpr char kSchema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    "CREATE TABLE IF NOT EXISTS feeds (opened INTEGER PRIMARY KEY AUTOINCREMENT,"
    " feed_id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, spec BLOB NOT NULL)";
constexpr char kInsert[] = "INSERT OR REPLACE INTO feeds (feed_id, run, spec) VALUES (?, ?, ?)";
constexpr char kDelete[] = "DELETE FROM feeds WHERE feed_id = ?";
constexpr char kSelect[] = "SELECT feed_id, run, spec FROM feeds ORDER BY opened";

// DataLoss for a damaged file.
absl::StatusOr<std::unique_ptr<SqliteDatabase>> OpenSound(const std::string& path) {
  MIXFEED_ASSIGN_OR_RETURN(auto database, SqliteDatabase::Open(path, kBusyTimeoutMs));
  MIXFEED_RETURN_IF_ERROR(CheckSqliteFile(database.get()));
  MIXFEED_RETURN_IF_ERROR(database->Execute(kSchema));
  return database;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FeedStore>> FeedStore::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> database = OpenSound(path);
  if (absl::IsDataLoss(database.status())) {
    MIXFEED_ASSIGN_OR_RETURN(const std::string damaged, SetSqliteFileAside(path));
    spdlog::error("{}; set aside as {}: trainers must open their feeds again",
                  std::string(database.status().message()), damaged);
    database = OpenSound(path);
  }
  MIXFEED_RETURN_IF_ERROR(database.status());
  return std::unique_ptr<FeedStore>(new FeedStore(*std::move(database)));
}

absl::Status FeedStore::Put(const Record& record) {
  const std::string spec = record.spec.SerializeAsString();
  MutexLock lock(&mu_);
  MIXFEED_ASSIGN_OR_RETURN(const auto insert, database_->Prepare(kInsert));
  return SqliteQuery(insert.get())
      .Bind(record.feed_id)
      .Bind(record.run)
      .Bind(std::as_bytes(std::span(spec)))
      .Run();
}

absl::Status FeedStore::Remove(const std::string& feed_id) {
  MutexLock lock(&mu_);
  MIXFEED_ASSIGN_OR_RETURN(const auto remove, database_->Prepare(kDelete));
  return SqliteQuery(remove.get()).Bind(feed_id).Run();
}

absl::StatusOr<std::vector<FeedStore::Record>> FeedStore::ReadAll() {
  MutexLock lock(&mu_);
  MIXFEED_ASSIGN_OR_RETURN(const auto select, database_->Prepare(kSelect));
  SqliteQuery query(select.get());
  std::vector<Record> records;
  for (;;) {
    MIXFEED_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return records;
    Record record{.feed_id = query.Text(0), .run = query.Text(1), .spec = {}};
    const std::span<const std::byte> spec = query.Blob(2);
    if (record.spec.ParseFromArray(spec.data(), static_cast<int>(spec.size()))) {
      records.push_back(std::move(record));
    } else {
      spdlog::warn("feed {} of run \"{}\" is not restored: its stored spec is damaged",
                   record.feed_id, record.run);
    }
  }
}

}  // namespace mixfeed
