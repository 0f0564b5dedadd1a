// Batches that wait for weights which a trainer has yet to push.
#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "augment/guess/guesser.h"
#include "augment/guess/not_yet.h"
#include "tests/server/engine/engine_kit.h"

namespace mixfeed::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EngineWeightsTest : public EngineTest {
 protected:
  EngineWeightsTest() { RestartWith({}); }

  // Beside EngineTest's feeds, "lockstep": step n needs the weights of update n.
  void RestartWith(const EngineOptions& options, const FeedKitOptions& kit_options = {}) {
    Restart(options, kit_options);
    engine_->AddFeed("lockstep", kit_->Maker(LockstepSpec(), "lockstep"));
  }
  FeedSpec LockstepSpec() {
    FeedSpec spec = kit_->Spec("mixmatch", 4);
    spec.recipe.guess.policy = WeightsPolicy::kLockstep;
    return spec;
  }
  StreamSpec Lockstep() { return {.feed_id = "lockstep", .format = {}}; }

  // As "lockstep", but asks `find_model` for the model.
  void AddLockstepFeed(const std::string& id, FindModel find_model) {
    BatchMakerOptions options = kit_->MakerOptions(LockstepSpec(), id);
    options.guesser = std::make_unique<Guesser>(options.spec.recipe.guess, std::move(find_model),
                                                kit_->journal.get());
    engine_->AddFeed(id, *BatchMaker::Create(std::move(options)));
  }
  bool IsMissing(const WeightsWish& wish) const {
    return wish.kind == WeightsWish::Kind::kUpdate && wish.number > kit_->newest_update;
  }
  absl::StatusOr<std::shared_ptr<GuessModel>> Answer(bool missing) const {
    if (missing) return NotYetError("missing");
    return kit_->model;
  }

  void PushUpTo(int64_t update) {
    kit_->newest_update = update;
    engine_->WeightsArrived();
  }
  bool EventuallyWaiting(int64_t batches) {
    return Eventually([&] { return engine_->stats().waiting_batches == batches; });
  }
  bool EventuallyNothingLives() {
    return Eventually([&] { return kit_->slots.live_slots() == 0 && encoder_.live_frames() == 0; });
  }
};

TEST_F(EngineWeightsTest, EachStepComesWithItsUpdate) {
  const auto client = Subscribe(Lockstep());
  for (int64_t update = 0; update < 5; ++update) {
    if (update > 0) PushUpTo(update);
    client->AwaitFrames(static_cast<size_t>(update) + 1);
    // A credit and four steps ahead of it, none of which is made.
    EXPECT_TRUE(EventuallyWaiting(5));
    EXPECT_EQ(client->received().size(), static_cast<size_t>(update) + 1);
  }
  PushUpTo(100);
  client->AwaitFrames(50);
}

TEST_F(EngineWeightsTest, TheBytesAreThoseOfAFeedThatNeverWaited) {
  auto waiting = Subscribe(Lockstep());
  for (int64_t update = 0; update < 8; ++update) {
    waiting->AwaitFrames(static_cast<size_t>(update) + 1);
    PushUpTo(update + 1);
  }
  std::vector<size_t> waited = waiting->digests();
  waiting.reset();
  RestartWith({});
  kit_->newest_update = 1000;
  const auto ready = Subscribe(Lockstep());
  ready->AwaitFrames(8);
  std::vector<size_t> made = ready->digests();
  waited.resize(8);
  made.resize(8);
  EXPECT_EQ(waited, made);
}

TEST_F(EngineWeightsTest, OthersGoOnWhileMoreStreamsWaitThanThereAreWorkers) {
  std::vector<std::unique_ptr<TestCall>> calls;
  for (int64_t step = 1; step <= 8; ++step) {
    calls.push_back(std::make_unique<TestCall>(engine_.get(), "lockstep", step));
  }
  ASSERT_TRUE(EventuallyWaiting(8));
  Subscribe({.feed_id = "mixmatch", .format = {}})->AwaitFrames(20);
  Subscribe({.feed_id = "mixup", .format = {}})->AwaitFrames(20);
  EXPECT_EQ(engine_->stats().waiting_batches, 8);
  PushUpTo(8);
  for (const auto& call : calls) EXPECT_TRUE(call->Await().ok());
}

