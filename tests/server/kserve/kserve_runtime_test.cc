#include "server/kserve/kserve_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "augment/guess/not_yet.h"
#include "tests/server/kserve/fake_kserve.h"
#include "tests/testing/eventually.h"

namespace mixfeed {
namespace {

using testing::Eventually;
using testing::FakeKserve;
using ::testing::HasSubstr;

constexpr int kClasses = 3;
constexpr ImageShape kImage{.channels = 1, .height = 4, .width = 4};

GuessModelInfo Info() {
  GuessModelInfo info;
  info.name = "m";
  info.kind = kKserveKind;
  info.input = kImage;
  info.classes = kClasses;
  return info;
}

absl::Status GuessOneRow(GuessModel& model) {
  const std::vector<float> views(static_cast<size_t>(kImage.pixels()));
  std::vector<float> probabilities(kClasses);
  return model.Guess(views, 1, /*batch_statistics=*/false, probabilities);
}

class KserveRuntimeTest : public ::testing::Test {
 protected:
  FakeKserve remote_{kImage.channels, kImage.height, kClasses};
  KserveRuntime runtime_;
};

TEST_F(KserveRuntimeTest, ATrialAsksForAGuess) {
  const absl::Status status = runtime_.Try(Info(), remote_.address(), {});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(remote_.rows().size(), 1u);
}

TEST_F(KserveRuntimeTest, ATrialSaysWhatIsWrong) {
  EXPECT_TRUE(absl::IsInvalidArgument(runtime_.Try(Info(), "nowhere", {})));
  remote_.Change([](auto* behaviour) {
    behaviour->failures = {grpc::Status(grpc::StatusCode::INTERNAL, "it throws")};
  });
  EXPECT_TRUE(absl::IsInternal(runtime_.Try(Info(), remote_.address(), {})));
  remote_.Change(
      [](auto* behaviour) { behaviour->metadata.mutable_outputs(0)->set_shape(1, 100); });
  EXPECT_TRUE(absl::IsFailedPrecondition(runtime_.Try(Info(), remote_.address(), {})));
  remote_.Stop();
  const absl::Status away = runtime_.Try(Info(), remote_.address(), {});
  EXPECT_TRUE(IsNotYet(away)) << away;
  EXPECT_THAT(std::string(away.message()), HasSubstr("kserve://" + remote_.address()));
}

TEST_F(KserveRuntimeTest, ATrialCanBeCancelled) {
  std::stop_source cancelled;
  cancelled.request_stop();
  EXPECT_TRUE(absl::IsCancelled(runtime_.Try(Info(), remote_.address(), cancelled.get_token())));
  EXPECT_TRUE(remote_.rows().empty());
}

TEST_F(KserveRuntimeTest, LoadingAsksNobody) {
  remote_.Stop();
  const auto model = runtime_.Load(Info(), remote_.address());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->info().kind, "kserve");
  EXPECT_TRUE(absl::IsInvalidArgument(runtime_.Load(Info(), "nowhere").status()));
}

TEST_F(KserveRuntimeTest, WhoeverWaitsIsToldWhenAModelAnswersAgain) {
  std::atomic<int> returned = 0;
  runtime_.SetReturned([&] { ++returned; });
  const auto model = *runtime_.Load(Info(), remote_.address());
  for (int round = 1; round <= 3; ++round) {
    ASSERT_TRUE(GuessOneRow(*model).ok());
    remote_.Stop();
    EXPECT_TRUE(IsNotYet(GuessOneRow(*model)));
    EXPECT_EQ(returned, round - 1);
    remote_.Start();
    EXPECT_TRUE(Eventually([&] { return returned >= round; }));
    EXPECT_TRUE(model->Ready().ok());
  }
}

TEST_F(KserveRuntimeTest, AModelThatComesBackUnfitIsNotWaitedForAnyLonger) {
  std::atomic<int> returned = 0;
  runtime_.SetReturned([&] { ++returned; });
  const auto model = *runtime_.Load(Info(), remote_.address());
  remote_.Stop();
  EXPECT_TRUE(IsNotYet(GuessOneRow(*model)));
  remote_.Change([](auto* behaviour) { behaviour->metadata.clear_inputs(); });
  remote_.Start();
  EXPECT_TRUE(Eventually([&] { return returned > 0; }));
  EXPECT_TRUE(absl::IsFailedPrecondition(GuessOneRow(*model)));
}

TEST_F(KserveRuntimeTest, NoCallIsUnderWayOnceAnotherIsSet) {
  const auto model = *runtime_.Load(Info(), remote_.address());
  remote_.Stop();
  EXPECT_TRUE(IsNotYet(GuessOneRow(*model)));
  auto old = std::make_unique<std::atomic<int>>(0);
  runtime_.SetReturned([&old] { ++*old; });
  std::atomic<int> returned = 0;
  runtime_.SetReturned([&] { ++returned; });
  old.reset();
  remote_.Start();
  EXPECT_TRUE(Eventually([&] { return returned > 0; }));
}

TEST_F(KserveRuntimeTest, AStopEndsGuessesOfAServerThatHangs) {
  const auto model = *runtime_.Load(Info(), remote_.address() + "?deadline_ms=600000");
  remote_.Change([](auto* behaviour) { behaviour->held = true; });
  absl::Status status;
  std::thread guess([&] { status = GuessOneRow(*model); });
  EXPECT_TRUE(Eventually([&] { return remote_.under_way() == 1; }));
  runtime_.Stop();
  guess.join();
  EXPECT_TRUE(IsNotYet(status)) << status;
  EXPECT_TRUE(IsNotYet(GuessOneRow(*model)));
}

TEST_F(KserveRuntimeTest, ARuntimeEndsWhileAModelIsAway) {
  remote_.Stop();
  KserveRuntime runtime;
  const auto model = *runtime.Load(Info(), remote_.address());
  EXPECT_TRUE(IsNotYet(GuessOneRow(*model)));
}

}  // namespace
}  // namespace mixfeed
