#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <random>

#include "tests/server/engine/engine_kit.h"

namespace mixfeed::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Mode = TestClient::Mode;

class EngineBoundsTest : public EngineTest {
 protected:
  bool EventuallyMade(int64_t batches) {
    return Eventually([&] { return engine_->stats().batches_made == batches; });
  }
  // Bytes of a whole float32 batch of "mixup".
  int64_t MixupSlot() { return kit_->Maker(kit_->Spec("mixup", 4))->SlotBytes({}, {}); }
};

TEST_F(EngineBoundsTest, NeverMoreFramesThanCredits) {
  const auto client =
      Subscribe({.feed_id = "mixup", .format = {}, .credits = 3, .prefetch = 2}, Mode::kHold);
  // The window is made, and no more: 3 to send and 2 ahead.
  ASSERT_TRUE(EventuallyMade(5));
  client->AwaitFrames(3);
  EXPECT_EQ(kit_->slots.live_slots(), 5);
  EXPECT_EQ(encoder_.live_frames(), 5);
  ASSERT_TRUE(client->Grant(1).ok());
  client->AwaitFrames(4);
  EXPECT_THAT(client->steps(), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(engine_->stats().batches_made, 5);
}

TEST_F(EngineBoundsTest, WindowMovesOnWhenFramesAreTaken) {
  const auto client =
      Subscribe({.feed_id = "mixup", .format = {}, .credits = 3, .prefetch = 2}, Mode::kHold);
  client->AwaitFrames(3);
  // Credits beyond those it was opened with let the prefetched batches go, but make no room.
  ASSERT_TRUE(client->Grant(20).ok());
  client->AwaitFrames(5);
  EXPECT_EQ(engine_->stats().batches_made, 5);
  client->Take(4);
  client->AwaitFrames(9);
  ASSERT_TRUE(EventuallyMade(9));
  EXPECT_EQ(kit_->slots.live_slots(), 5);
}

TEST_F(EngineBoundsTest, LiveSlotsStayWithinCreditsAndPrefetch) {
  std::atomic<int64_t> most = 0;
  encoder_.at_encoding = [&] {
    for (int64_t live = kit_->slots.live_slots(), seen = most;
         live > seen && !most.compare_exchange_weak(seen, live);) {
    }
  };
  for (const int workers : {1, 3}) {
    Restart({.render_workers = workers});
    most = 0;
    const auto client = Subscribe({.feed_id = "mixup", .format = {}, .credits = 2, .prefetch = 3});
    client->AwaitFrames(300);
    EXPECT_LE(most, 5);
  }
  engine_.reset();
}

TEST_F(EngineBoundsTest, GrantsAreBounded) {
  Restart({.max_credits = 5});
  const auto client = Subscribe({.feed_id = "mixup", .format = {}, .credits = 2}, Mode::kHold);
  client->AwaitFrames(2);
  for (const int count : {0, -1, 6, std::numeric_limits<int>::max()}) {
    const absl::Status refused = client->Grant(count);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << count;
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr("credits.count is " + std::to_string(count)));
  }
  EXPECT_TRUE(client->Grant(5).ok());
}

TEST_F(EngineBoundsTest, BadSubscriptionsAreRefused) {
  Restart({.max_credits = 8, .max_prefetch = 9});
  const StreamSpec good = {.feed_id = "eval", .format = {}, .credits = 8, .prefetch = 9};
  EXPECT_EQ(Refusal(good), absl::OkStatus());
  struct Case {
    std::function<void(StreamSpec*)> spoil;
    absl::StatusCode code;
    const char* message;
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const Case cases[] = {
      {[](StreamSpec* s) { s->feed_id = "x"; }, absl::StatusCode::kNotFound, "no feed \"x\""},
      {[](StreamSpec* s) { s->credits = 0; }, kInvalid, "credits is 0; allowed: 1..8"},
      {[](StreamSpec* s) { s->credits = 9; }, kInvalid, "credits is 9; allowed: 1..8"},
      {[](StreamSpec* s) { s->prefetch = -1; }, kInvalid, "prefetch is -1; allowed: 0..9"},
      {[](StreamSpec* s) { s->prefetch = 10; }, kInvalid, "prefetch is 10; allowed: 0..9"},
      {[](StreamSpec* s) { s->world = 0; }, kInvalid, "world is 0; allowed: 1 and more"},
      {[](StreamSpec* s) { s->rank = -1; }, kInvalid, "rank is -1; allowed: 0..0"},
      {[](StreamSpec* s) { s->rank = 1; }, kInvalid, "rank is 1; allowed: 0..0"},
      {[](StreamSpec* s) { s->world = 3, s->sharing = Sharing::kSplit; }, kInvalid, "world is 3"},
      {[](StreamSpec* s) { s->format.normalisation.std[1] = 0; }, kInvalid, ""},
      {[](StreamSpec* s) { s->from_step = -1; }, absl::StatusCode::kOutOfRange, "from_step is -1"},
      {[](StreamSpec* s) { s->from_step = 13; }, absl::StatusCode::kOutOfRange,
       "from_step is 13; allowed: 0..12"},
  };
  for (const Case& bad : cases) {
    StreamSpec spec = good;
    bad.spoil(&spec);
    const absl::Status status = Refusal(spec);
    EXPECT_EQ(status.code(), bad.code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.message));
  }
  EXPECT_EQ(engine_->stats().consumers, 0);
}

