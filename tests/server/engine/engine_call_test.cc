#include <gmock/gmock.h>

#include "tests/server/engine/engine_kit.h"

namespace mixfeed::testing {
namespace {

using ::testing::HasSubstr;

class EngineCallTest : public EngineTest {};

TEST_F(EngineCallTest, AnswerIsTheStreamsBatch) {
  for (const char* feed : {"eval", "mixup", "mixmatch"}) {
    const auto client = Subscribe({.feed_id = feed, .format = {}});
    client->AwaitFrames(4);
    for (const Received& received : client->received()) {
      const absl::StatusOr<FramePtr> frame = TestCall(engine_.get(), feed, received.step).Await();
      ASSERT_TRUE(frame.ok()) << frame.status();
      EXPECT_EQ(DigestOf(**frame), received.digest);
    }
  }
}

TEST_F(EngineCallTest, SharesAreThoseOfSplitStreams) {
  const auto client = Subscribe(
      {.feed_id = "mixmatch", .rank = 1, .world = 4, .sharing = Sharing::kSplit, .format = {}});
  client->AwaitFrames(1);
  const auto frame = TestCall(engine_.get(), "mixmatch", 0, {1, 4}).Await();
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(DigestOf(**frame), client->digests()[0]);
}

TEST_F(EngineCallTest, CallsForOneBatchShareOneFrame) {
  encoder_.gate().Close();
  TestCall a(engine_.get(), "mixup", 3);
  TestCall b(engine_.get(), "mixup", 3);
  TestCall other_format(engine_.get(), "mixup", 3, {}, {PixelType::kUint8, PixelLayout::kNhwc, {}});
  encoder_.gate().Open();
  const FramePtr frame = *a.Await();
  EXPECT_EQ(frame, *b.Await());
  EXPECT_NE(frame, *other_format.Await());
  EXPECT_EQ(engine_->stats().batches_made, 2);
}

TEST_F(EngineCallTest, WhatIsServedIsCountedByFeed) {
  for (const int64_t step : {7, 3, 3})
    ASSERT_TRUE(TestCall(engine_.get(), "mixup", step).Await().ok());
  EXPECT_FALSE(TestCall(engine_.get(), "eval", 13).Await().ok());
  EXPECT_EQ(engine_->TrafficOf("mixup").served, 3);
  EXPECT_EQ(engine_->TrafficOf("mixup").served_through, 8);
  EXPECT_EQ(engine_->TrafficOf("eval").served, 0);
  EXPECT_EQ(engine_->TrafficOf("eval").served_through, 0);
  EXPECT_EQ(engine_->TrafficOf("none").served, 0);
}

TEST_F(EngineCallTest, BadCallsAreAnsweredBeforeTheyReturn) {
  struct Case {
    const char* feed;
    int64_t step;
    Share share;
    PixelFormat format;
    absl::StatusCode code;
    const char* message;
  };
  const PixelFormat bad_format = {PixelType::kUint8, PixelLayout::kNchw,
                                  *FindNormalisation("unit")};
  const Case cases[] = {
      {"none", 0, {}, {}, absl::StatusCode::kNotFound, "\"none\""},
      {"eval", -1, {}, {}, absl::StatusCode::kOutOfRange, "step is -1; allowed: 0..12"},
      {"eval", 13, {}, {}, absl::StatusCode::kOutOfRange, "step is 13; allowed: 0..12"},
      {"eval", 0, {0, 3}, {}, absl::StatusCode::kInvalidArgument, "world is 3"},
      {"eval", 0, {2, 2}, {}, absl::StatusCode::kInvalidArgument, "rank is 2"},
      {"eval", 0, {}, bad_format, absl::StatusCode::kInvalidArgument, ""},
  };
  for (const Case& bad : cases) {
    TestCall call(engine_.get(), bad.feed, bad.step, bad.share, bad.format);
    ASSERT_TRUE(call.answered());
    const absl::Status status = call.Await().status();
    EXPECT_EQ(status.code(), bad.code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.message));
  }
  EXPECT_EQ(engine_->stats().pending_calls, 0);
}

TEST_F(EngineCallTest, FailureIsAnsweredAndTriedAgainByTheNextCall) {
  encoder_.FailAt(2, absl::InternalError("out of ink"));
  EXPECT_EQ(TestCall(engine_.get(), "mixup", 2).Await().status(),
            absl::InternalError("out of ink"));
  encoder_.Heal();
  EXPECT_TRUE(TestCall(engine_.get(), "mixup", 2).Await().ok());
}

TEST_F(EngineCallTest, MissingGuessModelIsFailedPrecondition) {
  kit_->model = nullptr;
  EXPECT_EQ(TestCall(engine_.get(), "mixmatch", 0).Await().status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(EngineCallTest, ViewsDoNotWaitForGuessesThatAreBeingMade) {
  Restart({.guess_workers = 1});
  kit_->model->gate().Close();
  TestCall guessed(engine_.get(), "mixmatch", 0);
  kit_->model->gate().AwaitWaiting(1);
  const BatchFormat views = (*engine_->FindFeed("mixmatch"))->ViewsFormat();
  Gate done;
  absl::StatusOr<FramePtr> answer = absl::UnknownError("not yet");
  done.Close();
  const auto call =
      engine_->GetBatch("mixmatch", 0, views, {}, [&](absl::StatusOr<FramePtr> frame) {
        answer = std::move(frame);
        done.Open();
      });
  done.Pass();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(static_cast<const FakeEncoder::Frame&>(**answer).batch().views.has_value());
  EXPECT_FALSE(guessed.answered());
  kit_->model->gate().Open();
  EXPECT_TRUE(guessed.Await().ok());
}

TEST_F(EngineCallTest, CancelledCallIsAnsweredOnceAndItsBatchNotMade) {
  Restart({.render_workers = 2});
  encoder_.gate().Close();
  TestCall first(engine_.get(), "mixup", 0);
  encoder_.gate().AwaitWaiting(1);
  TestCall second(engine_.get(), "mixup", 1);
  encoder_.gate().AwaitWaiting(2);
  // Both workers are busy, so that this one waits.
  TestCall waiting(engine_.get(), "mixup", 2);
  waiting.Cancel();
  encoder_.gate().Open();
  EXPECT_EQ(waiting.Await().status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(first.Await().ok());
  EXPECT_TRUE(second.Await().ok());
  EXPECT_EQ(engine_->stats().batches_made, 2);
}

TEST_F(EngineCallTest, HandleMayGoAfterTheAnswer) {
  TestCall call(engine_.get(), "mixup", 0);
  EXPECT_TRUE(call.Await().ok());
  call.Cancel();
  EXPECT_TRUE(call.Await().ok());
}

TEST_F(EngineCallTest, UnansweredCallsAreBounded) {
  Restart({.max_pending_calls = 2});
  encoder_.gate().Close();
  TestCall a(engine_.get(), "mixup", 0);
  TestCall b(engine_.get(), "mixup", 1);
  EXPECT_EQ(engine_->stats().pending_calls, 2);
  const absl::Status refused = TestCall(engine_.get(), "mixup", 2).Await().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("2 calls"));
  encoder_.gate().Open();
  EXPECT_TRUE(a.Await().ok());
  EXPECT_TRUE(b.Await().ok());
  EXPECT_TRUE(Eventually([&] { return engine_->stats().pending_calls == 0; }));
  EXPECT_TRUE(TestCall(engine_.get(), "mixup", 2).Await().ok());
}

TEST_F(EngineCallTest, EachCallIsPromisedOneSlotUntilItsFrameIsGone) {
  const int64_t slot = kit_->Maker(kit_->Spec("mixup", 4))->SlotBytes({}, {});
  Restart({}, {.slot_bytes = slot});
  auto call = std::make_unique<TestCall>(engine_.get(), "mixup", 0);
  EXPECT_TRUE(call->Await().ok());
  EXPECT_EQ(TestCall(engine_.get(), "mixup", 1).Await().status().code(),
            absl::StatusCode::kResourceExhausted);
  call.reset();
  EXPECT_TRUE(Eventually([&] { return TestCall(engine_.get(), "mixup", 1).Await().ok(); }));
}

}  // namespace
}  // namespace mixfeed::testing
