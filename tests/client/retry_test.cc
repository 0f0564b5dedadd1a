#include "client/retry.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace mixfeed {
namespace {

// An attempt that returns these in turn, then OK.
class Attempts {
 public:
  explicit Attempts(std::vector<absl::Status> results) : results_(std::move(results)) {}
  absl::Status operator()() {
    const size_t call = made_++;
    return call < results_.size() ? results_[call] : absl::OkStatus();
  }
  size_t made() const { return made_; }

 private:
  const std::vector<absl::Status> results_;
  size_t made_ = 0;
};

absl::Status RetryWith(const RetryOptions& options, Attempts* attempts) {
  return Retry(options, [attempts] { return (*attempts)(); });
}

TEST(RetryTest, TriesAgainUntilItSucceeds) {
  Attempts attempts({absl::UnavailableError("down"), absl::ResourceExhaustedError("full")});
  EXPECT_TRUE(RetryWith({}, &attempts).ok());
  EXPECT_EQ(attempts.made(), 3u);
}

TEST(RetryTest, OtherErrorsAreFinal) {
  for (const auto code :
       {absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound,
        absl::StatusCode::kFailedPrecondition, absl::StatusCode::kDataLoss,
        absl::StatusCode::kInternal, absl::StatusCode::kOutOfRange,
        absl::StatusCode::kUnauthenticated, absl::StatusCode::kPermissionDenied}) {
    for (const CallKind kind : {CallKind::kUnary, CallKind::kNewStream, CallKind::kStream}) {
      Attempts attempts({absl::Status(code, "no")});
      EXPECT_EQ(RetryWith({.kind = kind}, &attempts).code(), code);
      EXPECT_EQ(attempts.made(), 1u) << absl::StatusCodeToString(code);
    }
  }
}

TEST(RetryTest, OnlyAStreamComesBackAfterTheServersIdleLimitAndItsForcedStop) {
  for (const auto code : {absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kCancelled}) {
    EXPECT_TRUE(IsRetryable(CallKind::kStream, code));
    EXPECT_TRUE(IsRetryable(CallKind::kNewStream, code));
    EXPECT_FALSE(IsRetryable(CallKind::kUnary, code));
  }
}

TEST(RetryTest, ANewStreamThatDoesNotFitIsRefusedForGood) {
  EXPECT_FALSE(IsRetryable(CallKind::kNewStream, absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(IsRetryable(CallKind::kStream, absl::StatusCode::kResourceExhausted));
}

TEST(RetryTest, ReturnsTheLastErrorWhenTheLimitLeavesNoTime) {
  Attempts attempts({absl::UnavailableError("first"), absl::UnavailableError("second")});
  const absl::Status status = RetryWith({.limit_ms = 0}, &attempts);
  EXPECT_EQ(status, absl::UnavailableError("first"));
  EXPECT_EQ(attempts.made(), 1u);
}

TEST(RetryTest, ALimitAllowsSeveralAttempts) {
  const std::vector<absl::Status> down(1000, absl::UnavailableError("down"));
  Attempts attempts(down);
  EXPECT_EQ(RetryWith({.limit_ms = 300}, &attempts).code(), absl::StatusCode::kUnavailable);
  EXPECT_GE(attempts.made(), 2u);
  EXPECT_LE(attempts.made(), 5u) << "pauses of about 50, 100 and 200 ms";
}

TEST(RetryTest, CancelEndsThePause) {
  Cancellation cancellation;
  const std::vector<absl::Status> down(1000, absl::UnavailableError("down"));
  Attempts attempts(down);
  const absl::Status status =
      Retry({.limit_ms = 3'600'000, .cancellation = &cancellation}, [&attempts, &cancellation] {
        if (attempts.made() == 2) cancellation.Cancel();
        return attempts();
      });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(attempts.made(), 3u);
}

TEST(CancellationTest, RunsTheActionsOfLiveScopesOnce) {
  Cancellation cancellation;
  int runs = 0;
  const Cancellation::Scope live(&cancellation, [&runs] { ++runs; });
  {
    const Cancellation::Scope ended(&cancellation, [&runs] { runs += 100; });
  }
  EXPECT_TRUE(cancellation.Cancel());
  EXPECT_FALSE(cancellation.Cancel());
  EXPECT_EQ(runs, 1);
}

TEST(CancellationTest, SaysWhenThereWasNothingToCancel) {
  Cancellation cancellation;
  EXPECT_FALSE(cancellation.Cancel());
  EXPECT_TRUE(cancellation.cancelled());
}

TEST(CancellationTest, AScopeThatComesTooLateRunsAtOnce) {
  Cancellation cancellation;
  cancellation.Cancel();
  bool ran = false;
  const Cancellation::Scope late(&cancellation, [&ran] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST(CancellationTest, WakesASleeperInAnotherThread) {
  Cancellation cancellation;
  std::thread other([&cancellation] { cancellation.Cancel(); });
  EXPECT_TRUE(cancellation.WaitUntil(std::chrono::steady_clock::now() + std::chrono::hours(1)));
  other.join();
}

TEST(CancellationTest, SleepsUntilTheDeadlineOtherwise) {
  Cancellation cancellation;
  EXPECT_FALSE(cancellation.WaitUntil(std::chrono::steady_clock::now()));
}

}  // namespace
}  // namespace mixfeed