TEST_F(EngineBoundsTest, BadOptionsAreRefused) {
  const auto refused = [&](const EngineOptions& options) {
    return std::string(
        FeedEngine::Start(options, &kit_->slots, encoder_.function()).status().message());
  };
  EXPECT_THAT(refused({.render_workers = 0}), HasSubstr("render_workers is 0"));
  EXPECT_THAT(refused({.guess_workers = 0}), HasSubstr("guess_workers is 0"));
  EXPECT_THAT(refused({.max_credits = 0}), HasSubstr("max_credits is 0"));
  EXPECT_THAT(refused({.default_prefetch = -1}), HasSubstr("default_prefetch is -1"));
  EXPECT_THAT(refused({.default_prefetch = 5, .max_prefetch = 4}),
              HasSubstr("max_prefetch is 4; allowed: 5 and more"));
  EXPECT_THAT(refused({.max_consumers = 0}), HasSubstr("max_consumers is 0"));
  EXPECT_THAT(refused({.max_pending_calls = 0}), HasSubstr("max_pending_calls is 0"));
  EXPECT_THAT(refused({.idle_limit_ms = 0}), HasSubstr("idle_limit_ms is 0"));
  EXPECT_THAT(refused({.weights_wait_ms = 0}), HasSubstr("weights_wait_ms is 0"));
}

TEST_F(EngineBoundsTest, ConsumersAreBounded) {
  Restart({.max_consumers = 2});
  const StreamSpec spec = {.feed_id = "mixup", .format = {}};
  const auto a = Subscribe(spec);
  auto b = Subscribe(spec);
  EXPECT_EQ(engine_->ConsumersOf("mixup"), 2);
  EXPECT_EQ(engine_->ConsumersOf("eval"), 0);
  const absl::Status refused = Refusal(spec);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("2 consumers"));
  b.reset();
  EXPECT_EQ(Refusal(spec), absl::OkStatus());
}

TEST_F(EngineBoundsTest, SlotsThatAreNotThereAreNotPromised) {
  Restart({}, {.slot_bytes = 10 * MixupSlot()});
  const auto a = Subscribe({.feed_id = "mixup", .format = {}, .credits = 4, .prefetch = 2});
  const StreamSpec five = {.feed_id = "mixup", .format = {}, .credits = 3, .prefetch = 2};
  const absl::Status refused = Refusal(five);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("5 slots of"));
  StreamSpec four = five;
  four.credits = 2;
  EXPECT_EQ(Refusal(four), absl::OkStatus());
  // The default prefetch of 4 is promised too, a repeated batch is one slot.
  EXPECT_EQ(Refusal({.feed_id = "mixup", .format = {}, .credits = 1}).code(),
            absl::StatusCode::kResourceExhausted);
  // Eventually: a batch that is being made for the one before still holds its promise.
  const StreamSpec repeated = {.feed_id = "mixup", .format = {}, .credits = 60, .repeat = true};
  EXPECT_TRUE(Eventually([&] { return Refusal(repeated).ok(); }));
}

