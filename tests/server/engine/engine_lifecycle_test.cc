#include <gmock/gmock.h>

#include <thread>

#include "tests/server/engine/engine_kit.h"

namespace mixfeed::testing {
namespace {

using ::testing::HasSubstr;

using Mode = TestClient::Mode;

class EngineLifecycleTest : public EngineTest {
 protected:
  bool EventuallyNothingLives() {
    return Eventually([&] { return kit_->slots.live_slots() == 0 && encoder_.live_frames() == 0; });
  }
};

TEST_F(EngineLifecycleTest, FeedsAreFoundUntilTheyAreRemoved) {
  EXPECT_EQ(engine_->stats().feeds, 3);
  const auto maker = *engine_->FindFeed("mixup");
  engine_->AddFeed("mixup", kit_->Maker(kit_->Spec("mixup", 8)));
  EXPECT_EQ(*engine_->FindFeed("mixup"), maker);
  EXPECT_TRUE(engine_->RemoveFeed("mixup").ok());
  EXPECT_EQ(engine_->FindFeed("mixup").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(engine_->RemoveFeed("mixup").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(engine_->stats().feeds, 2);
}

TEST_F(EngineLifecycleTest, RemovingAFeedEndsItsStreamsAndCallsOnly) {
  const auto ended = Subscribe({.feed_id = "mixup", .format = {}});
  const auto other = Subscribe({.feed_id = "mixmatch", .format = {}});
  encoder_.gate().Close();
  TestCall call(engine_.get(), "mixup", 12345);
  ASSERT_TRUE(engine_->RemoveFeed("mixup").ok());
  encoder_.gate().Open();
  EXPECT_EQ(ended->AwaitEnd().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(call.Await().status().code(), absl::StatusCode::kNotFound);
  other->AwaitFrames(other->steps().size() + 5);
}

TEST_F(EngineLifecycleTest, RemovedFeedMayBeAddedAgain) {
  const auto before = Subscribe({.feed_id = "mixup", .format = {}});
  before->AwaitFrames(3);
  const auto maker = *engine_->FindFeed("mixup");
  ASSERT_TRUE(engine_->RemoveFeed("mixup").ok());
  engine_->AddFeed("mixup", maker);
  const auto after = Subscribe({.feed_id = "mixup", .format = {}});
  after->AwaitFrames(3);
  EXPECT_EQ(after->digests()[2], before->digests()[2]);
}

TEST_F(EngineLifecycleTest, StalledCancelledAndKilledConsumersLeaveNothingBehind) {
  const StreamSpec spec = {.feed_id = "mixup",
                           .sharing = Sharing::kBroadcast,
                           .format = {},
                           .credits = 3,
                           .prefetch = 2};
  const auto stalled = Subscribe(spec, Mode::kHold);
  stalled->AwaitFrames(3);
  Subscribe(spec)->AwaitFrames(20);  // and is destroyed in the middle of it
  const auto cancelled = Subscribe(spec, Mode::kHold);
  cancelled->AwaitFrames(3);
  cancelled->Cancel();
  cancelled->DropFrames();
  const auto lively = Subscribe(spec, Mode::kHold);
  const auto live_slots_are = [&](int64_t slots) {
    return Eventually(
        [&] { return kit_->slots.live_slots() == slots && encoder_.live_frames() == slots; });
  };
  size_t frames = 3;
  for (const size_t batches : {100u, 1000u}) {
    for (; frames < batches; ++frames) {
      lively->AwaitFrames(frames);
      lively->Take(1);
      ASSERT_TRUE(lively->Grant(1).ok());
    }
    // The stalled one's window and the lively one's.
    EXPECT_TRUE(live_slots_are(10)) << batches;
  }
  lively->Cancel();
  lively->DropFrames();
  EXPECT_TRUE(live_slots_are(5));
  stalled->Cancel();
  stalled->DropFrames();
  EXPECT_TRUE(live_slots_are(0));
  EXPECT_EQ(engine_->stats().consumers, 0);
}

TEST_F(EngineLifecycleTest, CancelWhileABatchIsMadeDropsIt) {
  encoder_.gate().Close();
  auto client = Subscribe({.feed_id = "mixup", .format = {}});
  encoder_.gate().AwaitWaiting(1);
  client.reset();
  encoder_.gate().Open();
  EXPECT_TRUE(EventuallyNothingLives());
}

TEST_F(EngineLifecycleTest, BatchWantedByTwoOutlivesTheFirst) {
  encoder_.gate().Close();
  const StreamSpec spec = {.feed_id = "mixup", .sharing = Sharing::kBroadcast, .format = {}};
  auto first = Subscribe(spec);
  encoder_.gate().AwaitWaiting(1);
  const auto second = Subscribe(spec);
  first.reset();
  encoder_.gate().Open();
  second->AwaitFrames(5);
}

TEST_F(EngineLifecycleTest, CancelFromInsideASinkCallReturns) {
  const auto client = Subscribe({.feed_id = "mixup", .format = {}});
  std::atomic<bool> returned = false;
  client->AtNextFrame([&] {
    client->Cancel();
    returned = true;
  });
  EXPECT_TRUE(Eventually([&] { return returned.load(); }));
  EXPECT_TRUE(EventuallyNothingLives());
  EXPECT_EQ(engine_->stats().consumers, 0);
}

TEST_F(EngineLifecycleTest, CancelWaitsForTheSinkCallOfAnotherThread) {
  const auto client = Subscribe({.feed_id = "mixup", .format = {}});
  Gate gate;
  gate.Close();
  std::atomic<bool> inside = false;
  client->AtNextFrame([&] {
    inside = true;
    gate.Pass();
    inside = false;
  });
  gate.AwaitWaiting(1);
  std::thread opener([&] { gate.Open(); });
  client->Cancel();
  EXPECT_FALSE(inside);
  opener.join();
}

TEST_F(EngineLifecycleTest, NoSinkCallBeginsAfterCancel) {
  // The clients check it themselves; here are many chances to get it wrong.
  for (int round = 0; round < 200; ++round) {
    const auto client = Subscribe({.feed_id = "mixup", .format = {}});
    client->AwaitFrames(static_cast<size_t>(round % 5));
    client->Cancel();
  }
  EXPECT_TRUE(EventuallyNothingLives());
}

TEST_F(EngineLifecycleTest, MethodsOfAnEndedStreamDoNothing) {
  const auto client = Subscribe({.feed_id = "eval", .format = {}});
  EXPECT_EQ(client->AwaitEnd(), absl::OkStatus());
  EXPECT_TRUE(client->Grant(1).ok());
  client->Take(1);
  client->Cancel();
  client->Cancel();
  EXPECT_TRUE(client->Grant(1'000'000).ok());
}

TEST_F(EngineLifecycleTest, ShutdownLetsWorkFinish) {
  encoder_.gate().Close();
  const auto stream = Subscribe({.feed_id = "eval", .format = {}, .credits = 2});
  TestCall call(engine_.get(), "mixup", 0);
  std::thread shutdown([&] { engine_->Shutdown(60'000); });
  // New work is refused from some moment on.
  const auto refused = [&] {
    return Refusal({.feed_id = "eval", .format = {}}).code() == absl::StatusCode::kUnavailable;
  };
  EXPECT_TRUE(Eventually(refused));
  EXPECT_EQ(TestCall(engine_.get(), "mixup", 1).Await().status().code(),
            absl::StatusCode::kUnavailable);
  encoder_.gate().Open();
  shutdown.join();
  EXPECT_EQ(stream->AwaitEnd(), absl::OkStatus());
  EXPECT_EQ(stream->steps().size(), 13u);
  EXPECT_TRUE(call.Await().ok());
}

TEST_F(EngineLifecycleTest, ShutdownEndsWhatIsLeftAtItsDeadline) {
  const auto endless = Subscribe({.feed_id = "mixup", .format = {}});
  const auto stalled = Subscribe({.feed_id = "mixup", .format = {}}, Mode::kHold);
  endless->AwaitFrames(10);
  engine_->Shutdown(0);
  for (const TestClient* client : {endless.get(), stalled.get()}) {
    EXPECT_TRUE(client->ended());
  }
  EXPECT_EQ(endless->AwaitEnd().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(stalled->AwaitEnd().message()), HasSubstr("shutting down"));
  engine_->Shutdown(0);
  EXPECT_EQ(engine_->stats().consumers, 0);
}

TEST_F(EngineLifecycleTest, ShutdownEndsWhatItsThreadsWaitFor) {
  Restart({.stopping = [this] { kit_->model->gate().Open(); }});
  kit_->model->gate().Close();
  TestCall call(engine_.get(), "mixmatch", 0);
  kit_->model->gate().AwaitWaiting(1);
  engine_->Shutdown(0);
  EXPECT_EQ(call.Await().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(EngineLifecycleTest, ShutdownWaitsForNobodyWhenNobodyIsThere) {
  engine_->Shutdown(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(TestCall(engine_.get(), "mixup", 0).Await().status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(EngineLifecycleTest, FramesMayOutliveTheEngine) {
  const FramePtr frame = *TestCall(engine_.get(), "mixup", 3).Await();
  const size_t digest = DigestOf(*frame);
  engine_.reset();
  EXPECT_EQ(DigestOf(*frame), digest);
}

TEST_F(EngineLifecycleTest, ManyThreadsSubscribeCallAndCancel) {
  Restart({.render_workers = 3, .guess_workers = 2});
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 25; ++i) {
        const char* feed = (i + t) % 3 == 0 ? "mixmatch" : "mixup";
        const auto client = Subscribe(
            {.feed_id = feed, .from_step = i, .sharing = Sharing::kBroadcast, .format = {}});
        TestCall call(engine_.get(), feed, i);
        client->AwaitFrames((i + t) % 4);
        if (i % 2 == 0) call.Cancel();
        call.Await().IgnoreError();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(EventuallyNothingLives());
}

}  // namespace
}  // namespace mixfeed::testing
