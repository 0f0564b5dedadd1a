#ifndef MIXFEED_AUGMENT_GUESS_SQLITE_H_
#define MIXFEED_AUGMENT_GUESS_SQLITE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace mixfeed {

// A prepared statement, kept for reuse. Not thread safe. Must not outlive its database.
class SqliteStatement {
 public:
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

 private:
  friend class SqliteDatabase;
  friend class SqliteQuery;
  SqliteStatement(sqlite3* db, std::string path, sqlite3_stmt* handle);

  sqlite3* const db_;
  const std::string path_;
  sqlite3_stmt* const handle_;
};

// One execution of a statement, one at a time: Bind every parameter in order, then Step until it
// returns false or as often as needed. Its end also ends the statement's read transaction.
class SqliteQuery {
 public:
  explicit SqliteQuery(SqliteStatement* statement) : statement_(*statement) {}
  ~SqliteQuery();
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;

  // Binds the next parameter. Texts and blobs must stay alive as long as the query. A failure shows
  // in the next Step.
  SqliteQuery& Bind(int64_t value);
  SqliteQuery& Bind(const std::string& value);
  SqliteQuery& Bind(std::span<const std::byte> value);

  // True: there is a row to read. False: done. Errors: see SqliteDatabase.
  absl::StatusOr<bool> Step();

  // Steps a statement that gives no rows.
  absl::Status Run() { return Step().status(); }

  // The columns of the row, from 0. Values of another type are converted as SQLite does.
  int64_t Int(int column) const;
  std::string Text(int column) const;
  // Valid until the next Step.
  std::span<const std::byte> Blob(int column) const;

 private:
  SqliteStatement& statement_;
  int bound_ = 0;
  int bind_error_ = 0;
};

// A connection to a SQLite file. Not thread safe. Errors are SQLite's, with the path in front:
// DataLoss (no database, damaged), ResourceExhausted (disk full), Unavailable (another process held
// the lock beyond the timeout), FailedPrecondition (cannot be opened or written), else Internal.
class SqliteDatabase {
 public:
  // Creates the file when there is none.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path,
                                                              int busy_timeout_ms);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // Runs statements that give no rows, separated by semicolons.
  absl::Status Execute(const std::string& sql);

  // The first column of the first row: for pragmas. "" without a row.
  absl::StatusOr<std::string> QueryText(const std::string& sql);

  absl::StatusOr<std::unique_ptr<SqliteStatement>> Prepare(const std::string& sql);

  const std::string& path() const { return path_; }

 private:
  SqliteDatabase(std::string path, sqlite3* db);

  const std::string path_;
  sqlite3* const db_;
};

// DataLoss with what SQLite finds wrong with the file's structure. Reads all of it.
absl::Status CheckSqliteFile(SqliteDatabase* db);

// What is done to a file that nobody has open is done to its write-ahead log, too. Errors are
// FailedPrecondition.
absl::Status RenameSqliteFile(const std::string& from, const std::string& to);
absl::Status RemoveSqliteFile(const std::string& path);  // fine where there is none

// Renames the file to its name and ".damaged-N", with the lowest N that is free; returns that.
absl::StatusOr<std::string> SetSqliteFileAside(const std::string& path);

// BEGIN IMMEDIATE on construction (waiting for other writers), ROLLBACK on destruction unless
// committed.
class SqliteTransaction {
 public:
  static absl::StatusOr<std::unique_ptr<SqliteTransaction>> Begin(SqliteDatabase* db);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  absl::Status Commit();

 private:
  explicit SqliteTransaction(SqliteDatabase* db) : db_(db) {}

  SqliteDatabase* const db_;
  bool open_ = true;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_SQLITE_H_