TEST_F(EngineWeightsTest, OthersGoOnWhileMoreConsumersWaitThanThereAreWorkers) {
  RestartWith({.render_workers = 1, .guess_workers = 2});
  std::vector<std::unique_ptr<TestClient>> waiting;
  for (int rank = 0; rank < 4; ++rank) {
    StreamSpec spec = Lockstep();
    spec.from_step = 1;
    spec.rank = rank;
    spec.world = 4;
    waiting.push_back(Subscribe(spec));
  }
  ASSERT_TRUE(EventuallyWaiting(20));
  Subscribe({.feed_id = "mixmatch", .format = {}})->AwaitFrames(20);
  Subscribe({.feed_id = "mixup", .format = {}})->AwaitFrames(20);
  EXPECT_EQ(engine_->stats().waiting_batches, 20);
  PushUpTo(100);
  for (const auto& client : waiting) client->AwaitFrames(10);
}

TEST_F(EngineWeightsTest, ABatchThatWaitsHoldsNoSlot) {
  const int64_t slot = kit_->Maker(LockstepSpec())->SlotBytes({}, {});
  RestartWith({}, {.slot_bytes = 2 * slot});
  StreamSpec spec = Lockstep();
  spec.prefetch = 1;
  const auto client = Subscribe(spec);
  for (int64_t update = 0; update < 10; ++update) {
    client->AwaitFrames(static_cast<size_t>(update) + 1);
    ASSERT_TRUE(EventuallyWaiting(2));
    EXPECT_TRUE(EventuallyNothingLives());
    // Every slot that there is, is the stream's.
    PushUpTo(update + 1);
  }
}

TEST_F(EngineWeightsTest, ARepeatedBatchWaitsOnce) {
  StreamSpec spec = Lockstep();
  spec.from_step = 3;
  spec.repeat = true;
  const auto client = Subscribe(spec);
  ASSERT_TRUE(EventuallyWaiting(1));
  PushUpTo(3);
  client->AwaitFrames(20);
  EXPECT_EQ(engine_->stats().batches_made, 1);
}

