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
#include <iterator>
#include <limits>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

constexpr int64_t kMebibyte = int64_t{1} << 20;

StepGuess MakeGuess(float value, int rows = 4, int classes = 3) {
  StepGuess guess;
  guess.rows = rows;
  guess.classes = classes;
  guess.probabilities.assign(static_cast<size_t>(rows) * static_cast<size_t>(classes), value);
  guess.model = "teacher";
  guess.model_version = 7;
  guess.age = 2;
  guess.environment = "libtorch, 2 guess threads";
  return guess;
}

// Almost a quarter of the smallest journal.
StepGuess QuarterMebibyte(float value) { return MakeGuess(value, 255, 256); }

std::unique_ptr<Journal> MustOpen(const JournalOptions& options) {
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(options);
  EXPECT_TRUE(journal.ok()) << journal.status();
  return journal.ok() ? *std::move(journal) : nullptr;
}

std::unique_ptr<Journal> MustOpenAt(const std::string& path) { return MustOpen({.path = path}); }

StepGuess MustInsert(Journal* journal, const std::string& feed, int64_t step,
                     const StepGuess& guess) {
  absl::StatusOr<StepGuess> stored = journal->Insert(feed, step, guess);
  EXPECT_TRUE(stored.ok()) << stored.status();
  return stored.ok() ? *std::move(stored) : StepGuess();
}

// What Find says in a word: the first probability, "none", or the error.
std::string Look(Journal* journal, const std::string& feed, int64_t step) {
  const absl::StatusOr<std::optional<StepGuess>> found = journal->Find(feed, step);
  if (!found.ok()) return std::string(absl::StatusCodeToString(found.status().code()));
  return found->has_value() ? absl::StrCat((*found)->probabilities.at(0)) : "none";
}

// Runs SQL on a file behind the journal's back.
void RunSql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
}

std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(JournalTest, KeepsEveryBitOfAGuess) {
  TempDir dir;
  StepGuess guess = MakeGuess(0.25f);
  guess.probabilities[1] = std::numeric_limits<float>::denorm_min();
  guess.probabilities[2] = 0x1.fffffep-1f;
  guess.environment = std::string("a 'quoted' \0 byte", 17);
  {
    const auto journal = MustOpenAt(dir.File("journal"));
    EXPECT_EQ(MustInsert(journal.get(), "feed", 0, guess), guess);
  }
  const auto journal = MustOpenAt(dir.File("journal"));
  const auto found = journal->Find("feed", 0);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, guess);
}

TEST(JournalTest, StepsAndFeedsAreApart) {
  const auto journal = MustOpenAt(":memory:");
  const int64_t last = std::numeric_limits<int64_t>::max();
  MustInsert(journal.get(), "a", 3, MakeGuess(0.5f));
  MustInsert(journal.get(), "b", last, MakeGuess(0.75f));
  EXPECT_EQ(Look(journal.get(), "a", 3), "0.5");
  EXPECT_EQ(Look(journal.get(), "b", last), "0.75");
  EXPECT_EQ(Look(journal.get(), "a", 2), "none");
  EXPECT_EQ(Look(journal.get(), "a", last), "none");
  EXPECT_EQ(Look(journal.get(), "b", 3), "none");
  EXPECT_EQ(Look(journal.get(), "c", 3), "none");
}

TEST(JournalTest, FirstWriterWins) {
  const auto journal = MustOpenAt(":memory:");
  const StepGuess first = MakeGuess(0.5f);
  StepGuess second = MakeGuess(0.25f);
  second.model = "another";
  EXPECT_EQ(MustInsert(journal.get(), "feed", 1, first), first);
  EXPECT_EQ(MustInsert(journal.get(), "feed", 1, second), first);
  EXPECT_EQ(Look(journal.get(), "feed", 1), "0.5");
}

// Whether the journal flags a guess of that feed and environment.
bool IsFlagged(Journal* journal, const std::string& feed, int64_t step,
               const std::string& environment) {
  StepGuess guess = MakeGuess(0.5f);
  guess.environment = environment;
  const bool flagged = MustInsert(journal, feed, step, guess).environment_changed;
  EXPECT_EQ((*journal->Find(feed, step))->environment_changed, flagged);
  return flagged;
}

