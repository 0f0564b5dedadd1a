#include "augment/guess/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "tests/augment/guess/journal_contract.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using testing::Look;
using testing::MakeGuess;
using testing::MustInsert;
using testing::ReadBytes;
using testing::TempDir;

constexpr int64_t kMebibyte = int64_t{1} << 20;

std::unique_ptr<Journal> MustOpen(const JournalOptions& options) {
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(options);
  EXPECT_TRUE(journal.ok()) << journal.status();
  return journal.ok() ? *std::move(journal) : nullptr;
}

std::unique_ptr<Journal> MustOpenAt(const std::string& path) { return MustOpen({.path = path}); }

class SqliteFile : public testing::JournalStorage {
 public:
  std::unique_ptr<Journal> Open(const testing::JournalLimits& limits) override {
    return MustOpen({.path = dir_.File("journal"),
                     .max_steps_per_feed = limits.max_steps_per_feed,
                     .max_bytes = limits.max_bytes});
  }

 private:
  const TempDir dir_;
};

// Runs SQL on a file behind the journal's back.
void RunSql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
}

TEST(JournalOpenTest, RefusesOptionsOutOfRange) {
  const JournalOptions wrong[] = {{.path = ""},
                                  {.path = ":memory:", .max_steps_per_feed = -1},
                                  {.path = ":memory:", .max_bytes = kMebibyte - 1},
                                  {.path = ":memory:", .max_bytes = -1},
                                  {.path = ":memory:", .busy_timeout_ms = -1}};
  for (const JournalOptions& options : wrong) {
    EXPECT_EQ(Journal::Open(options).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

// The status of opening `path`, whose message must name it.
absl::StatusCode OpenError(const std::string& path) {
  const absl::Status status = Journal::Open({.path = path}).status();
  EXPECT_THAT(status.message(), HasSubstr(path));
  return status.code();
}

TEST(JournalOpenTest, RefusesAFileThatIsNoDatabase) {
  TempDir dir;
  std::ofstream(dir.File("text")) << std::string(5000, 'x');
  EXPECT_EQ(OpenError(dir.File("text")), absl::StatusCode::kDataLoss);
}

TEST(JournalOpenTest, RefusesSomebodyElsesDatabaseAndLeavesItAlone) {
  TempDir dir;
  RunSql(dir.File("other"), "CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('pie')");
  const std::string before = ReadBytes(dir.File("other"));
  EXPECT_EQ(OpenError(dir.File("other")), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadBytes(dir.File("other")), before);
  EXPECT_FALSE(std::filesystem::exists(dir.File("other-wal")));
}

TEST(JournalOpenTest, UsesAWriteAheadLog) {
  TempDir dir;
  const auto journal = MustOpenAt(dir.File("journal"));
  EXPECT_TRUE(std::filesystem::exists(dir.File("journal-wal")));
}

TEST(JournalOpenTest, RefusesAnotherVersion) {
  TempDir dir;
  MustOpenAt(dir.File("journal"));
  RunSql(dir.File("journal"), "PRAGMA user_version = 99");
  EXPECT_EQ(OpenError(dir.File("journal")), absl::StatusCode::kFailedPrecondition);
}

// A journal as version 2 wrote it, with one guess.
constexpr char kVersion2[] = R"(
  CREATE TABLE feeds (feed INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    steps INTEGER NOT NULL DEFAULT 0, dropped_through INTEGER NOT NULL DEFAULT -1,
    environment TEXT);
  CREATE TABLE guesses (sequence INTEGER PRIMARY KEY, feed INTEGER NOT NULL REFERENCES feeds,
    step INTEGER NOT NULL, row_count INTEGER NOT NULL, classes INTEGER NOT NULL,
    probabilities BLOB NOT NULL, model TEXT NOT NULL, model_version INTEGER NOT NULL,
    age INTEGER NOT NULL, environment TEXT NOT NULL, environment_changed INTEGER NOT NULL,
    UNIQUE (feed, step));
  CREATE TABLE total (bytes INTEGER NOT NULL);
  INSERT INTO total VALUES (115);
  INSERT INTO feeds VALUES (1, 'feed', 1, -1, 'here');
  INSERT INTO guesses VALUES (1, 1, 30, 1, 2, x'0000803e0000403f', 'old', 3, 4, 'here', 0);
  PRAGMA application_id = 0x6d78666a;
  PRAGMA user_version = 2;)";

TEST(JournalOpenTest, GuessesOfVersion2AreStillThere) {
  TempDir dir;
  RunSql(dir.File("journal"), kVersion2);
  StepGuess expected;
  expected.rows = 1;
  expected.classes = 2;
  expected.probabilities = {0.25f, 0.75f};
  expected.model = "old";
  expected.model_version = 3;
  expected.model_update = 26;
  expected.age = 4;
  expected.environment = "here";
  for (int opening = 0; opening < 2; ++opening) {
    const auto journal = MustOpenAt(dir.File("journal"));
    const auto found = journal->Find("feed", 30);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, expected);
    EXPECT_EQ(MustInsert(journal.get(), "feed", 31 + opening, MakeGuess(0.5f)).model, "teacher");
  }
}

TEST(JournalOpenTest, RefusesAFolderAndAMissingOne) {
  TempDir dir;
  EXPECT_EQ(OpenError(dir.path()), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(OpenError(dir.File("no/such/journal")), absl::StatusCode::kFailedPrecondition);
}

// --- forks ---

TEST(JournalDamageTest, ADamagedGuessIsNamed) {
  TempDir dir;
  const auto journal = MustOpenAt(dir.File("journal"));
  MustInsert(journal.get(), "feed", 3, MakeGuess(0.5f));
  // zeroblob(24) has the right size.
  for (const char* damaged :
       {"x'00'", "x''", "probabilities || x'00'", "zeroblob(44)", "zeroblob(24)"}) {
    RunSql(dir.File("journal"), absl::StrCat("UPDATE guesses SET probabilities = ", damaged));
    const absl::Status status = journal->Find("feed", 3).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << damaged;
    EXPECT_THAT(status.message(), HasSubstr(dir.File("journal")));
    EXPECT_THAT(status.message(), HasSubstr("feed feed, step 3"));
  }
}

TEST(JournalDamageTest, WrongCountsAreNoticed) {
  TempDir dir;
  const auto journal = MustOpen({.path = dir.File("journal"), .max_bytes = kMebibyte});
  RunSql(dir.File("journal"), "UPDATE total SET bytes = 1000000000000");
  EXPECT_EQ(journal->Insert("feed", 0, MakeGuess(0.5f)).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(JournalDamageTest, AMissingTotalIsNoticed) {
  TempDir dir;
  const auto journal = MustOpenAt(dir.File("journal"));
  RunSql(dir.File("journal"), "DELETE FROM total");
  EXPECT_EQ(journal->Insert("feed", 0, MakeGuess(0.5f)).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(JournalSharingTest, AWriterThatHoldsTheLockTooLongIsReported) {
  TempDir dir;
  const auto journal = MustOpen({.path = dir.File("journal"), .busy_timeout_ms = 0});
  sqlite3* writer = nullptr;
  ASSERT_EQ(sqlite3_open(dir.File("journal").c_str(), &writer), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(writer, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(journal->Insert("feed", 0, MakeGuess(0.5f)).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(Look(journal.get(), "feed", 0), "none");  // reading goes on
  sqlite3_close(writer);
  MustInsert(journal.get(), "feed", 0, MakeGuess(0.5f));
}

// Runs `work` in a child process with the writing end of a pipe; returns its reading end. The child
// shows an error and ends with EXIT_FAILURE.
int RunInChild(const std::function<absl::Status(int)>& work, pid_t* child) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  *child = fork();
  if (*child == 0) {
    close(ends[0]);
    const absl::Status status = work(ends[1]);
    if (!status.ok()) std::fprintf(stderr, "child: %s\n", status.ToString().c_str());
    _exit(status.ok() ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  close(ends[1]);
  return ends[0];
}

// Inserts steps from `begin` on, sending through `output` what the journal then holds.
absl::Status InsertAndReport(const std::string& path, int64_t begin, int64_t end, float value,
                             int output) {
  MIXFEED_ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal, Journal::Open({.path = path}));
  for (int64_t step = begin; step < end; ++step) {
    MIXFEED_ASSIGN_OR_RETURN(const StepGuess stored,
                             journal->Insert("feed", step, MakeGuess(value)));
    const float reported = stored.probabilities[0];
    if (write(output, &reported, sizeof(reported)) != sizeof(reported)) {
      return absl::InternalError("nobody reads");
    }
  }
  return absl::OkStatus();
}

std::vector<float> ReadFloats(int input, size_t count) {
  std::vector<float> values;
  float value = 0;
  while (values.size() < count && read(input, &value, sizeof(value)) == sizeof(value)) {
    values.push_back(value);
  }
  return values;
}

// Three processes open a journal, which does not exist yet, at once and insert `steps` steps.
void ExpectProcessesAgree(const std::string& path, int64_t steps) {
  constexpr size_t kProcesses = 3;
  pid_t children[kProcesses];
  int inputs[kProcesses];
  int start[2];  // the children begin when its writing end is closed
  ASSERT_EQ(pipe(start), 0);
  for (size_t c = 0; c < kProcesses; ++c) {
    const auto work = [&](int output) {
      char nothing = 0;
      close(start[1]);
      if (read(start[0], &nothing, 1) != 0) return absl::InternalError("no start");
      return InsertAndReport(path, 0, steps, static_cast<float>(c), output);
    };
    inputs[c] = RunInChild(work, &children[c]);
  }
  close(start[0]);
  close(start[1]);
  std::vector<std::vector<float>> seen;
  for (const int input : inputs) seen.push_back(ReadFloats(input, static_cast<size_t>(steps)));
  for (size_t c = 0; c < kProcesses; ++c) {
    int wait_status = 0;
    waitpid(children[c], &wait_status, 0);
    close(inputs[c]);
    EXPECT_EQ(wait_status, 0) << "process " << c;
    EXPECT_EQ(seen[c], seen[0]) << "process " << c;
  }
  EXPECT_EQ(seen[0].size(), static_cast<size_t>(steps));
}

TEST(JournalSharingTest, ProcessesAgreeOnEveryStep) {
  const TempDir dir;
  ExpectProcessesAgree(dir.File("journal"), 40);
}

TEST(JournalSharingTest, ProcessesMayMakeTheFileAtOnce) {
  const TempDir dir;
  for (int i = 0; i < 20; ++i) ExpectProcessesAgree(dir.File(absl::StrCat("journal", i)), 1);
}

TEST(JournalSharingTest, WhatWasInsertedSurvivesKill9) {
  TempDir dir;
  constexpr size_t kReported = 50;
  pid_t child = 0;
  const auto work = [&](int output) {
    return InsertAndReport(dir.File("journal"), 0, 1'000'000, 0.5f, output);
  };
  const int input = RunInChild(work, &child);
  const size_t reported = ReadFloats(input, kReported).size();
  kill(child, SIGKILL);
  int wait_status = 0;
  waitpid(child, &wait_status, 0);
  close(input);
  EXPECT_TRUE(WIFSIGNALED(wait_status));
  ASSERT_EQ(reported, kReported);
  const auto journal = MustOpenAt(dir.File("journal"));
  for (size_t step = 0; step < kReported; ++step) {
    EXPECT_EQ(Look(journal.get(), "feed", static_cast<int64_t>(step)), "0.5");
  }
  MustInsert(journal.get(), "feed", 2'000'000, MakeGuess(0.25f));
}

}  // namespace

namespace testing {

INSTANTIATE_TEST_SUITE_P(Sqlite, JournalContract,
                         ::testing::Values([] { return std::make_unique<SqliteFile>(); }));

}  // namespace testing
}  // namespace mixfeed
