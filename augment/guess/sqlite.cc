#include "augment/guess/sqlite.h"

#include <sqlite3.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileSuffixes[] = {"", "-wal", "-shm"};

absl::Status FileError(const std::string& path, const char* what, const std::error_code& error) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, " cannot be ", what, ": ", error.message()));
}

absl::StatusCode CodeOf(int sqlite_code) {
  switch (sqlite_code & 0xff) {  // the primary code; the rest is detail
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return absl::StatusCode::kDataLoss;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status ErrorOf(const std::string& path, int code, sqlite3* db) {
  return absl::Status(CodeOf(code), absl::StrCat("SQLite file ", path, ": ",
                                                 db ? sqlite3_errmsg(db) : sqlite3_errstr(code)));
}

}  // namespace

SqliteStatement::SqliteStatement(sqlite3* db, std::string path, sqlite3_stmt* handle)
    : db_(db), path_(std::move(path)), handle_(handle) {}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(handle_); }

SqliteQuery::~SqliteQuery() {
  sqlite3_reset(statement_.handle_);  // repeats the error of the last Step, which was reported
  sqlite3_clear_bindings(statement_.handle_);
}

SqliteQuery& SqliteQuery::Bind(int64_t value) {
  bind_error_ |= sqlite3_bind_int64(statement_.handle_, ++bound_, value);
  return *this;
}

SqliteQuery& SqliteQuery::Bind(const std::string& value) {
  bind_error_ |= sqlite3_bind_text64(statement_.handle_, ++bound_, value.data(), value.size(),
                                     SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

SqliteQuery& SqliteQuery::Bind(std::span<const std::byte> value) {
  bind_error_ |=
      sqlite3_bind_blob64(statement_.handle_, ++bound_, value.data(), value.size(), SQLITE_STATIC);
  return *this;
}

absl::StatusOr<bool> SqliteQuery::Step() {
  const int code = bind_error_ ? SQLITE_TOOBIG : sqlite3_step(statement_.handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return ErrorOf(statement_.path_, code, statement_.db_);
}

int64_t SqliteQuery::Int(int column) const {
  return sqlite3_column_int64(statement_.handle_, column);
}

std::string SqliteQuery::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.handle_, column);
  const int bytes = sqlite3_column_bytes(statement_.handle_, column);
  return text == nullptr ? "" : std::string(reinterpret_cast<const char*>(text), size_t(bytes));
}

std::span<const std::byte> SqliteQuery::Blob(int column) const {
  const void* blob = sqlite3_column_blob(statement_.handle_, column);
  const int bytes = sqlite3_column_bytes(statement_.handle_, column);
  return {static_cast<const std::byte*>(blob), size_t(bytes)};
}

SqliteDatabase::SqliteDatabase(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}

SqliteDatabase::~SqliteDatabase() { sqlite3_close_v2(db_); }

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path,
                                                                     int busy_timeout_ms) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  // A handle comes with most errors, too, and has to be closed.
  std::unique_ptr<SqliteDatabase> db(new SqliteDatabase(path, handle));
  if (code != SQLITE_OK) return ErrorOf(path, code, handle);
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  return db;
}

absl::Status SqliteDatabase::Execute(const std::string& sql) {
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ErrorOf(path_, code, db_);
}

absl::StatusOr<std::string> SqliteDatabase::QueryText(const std::string& sql) {
  MIXFEED_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteStatement> statement, Prepare(sql));
  SqliteQuery query(statement.get());
  MIXFEED_ASSIGN_OR_RETURN(const bool has_row, query.Step());
  return has_row ? query.Text(0) : "";
}

absl::StatusOr<std::unique_ptr<SqliteStatement>> SqliteDatabase::Prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.c_str(), static_cast<int>(sql.size()) + 1,
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return ErrorOf(path_, code, db_);
  return std::unique_ptr<SqliteStatement>(new SqliteStatement(db_, path_, statement));
}

absl::StatusOr<std::unique_ptr<SqliteTransaction>> SqliteTransaction::Begin(SqliteDatabase* db) {
  MIXFEED_RETURN_IF_ERROR(db->Execute("BEGIN IMMEDIATE"));
  return std::unique_ptr<SqliteTransaction>(new SqliteTransaction(db));
}

SqliteTransaction::~SqliteTransaction() {
  // SQLite has already rolled back after some errors; a second attempt then fails harmlessly.
  if (open_) db_->Execute("ROLLBACK").IgnoreError();
}

absl::Status SqliteTransaction::Commit() {
  MIXFEED_RETURN_IF_ERROR(db_->Execute("COMMIT"));
  open_ = false;
  return absl::OkStatus();
}

absl::Status CheckSqliteFile(SqliteDatabase* db) {
  MIXFEED_ASSIGN_OR_RETURN(const std::string found, db->QueryText("PRAGMA quick_check(1)"));
  if (found == "ok") return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("SQLite file ", db->path(), ": ", found));
}

absl::Status RenameSqliteFile(const std::string& from, const std::string& to) {
  for (const char* const suffix : kFileSuffixes) {
    if (!fs::exists(from + suffix)) continue;
    std::error_code error;
    fs::rename(from + suffix, to + suffix, error);
    if (error) return FileError(from + suffix, "renamed", error);
  }
  return absl::OkStatus();
}

absl::Status RemoveSqliteFile(const std::string& path) {
  for (const char* const suffix : kFileSuffixes) {
    std::error_code error;
    fs::remove(path + suffix, error);
    if (error) return FileError(path + suffix, "removed", error);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SetSqliteFileAside(const std::string& path) {
  std::string aside;
  for (int n = 1; aside.empty() || fs::exists(aside); ++n) {
    aside = absl::StrCat(path, ".damaged-", n);
  }
  MIXFEED_RETURN_IF_ERROR(RenameSqliteFile(path, aside));
  return aside;
}

}  // namespace mixfeed