TEST(JournalTest, FlagsAChangeOfEnvironmentWithinAFeed) {
  TempDir dir;
  // Retention does not make it forget.
  const JournalOptions options{.path = dir.File("journal"), .max_steps_per_feed = 1};
  {
    const auto journal = MustOpen(options);
    EXPECT_FALSE(IsFlagged(journal.get(), "feed", 0, ""));
    EXPECT_FALSE(IsFlagged(journal.get(), "feed", 1, ""));
    EXPECT_TRUE(IsFlagged(journal.get(), "feed", 2, "one"));
    EXPECT_FALSE(IsFlagged(journal.get(), "feed", 3, "one"));
    EXPECT_FALSE(IsFlagged(journal.get(), "other", 0, "two"));
  }
  const auto journal = MustOpen(options);
  EXPECT_TRUE(IsFlagged(journal.get(), "feed", 4, "two"));
  EXPECT_TRUE(IsFlagged(journal.get(), "feed", 5, "one"));
  EXPECT_FALSE(IsFlagged(journal.get(), "feed", 6, "one"));
}

TEST(JournalTest, KnowsTheModelOfAFeedsHighestStep) {
  const auto journal = MustOpenAt(":memory:");
  EXPECT_EQ(*journal->LastModel("feed"), std::nullopt);
  StepGuess guess = MakeGuess(0.5f);
  for (const auto& [step, model] : {std::pair(5, "old"), {9, "new"}, {7, "between"}}) {
    guess.model = model;
    MustInsert(journal.get(), "feed", step, guess);
  }
  MustInsert(journal.get(), "other", 100, MakeGuess(0.5f));
  EXPECT_EQ(*journal->LastModel("feed"), "new");
}

TEST(JournalTest, RefusesGuessesThatDoNotFitThemselves) {
  const auto journal = MustOpenAt(":memory:");
  StepGuess short_one = MakeGuess(0.5f);
  short_one.probabilities.pop_back();
  const StepGuess empty = MakeGuess(0.5f, 0, 3);
  for (const auto& status :
       {journal->Insert("feed", 1, short_one).status(), journal->Insert("feed", 1, empty).status(),
        journal->Insert("feed", -1, MakeGuess(0.5f)).status(),
        journal->Insert("", 1, MakeGuess(0.5f)).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
  EXPECT_EQ(Look(journal.get(), "feed", 1), "none");
}

TEST(JournalRetentionTest, DropsLowestStepsBeyondTheStepLimit) {
  const auto journal = MustOpen({.path = ":memory:", .max_steps_per_feed = 2});
  for (const int64_t step : {5, 6, 7}) MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
  MustInsert(journal.get(), "other", 0, MakeGuess(0.25f));
  EXPECT_EQ(Look(journal.get(), "feed", 5), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "feed", 6), "0.5");
  EXPECT_EQ(Look(journal.get(), "feed", 7), "0.5");
  EXPECT_EQ(Look(journal.get(), "feed", 8), "none");
  EXPECT_EQ(Look(journal.get(), "other", 0), "0.25");
}

TEST(JournalRetentionTest, ADroppedStepIsNeverGuessedAgain) {
  TempDir dir;
  const JournalOptions options{.path = dir.File("journal"), .max_steps_per_feed = 1};
  {
    const auto journal = MustOpen(options);
    for (const int64_t step : {0, 1}) MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
  }
  const auto journal = MustOpen(options);
  const absl::Status found = journal->Find("feed", 0).status();
  EXPECT_EQ(found.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(found.message(), HasSubstr("feed feed, step 0 was dropped by retention"));
  EXPECT_EQ(journal->Insert("feed", 0, MakeGuess(0.25f)).status(), found);
  EXPECT_EQ(Look(journal.get(), "feed", 1), "0.5");
}

TEST(JournalRetentionTest, AStepBelowAFullFeedIsRefusedAndChangesNothing) {
  const auto journal = MustOpen({.path = ":memory:", .max_steps_per_feed = 2});
  for (const int64_t step : {5, 6}) MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
  EXPECT_EQ(journal->Insert("feed", 4, MakeGuess(0.25f)).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Look(journal.get(), "feed", 4), "none");
  EXPECT_EQ(Look(journal.get(), "feed", 5), "0.5");
}

TEST(JournalRetentionTest, DropsFromTheFeedWithTheOldestGuessBeyondTheByteLimit) {
  const auto journal = MustOpen({.path = ":memory:", .max_bytes = kMebibyte});
  for (const int64_t step : {0, 1}) MustInsert(journal.get(), "old", step, QuarterMebibyte(0.5f));
  for (const int64_t step : {0, 1, 2}) {
    MustInsert(journal.get(), "new", step, QuarterMebibyte(0.25f));
  }
  EXPECT_EQ(Look(journal.get(), "old", 0), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "old", 1), "0.5");
  for (const int64_t step : {0, 1, 2}) EXPECT_EQ(Look(journal.get(), "new", step), "0.25");

  for (const int64_t step : {3, 4}) MustInsert(journal.get(), "new", step, QuarterMebibyte(0.25f));
  EXPECT_EQ(Look(journal.get(), "old", 1), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "new", 0), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "new", 1), "0.25");
}