TEST_F(EngineWeightsTest, ABatchWhoseWeightsCanNoLongerComeFailsAtTheNextPush) {
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  AddLockstepFeed("fickle", [this, gone](const std::string&, const WeightsWish& wish) {
    return *gone ? absl::FailedPreconditionError("gone") : Answer(IsMissing(wish));
  });
  TestCall call(engine_.get(), "fickle", 1);
  ASSERT_TRUE(EventuallyWaiting(1));
  *gone = true;
  engine_->WeightsArrived();
  EXPECT_EQ(call.Await().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(EngineWeightsTest, APushWakesOnlyWhatItIsFor) {
  TestCall near(engine_.get(), "lockstep", 3);
  TestCall far(engine_.get(), "lockstep", 9);
  ASSERT_TRUE(EventuallyWaiting(2));
  PushUpTo(3);
  EXPECT_TRUE(near.Await().ok());
  EXPECT_FALSE(far.answered());
  EXPECT_EQ(engine_->stats().waiting_batches, 1);
}

TEST_F(EngineWeightsTest, ConsumersThatShareAWaitingBatchShareItsMaking) {
  StreamSpec spec = Lockstep();
  spec.from_step = 5;
  spec.sharing = Sharing::kBroadcast;
  const auto a = Subscribe(spec, TestClient::Mode::kHold);
  const auto b = Subscribe(spec, TestClient::Mode::kHold);
  ASSERT_TRUE(EventuallyWaiting(5));
  PushUpTo(5);
  a->AwaitFrames(1);
  b->AwaitFrames(1);
  EXPECT_EQ(a->received()[0].frame, b->received()[0].frame);
}

TEST_F(EngineWeightsTest, SharesOfAWaitingStepGuessOnce) {
  std::vector<std::unique_ptr<TestCall>> calls;
  for (const int rank : {0, 1}) {
    calls.push_back(std::make_unique<TestCall>(engine_.get(), "lockstep", 4, Share{rank, 2}));
  }
  ASSERT_TRUE(EventuallyWaiting(2));
  PushUpTo(4);
  for (const auto& call : calls) EXPECT_TRUE(call->Await().ok());
  EXPECT_EQ(kit_->model->calls(), 2);  // one a view
}

TEST_F(EngineWeightsTest, NoPushIsLost) {
  constexpr int64_t kSteps = 300;
  const auto client = Subscribe(Lockstep());
  std::atomic<bool> done = false;
  std::thread disturber([&] {
    while (!done) engine_->WeightsArrived();
  });
  for (int64_t update = 1; update <= kSteps; ++update) PushUpTo(update);
  client->AwaitFrames(kSteps + 1);
  done = true;
  disturber.join();
}

TEST_F(EngineWeightsTest, NoPushIsLostToAGuessThatBeganBeforeIt) {
  RestartWith({.guess_workers = 3});
  // Says that weights are missing a while after it has looked.
  const auto gate = std::make_shared<Gate>();
  gate->Close();
  AddLockstepFeed("slow", [this, gate](const std::string&, const WeightsWish& wish) {
    const bool missing = IsMissing(wish);
    if (missing) gate->Pass();
    return Answer(missing);
  });
  TestCall first(engine_.get(), "slow", 1, Share{0, 2});
  gate->AwaitWaiting(1);
  PushUpTo(1);
  // Takes part in the first one's guess; has been begun when the call behind it is answered.
  TestCall second(engine_.get(), "slow", 1, Share{1, 2});
  EXPECT_TRUE(TestCall(engine_.get(), "mixmatch", 0).Await().ok());
  gate->Open();
  EXPECT_TRUE(first.Await().ok());
  EXPECT_TRUE(second.Await().ok());
}

TEST_F(EngineWeightsTest, NoPushIsLostWhileTheModelIsBusy) {
  const auto client = Subscribe(Lockstep());
  client->AwaitFrames(1);
  ASSERT_TRUE(EventuallyWaiting(5));
  kit_->model->gate().Close();
  PushUpTo(1);
  kit_->model->gate().AwaitWaiting(1);
  PushUpTo(5);
  kit_->model->gate().Open();
  client->AwaitFrames(6);
}

TEST_F(EngineWeightsTest, ManyThreadsPushWhileManyConsumersPull) {
  constexpr int64_t kSteps = 60;
  RestartWith({.render_workers = 2, .guess_workers = 3});
  std::vector<std::unique_ptr<TestClient>> clients;
  for (const Sharing sharing : {Sharing::kBroadcast, Sharing::kSplit, Sharing::kRoundRobin}) {
    for (const int rank : {0, 1}) {
      StreamSpec spec = Lockstep();
      spec.sharing = sharing;
      spec.rank = rank;
      spec.world = 2;
      clients.push_back(Subscribe(spec));
    }
  }
  std::atomic<bool> done = false;
  std::thread caller([&] {
    for (int64_t step = 0; !done; step = (step + 7) % kSteps) {
      TestCall call(engine_.get(), "lockstep", step);
      if (step % 2 == 0) call.Cancel();
      call.Await().IgnoreError();
      engine_->stats();
    }
  });
  std::vector<std::thread> pushers;
  for (int t = 0; t < 3; ++t) {
    pushers.emplace_back([&] {
      while (kit_->newest_update < 2 * kSteps) {
        ++kit_->newest_update;
        engine_->WeightsArrived();
        std::this_thread::yield();
      }
    });
  }
  for (std::thread& pusher : pushers) pusher.join();
  for (const auto& client : clients) client->AwaitFrames(kSteps);
  done = true;
  caller.join();
  for (int64_t step = 0; step < kSteps; ++step) {
    EXPECT_EQ(clients[0]->digests()[static_cast<size_t>(step)],
              clients[1]->digests()[static_cast<size_t>(step)]);
  }
  clients.clear();
  EXPECT_TRUE(EventuallyNothingLives());
}

TEST_F(EngineWeightsTest, ManyThreadsPushWhileConsumersComeAndGo) {
  std::atomic<bool> done = false;
  std::thread pusher([&] {
    while (!done) {
      ++kit_->newest_update;
      engine_->WeightsArrived();
      engine_->stats();
    }
  });
  std::vector<std::thread> users;
  for (int t = 0; t < 3; ++t) {
    users.emplace_back([&] {
      for (int i = 0; i < 30; ++i) {
        StreamSpec spec = Lockstep();
        spec.from_step = kit_->newest_update + 2;
        spec.sharing = Sharing::kBroadcast;
        const auto client = Subscribe(spec);
        TestCall call(engine_.get(), "lockstep", spec.from_step);
        if (i % 3 == 0) client->AwaitFrames(1);
        if (i % 3 != 1) call.Await().IgnoreError();
      }
    });
  }
  for (std::thread& user : users) user.join();
  const auto last = Subscribe({.feed_id = "lockstep", .from_step = 1'000'000'000, .format = {}});
  EXPECT_TRUE(engine_->RemoveFeed("lockstep").ok());
  engine_->Shutdown(0);
  done = true;
  pusher.join();
  EXPECT_TRUE(EventuallyNothingLives());
}

TEST_F(EngineWeightsTest, EndsWhenWeightsDoNotComeInTime) {
  RestartWith({.weights_wait_ms = 20});
  const auto matches = AllOf(HasSubstr("update 1 of the model is missing"),
                             HasSubstr("waited for 20 ms, the server's limit for weights "
                                       "(--weights-wait-ms)"));
  const auto client = Subscribe(Lockstep());
  const absl::Status end = client->AwaitEnd();
  EXPECT_EQ(end.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(end.message()), matches);
  EXPECT_THAT(client->steps(), ElementsAre(0));
  const absl::Status answer = TestCall(engine_.get(), "lockstep", 1).Await().status();
  EXPECT_EQ(answer.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(answer.message()), matches);
  PushUpTo(1);
  EXPECT_TRUE(TestCall(engine_.get(), "lockstep", 1).Await().ok());
}

TEST_F(EngineWeightsTest, WhatKeepsWeightsFromComingIsToldOnce) {
  absl::Status outage = absl::UnavailableError("the store is gone");
  RestartWith({.weights_wait_ms = 1, .outage = [&] { return outage; }});
  const auto ended_with = [&](const char* text) {
    const absl::Status end = TestCall(engine_.get(), "lockstep", 1).Await().status();
    return std::string(end.message()).ends_with(text);
  };
  EXPECT_TRUE(ended_with("(--weights-wait-ms); now: the store is gone"));
  outage = absl::UnavailableError("update 1 of the model");  // as what is missing says
  EXPECT_TRUE(ended_with("(--weights-wait-ms)"));
  outage = absl::OkStatus();
  EXPECT_TRUE(ended_with("(--weights-wait-ms)"));
}

TEST_F(EngineWeightsTest, AllWhoWaitForABatchAreEnded) {
  RestartWith({.weights_wait_ms = 5});
  StreamSpec spec = Lockstep();
  spec.from_step = 3;
  spec.sharing = Sharing::kBroadcast;
  const auto a = Subscribe(spec);
  const auto b = Subscribe(spec);
  TestCall share(engine_.get(), "lockstep", 3, Share{1, 2});
  const auto other = Subscribe({.feed_id = "mixup", .format = {}});
  EXPECT_EQ(a->AwaitEnd().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(b->AwaitEnd().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(share.Await().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(EventuallyWaiting(0));
  EXPECT_FALSE(other->ended());
  other->Cancel();
  EXPECT_TRUE(EventuallyNothingLives());
  PushUpTo(100);
  Subscribe(spec)->AwaitFrames(5);
}

TEST_F(EngineWeightsTest, WaitingIsNotTheClientsIdling) {
  RestartWith({.idle_limit_ms = 1});
  TestCall call(engine_.get(), "lockstep", 1);
  StreamSpec spec = Lockstep();
  spec.from_step = 1;
  const auto consumer = Subscribe(spec);
  ASSERT_TRUE(EventuallyWaiting(5));  // they share one
  // The housekeeper has looked many times when another stream has been ended for idling.
  const auto idle = Subscribe({.feed_id = "mixup", .format = {}}, TestClient::Mode::kHold);
  EXPECT_EQ(idle->AwaitEnd().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(call.answered());
  EXPECT_FALSE(consumer->ended());
  PushUpTo(1);
  EXPECT_TRUE(call.Await().ok());
  consumer->AwaitFrames(1);
}

TEST_F(EngineWeightsTest, WithoutACreditNobodyWaits) {
  RestartWith({.weights_wait_ms = 1});
  const auto client = Subscribe(Lockstep(), TestClient::Mode::kHold);  // one credit
  client->AwaitFrames(1);
  ASSERT_TRUE(EventuallyWaiting(4));
  const absl::Status other = TestCall(engine_.get(), "lockstep", 2).Await().status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);  // the housekeeper has looked
  EXPECT_FALSE(client->ended());
  ASSERT_TRUE(client->Grant(1).ok());
  EXPECT_EQ(client->AwaitEnd().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(EngineWeightsTest, CancelledAndRemovedWaitersLeaveNothingBehind) {
  auto client = Subscribe(Lockstep());
  client->AwaitFrames(1);
  TestCall cancelled(engine_.get(), "lockstep", 50);
  TestCall removed(engine_.get(), "lockstep", 51);
  ASSERT_TRUE(EventuallyWaiting(7));
  client->Cancel();
  cancelled.Cancel();
  EXPECT_EQ(cancelled.Await().status().code(), absl::StatusCode::kCancelled);
  ASSERT_TRUE(EventuallyWaiting(1));
  ASSERT_TRUE(engine_->RemoveFeed("lockstep").ok());
  EXPECT_EQ(removed.Await().status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(EventuallyWaiting(0));
  EXPECT_TRUE(EventuallyNothingLives());
  engine_->WeightsArrived();
}

TEST_F(EngineWeightsTest, WeightsThatComeWhileTheEngineDrainsAreUsed) {
  TestCall call(engine_.get(), "lockstep", 1);
  ASSERT_TRUE(EventuallyWaiting(1));
  std::thread shutdown([&] { engine_->Shutdown(60'000); });
  EXPECT_TRUE(
      Eventually([&] { return Refusal(Lockstep()).code() == absl::StatusCode::kUnavailable; }));
  EXPECT_FALSE(call.answered());
  PushUpTo(1);
  EXPECT_TRUE(call.Await().ok());
  shutdown.join();
}

TEST_F(EngineWeightsTest, AStoppingEngineDoesNotWaitForWeights) {
  const auto client = Subscribe(Lockstep());
  client->AwaitFrames(1);
  engine_->Shutdown(0);
  EXPECT_EQ(client->AwaitEnd().code(), absl::StatusCode::kUnavailable);
  engine_->WeightsArrived();
  EXPECT_TRUE(EventuallyNothingLives());
}

}  // namespace
}  // namespace mixfeed::testing
