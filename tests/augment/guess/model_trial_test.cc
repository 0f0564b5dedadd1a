#include "augment/guess/model_trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/augment/guess/archives.h"
#include "tests/testing/child_process.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TempDir;

constexpr int kClasses = 5;

ModelSource MakeSource(std::string archive) {
  ModelSource source;
  source.info.name = "teacher";
  source.info.kind = kTorchScriptKind;
  source.info.input = {.channels = 3, .height = 8, .width = 8};
  source.info.classes = kClasses;
  source.archive = std::move(archive);
  return source;
}

absl::Status Try(const std::string& archive, ModelTrialOptions options = {}) {
  options.program = MIXFEED_TRY_MODEL;
  return TryModelInChild(MakeSource(archive), options);
}

void ExpectFinding(const absl::Status& status, absl::StatusCode code, const std::string& reason) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("teacher"), HasSubstr(reason)));
}

TEST(ModelTrialTest, AGoodModelPasses) {
  const absl::Status status = Try(testing::GoodArchive(kClasses));
  EXPECT_TRUE(status.ok()) << status;
}

TEST(ModelTrialTest, ALargeBuiltinNetworkPassesUnderTheDefaultLimits) {
  ModelSource source = MakeSource("");
  source.info.kind = "wrn-28-2";
  const absl::Status status = TryModelInChild(source, {.program = MIXFEED_TRY_MODEL});
  EXPECT_TRUE(status.ok()) << status;
}

TEST(ModelTrialTest, TheChildsFindingIsReturned) {
  ExpectFinding(Try(""), absl::StatusCode::kInvalidArgument, "archive is empty");
  ExpectFinding(Try(testing::ThrowingArchive()), absl::StatusCode::kInvalidArgument,
                "the model says no");
  ExpectFinding(Try(testing::FrozenArchive(kClasses)), absl::StatusCode::kFailedPrecondition,
                "frozen");
}

TEST(ModelTrialTest, AModelThatNeverReturnsEndsAtTheDeadline) {
  ExpectFinding(Try(testing::HangingArchive(), {.program = "", .deadline_ms = 1500}),
                absl::StatusCode::kDeadlineExceeded, "longer than 1500 ms");
}

TEST(ModelTrialTest, AModelThatTakesAllMemoryIsStopped) {
  if (testing::kSanitized) {
    GTEST_SKIP() << "a sanitizer needs the address space";
  }
  constexpr int64_t kLimit = int64_t{2} << 30;
  ExpectFinding(Try(testing::MemoryHogArchive(), {.program = "", .memory_limit_bytes = kLimit}),
                absl::StatusCode::kResourceExhausted, "you tried to allocate");
}

TEST(ModelTrialTest, TrialsAtOnceDoNotMix) {
  absl::Status good, bad;
  std::thread other([&] { bad = Try(testing::ThrowingArchive()); });
  good = Try(testing::GoodArchive(kClasses));
  other.join();
  EXPECT_TRUE(good.ok()) << good;
  EXPECT_EQ(bad.code(), absl::StatusCode::kInvalidArgument);
}

// A program in `dir` that is this shell script.
std::string Script(const TempDir& dir, const std::string& script) {
  std::string program = dir.File("program");
  std::ofstream(program) << "#!/bin/sh\n" << script << "\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  return program;
}

// What becomes of a trial whose program is this shell script.
absl::Status TryScript(const std::string& script, int64_t deadline_ms = 60'000) {
  TempDir dir;
  return TryModelInChild(MakeSource(std::string(1'000'000, 'x')),
                         {.program = Script(dir, script), .deadline_ms = deadline_ms});
}

TEST(ModelTrialProcessTest, ACrashIsNamedByItsSignal) {
  ExpectFinding(TryScript("kill -SEGV $$"), absl::StatusCode::kFailedPrecondition,
                "ended by signal 11 (Segmentation fault)");
}

TEST(ModelTrialProcessTest, AnEndWithoutAFindingIsNoticed) {
  ExpectFinding(TryScript("echo all is well; exit 3"), absl::StatusCode::kInternal, "exit code 3");
}

TEST(ModelTrialProcessTest, AChildThatNeitherReadsNorWritesEndsAtTheDeadline) {
  ExpectFinding(TryScript("exec sleep 600", /*deadline_ms=*/50),
                absl::StatusCode::kDeadlineExceeded, "longer than 50 ms");
}

TEST(ModelTrialProcessTest, AStoppedTrialEndsBeforeItsDeadline) {
  std::stop_source stop;
  absl::Status status;
  std::thread trial([&] {
    TempDir dir;
    status = TryModelInChild(MakeSource(""), {.program = Script(dir, "exec sleep 600"),
                                              .deadline_ms = 600'000,
                                              .stop = stop.get_token()});
  });
  stop.request_stop();
  trial.join();
  ExpectFinding(status, absl::StatusCode::kCancelled, "was stopped");
}

TEST(ModelTrialProcessTest, AProgramThatCannotBeStartedIsNamed) {
  const absl::Status status = TryModelInChild(MakeSource(""), {.program = "/no/such/program"});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot start /no/such/program"));
}

TEST(ModelTrialProcessTest, RefusesOptionsOutOfRange) {
  for (const ModelTrialOptions& options :
       {ModelTrialOptions{.program = ""}, ModelTrialOptions{.program = "x", .deadline_ms = 0},
        ModelTrialOptions{.program = "x", .memory_limit_bytes = -1}}) {
    EXPECT_EQ(TryModelInChild(MakeSource(""), options).code(), absl::StatusCode::kInvalidArgument);
  }
}

int64_t OpenFiles() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return std::distance(begin(files), end(files));
}

TEST(ModelTrialProcessTest, LeavesNoProcessesAndNoOpenFiles) {
  const int64_t before = OpenFiles();
  TryScript("exit 0").IgnoreError();
  TryScript("exec sleep 600", /*deadline_ms=*/50).IgnoreError();
  TryModelInChild(MakeSource(""), {.program = "/no/such/program"}).IgnoreError();
  EXPECT_EQ(OpenFiles(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(TryModelProgramTest, RefusesBadArgumentsWithExitCodeTwo) {
  for (const char* arguments : {"", "1 2", "x", "12x", "-1", "''", "99999999999999999999"}) {
    const std::string command =
        absl::StrCat(MIXFEED_TRY_MODEL, " ", arguments, " < /dev/null > /dev/null 2> /dev/null");
    EXPECT_EQ(testing::ExitCode(std::system(command.c_str())), 2) << arguments;
  }
}

}  // namespace
}  // namespace mixfeed