TEST(JournalRetentionTest, AGuessLargerThanTheJournalIsRefusedAndChangesNothing) {
  const auto journal = MustOpen({.path = ":memory:", .max_bytes = kMebibyte});
  MustInsert(journal.get(), "feed", 0, MakeGuess(0.5f));
  EXPECT_EQ(journal->Insert("feed", 1, MakeGuess(0.25f, 1024, 257)).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Look(journal.get(), "feed", 0), "0.5");
  EXPECT_EQ(Look(journal.get(), "feed", 1), "none");
}

TEST(JournalRetentionTest, CountsTextsAndARowsOverhead) {
  const auto journal = MustOpen({.path = ":memory:", .max_bytes = kMebibyte});
  StepGuess guess = MakeGuess(0.5f, 1, 1);
  guess.environment.assign(kMebibyte / 4, 'e');
  for (const int64_t step : {0, 1, 2, 3}) MustInsert(journal.get(), "feed", step, guess);
  EXPECT_EQ(Look(journal.get(), "feed", 0), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "feed", 1), "0.5");
}

TEST(JournalRetentionTest, WhatIsDroppedIsNoLongerCounted) {
  const auto narrow = MustOpen({.path = ":memory:", .max_bytes = kMebibyte});
  for (int64_t step = 0; step < 40; ++step) {
    MustInsert(narrow.get(), "feed", step, QuarterMebibyte(0.5f));
    EXPECT_EQ(Look(narrow.get(), "feed", std::max<int64_t>(0, step - 3)), "0.5") << step;
  }
}

TEST(JournalRetentionTest, ASmallerLimitIsReachedOverSeveralCalls) {
  TempDir dir;
  {
    const auto journal = MustOpenAt(dir.File("journal"));
    for (int64_t step = 0; step < 1500; ++step) {
      MustInsert(journal.get(), "feed", step, MakeGuess(0.5f));
    }
  }
  const auto journal = MustOpen({.path = dir.File("journal"), .max_steps_per_feed = 1});
  MustInsert(journal.get(), "feed", 1500, MakeGuess(0.5f));
  EXPECT_EQ(Look(journal.get(), "feed", 999), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "feed", 1000), "0.5");
  MustInsert(journal.get(), "feed", 1501, MakeGuess(0.5f));
  EXPECT_EQ(Look(journal.get(), "feed", 1500), "FAILED_PRECONDITION");
  EXPECT_EQ(Look(journal.get(), "feed", 1501), "0.5");
}

TEST(JournalOpenTest, RefusesOptionsOutOfRange) {
  const JournalOptions wrong[] = {{.path = ""},
                                  {.path = ":memory:", .max_steps_per_feed = 0},
                                  {.path = ":memory:", .max_bytes = kMebibyte - 1},
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
  EXPECT_EQ(OpenError(dir.File("other")), absl::StatusCode::kDataLoss);
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

TEST(JournalOpenTest, RefusesAFolderAndAMissingOne) {
  TempDir dir;
  EXPECT_EQ(OpenError(dir.path()), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(OpenError(dir.File("no/such/journal")), absl::StatusCode::kFailedPrecondition);
}

TEST(JournalDamageTest, ADamagedGuessIsNamed) {
  TempDir dir;
  const auto journal = MustOpenAt(dir.File("journal"));
  MustInsert(journal.get(), "feed", 3, MakeGuess(0.5f));
  for (const char* damaged : {"x'00'", "x''", "probabilities || x'00'", "zeroblob(44)"}) {
    RunSql(dir.File("journal"), absl::StrCat("UPDATE guesses SET probabilities = ", damaged));
    const absl::Status status = journal->Find("feed", 3).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << damaged;
    EXPECT_THAT(status.message(), HasSubstr(dir.File("journal")));
    EXPECT_THAT(status.message(), HasSubstr("feed feed, step 3"));
  }
}

TEST(JournalDamageTest, WrongCountsAreNoticed) {
  TempDir dir;
  const auto journal = MustOpenAt(dir.File("journal"));
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

TEST(JournalSharingTest, ThreadsAgreeOnEveryStep) {
  TempDir dir;
  constexpr int kThreads = 4;
  constexpr int64_t kSteps = 30;
  const auto one = MustOpenAt(dir.File("journal"));
  const auto two = MustOpenAt(dir.File("journal"));
  std::vector<std::vector<StepGuess>> seen(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Journal* const journal = t % 2 == 0 ? one.get() : two.get();
      for (int64_t step = 0; step < kSteps; ++step) {
        seen[static_cast<size_t>(t)].push_back(
            MustInsert(journal, "feed", step, MakeGuess(static_cast<float>(t))));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& others : seen) EXPECT_EQ(others, seen[0]);
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
}  // namespace mixfeed