TEST_F(EngineBoundsTest, PromiseLastsUntilTheTransportLetsGoOfTheLastFrame) {
  Restart({}, {.slot_bytes = 4 * MixupSlot()});
  const StreamSpec spec = {.feed_id = "mixup", .format = {}, .credits = 2, .prefetch = 2};
  const auto client = Subscribe(spec, Mode::kHold);
  client->AwaitFrames(2);
  client->Cancel();
  EXPECT_EQ(Refusal(spec).code(), absl::StatusCode::kResourceExhausted);
  client->DropFrames();
  EXPECT_TRUE(Eventually([&] { return Refusal(spec).ok(); }));
}

TEST_F(EngineBoundsTest, MakingNeverFailsForWantOfSlots) {
  // Promises fill the pool to the last byte. Some frames are held on to for a while after they were
  // reported as taken, as a transport that has handed them to the kernel does.
  const StreamSpec spec = {.feed_id = "mixup", .format = {}, .credits = 2, .prefetch = 1};
  Restart({.render_workers = 3}, {.slot_bytes = 6 * MixupSlot()});
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    absl::StatusOr<std::unique_ptr<TestClient>> clients[2];
    for (auto& client : clients) {
      ASSERT_TRUE(Eventually([&] {
        client = TestClient::Subscribe(engine_.get(), spec);
        return client.ok();
      }));
    }
    for (auto& client : clients) (*client)->AwaitFrames(random() % 20);
    for (auto& client : clients) EXPECT_FALSE((*client)->ended());
  }
}

TEST_F(EngineBoundsTest, FramesTheTransportStillHoldsAfterTakingThemOnlyDelayOthers) {
  Restart({}, {.slot_bytes = 2 * MixupSlot()});
  const auto client =
      Subscribe({.feed_id = "mixup", .format = {}, .credits = 1, .prefetch = 1}, Mode::kHold);
  client->AwaitFrames(1);
  const FramePtr lingering = client->TakeAndKeep();
  ASSERT_TRUE(client->Grant(2).ok());
  client->AwaitFrames(2);
  EXPECT_EQ(kit_->slots.live_slots(), 2);
}

class EngineIdleTest : public EngineBoundsTest {
 protected:
  static constexpr int64_t kIdleMs = 2000;

  EngineIdleTest() { Restart({.idle_limit_ms = kIdleMs}); }

  static void ExpectIdleEnd(const absl::Status& end) {
    EXPECT_EQ(end.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(std::string(end.message()), HasSubstr("for 2000 ms, the server's idle limit"));
  }
};

TEST_F(EngineIdleTest, ConsumerThatTakesNothingIsEndedAndTheOthersGoOn) {
  const StreamSpec spec = {.feed_id = "mixup", .sharing = Sharing::kBroadcast, .format = {}};
  const auto stalled = Subscribe(spec, Mode::kHold);
  const auto lively = Subscribe(spec);
  ExpectIdleEnd(stalled->AwaitEnd());
  const size_t before = lively->steps().size();
  lively->AwaitFrames(before + 100);
  EXPECT_FALSE(lively->ended());
  EXPECT_EQ(engine_->stats().consumers, 1);
}

TEST_F(EngineIdleTest, ConsumerThatTakesButGrantsNothingIsEnded) {
  const auto client = Subscribe({.feed_id = "mixup", .format = {}, .credits = 2}, Mode::kHold);
  client->AwaitFrames(2);
  client->Take(2);
  ExpectIdleEnd(client->AwaitEnd());
}

TEST_F(EngineIdleTest, WaitingForTheServerIsNotIdle) {
  // One consumer waits for a batch that is long in the making while another one, opened later,
  // stalls and is ended.
  kit_->model->gate().Close();
  const auto waiting = Subscribe({.feed_id = "mixmatch", .format = {}});
  const auto stalled = Subscribe({.feed_id = "mixup", .format = {}}, Mode::kHold);
  ExpectIdleEnd(stalled->AwaitEnd());
  EXPECT_FALSE(waiting->ended());
  kit_->model->gate().Open();
  waiting->AwaitFrames(3);
}

TEST_F(EngineIdleTest, EndedConsumersSlotsGoBack) {
  const auto client = Subscribe({.feed_id = "mixup", .format = {}, .credits = 2}, Mode::kHold);
  ExpectIdleEnd(client->AwaitEnd());
  client->DropFrames();
  EXPECT_TRUE(Eventually([&] { return kit_->slots.live_slots() == 0; }));
}

}  // namespace
}  // namespace mixfeed::testing
