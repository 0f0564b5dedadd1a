#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "tests/server/engine/engine_kit.h"

namespace mixfeed::testing {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Mode = TestClient::Mode;

constexpr int64_t kEvalSteps = 13;

std::vector<int64_t> Steps(int64_t from, int64_t to, int64_t stride = 1) {
  std::vector<int64_t> steps;
  for (int64_t step = from; step < to; step += stride) steps.push_back(step);
  return steps;
}

class EngineStreamTest : public EngineTest {};

class RoundRobinTest : public EngineTest, public ::testing::WithParamInterface<int> {};

TEST_P(RoundRobinTest, ConsumersGetEveryStepOnceAndInOrder) {
  const int world = GetParam();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int rank = 0; rank < world; ++rank) {
    clients.push_back(
        Subscribe({.feed_id = "eval", .rank = rank, .world = world, .format = {}, .credits = 2}));
  }
  for (int rank = 0; rank < world; ++rank) {
    TestClient& client = *clients[static_cast<size_t>(rank)];
    EXPECT_EQ(client.AwaitEnd(), absl::OkStatus());
    EXPECT_EQ(client.steps(), Steps(rank, kEvalSteps, world));
  }
  EXPECT_EQ(encoder_.made().size(), static_cast<size_t>(kEvalSteps));
}

INSTANTIATE_TEST_SUITE_P(Worlds, RoundRobinTest, ::testing::Values(1, 2, 3));

TEST_F(EngineStreamTest, BeginsAtTheFirstStepOfItsRankFromFromStepOn) {
  const auto client =
      Subscribe({.feed_id = "eval", .from_step = 5, .rank = 1, .world = 3, .format = {}});
  EXPECT_EQ(client->AwaitEnd(), absl::OkStatus());
  EXPECT_THAT(client->steps(), ElementsAre(7, 10));
}

TEST_F(EngineStreamTest, RankWithNoStepLeftEndsAtOnce) {
  const auto client =
      Subscribe({.feed_id = "eval", .from_step = 12, .rank = 1, .world = 2, .format = {}});
  EXPECT_EQ(client->AwaitEnd(), absl::OkStatus());
  EXPECT_THAT(client->steps(), IsEmpty());
}

TEST_F(EngineStreamTest, EndNeedsNoCredit) {
  const auto client =
      Subscribe({.feed_id = "eval", .from_step = 12, .format = {}, .credits = 1}, Mode::kHold);
  EXPECT_EQ(client->AwaitEnd(), absl::OkStatus());
  EXPECT_THAT(client->steps(), ElementsAre(12));
}

TEST_F(EngineStreamTest, BroadcastConsumersShareFrames) {
  Restart({.default_prefetch = 0});
  encoder_.gate().Close();
  const StreamSpec spec = {.feed_id = "mixup",
                           .rank = 0,
                           .world = 2,
                           .sharing = Sharing::kBroadcast,
                           .format = {},
                           .credits = 6};
  StreamSpec other = spec;
  other.rank = 1;
  const auto a = Subscribe(spec, Mode::kHold);
  const auto b = Subscribe(other, Mode::kHold);
  encoder_.gate().Open();
  a->AwaitFrames(6);
  b->AwaitFrames(6);
  EXPECT_EQ(a->steps(), Steps(0, 6));
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(a->received()[i].frame, b->received()[i].frame);
  EXPECT_EQ(engine_->stats().batches_made, 6);
  EXPECT_EQ(kit_->slots.live_slots(), 6);
}

TEST_F(EngineStreamTest, LaggingBroadcastConsumerHasItsBatchesMadeAgain) {
  const StreamSpec spec = {.feed_id = "mixup", .sharing = Sharing::kBroadcast, .format = {}};
  const auto first = Subscribe(spec);
  first->AwaitFrames(50);
  first->Cancel();
  const auto second = Subscribe(spec);
  second->AwaitFrames(50);
  const std::vector<size_t> expected = first->digests();
  EXPECT_EQ(second->digests()[49], expected[49]);
}

TEST_F(EngineStreamTest, SplitConsumersCoverEachStepOnce) {
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int rank = 0; rank < 2; ++rank) {
    clients.push_back(Subscribe({.feed_id = "mixmatch",
                                 .rank = rank,
                                 .world = 2,
                                 .sharing = Sharing::kSplit,
                                 .format = {}}));
  }
  for (const auto& client : clients) client->AwaitFrames(10);
  for (size_t step = 0; step < 10; ++step) {
    std::vector<int> seen(12, 0);  // 4 labelled rows, 2 views of 4 unlabelled ones
    for (const auto& client : clients) {
      const Received received = client->received()[step];
      EXPECT_EQ(received.step, static_cast<int64_t>(step));
      for (const int32_t row : received.rows) ++seen[static_cast<size_t>(row)];
    }
    EXPECT_THAT(seen, Each(1));
  }
}

TEST_F(EngineStreamTest, RepeatSendsOneBatchAgainAndAgain) {
  const auto client =
      Subscribe({.feed_id = "mixup", .from_step = 9, .format = {}, .credits = 3, .repeat = true});
  client->AwaitFrames(200);
  EXPECT_THAT(client->steps(), Each(9));
  EXPECT_EQ(engine_->stats().batches_made, 1);
  EXPECT_EQ(kit_->slots.live_slots(), 1);
}

TEST_F(EngineStreamTest, FailureEndsTheStreamAfterTheStepsBeforeIt) {
  encoder_.FailAt(5, absl::DataLossError("bad step"));
  const auto client = Subscribe({.feed_id = "mixup", .format = {}, .credits = 4});
  EXPECT_EQ(client->AwaitEnd(), absl::DataLossError("bad step"));
  EXPECT_EQ(client->steps(), Steps(0, 5));
}

TEST_F(EngineStreamTest, FailureIsTriedAgainByWhoComesLater) {
  encoder_.FailAt(1, absl::DataLossError("bad step"));
  // Holds the failed batch: it has no credit to reach it.
  const auto holder = Subscribe({.feed_id = "mixup", .format = {}, .credits = 1}, Mode::kHold);
  EXPECT_EQ(holder->AwaitEnd(), absl::DataLossError("bad step"));
  encoder_.Heal();
  const auto client = Subscribe({.feed_id = "mixup", .format = {}});
  client->AwaitFrames(3);
  EXPECT_THAT(client->steps(), Contains(1));
}

TEST_F(EngineStreamTest, MissingGuessModelEndsTheStreamAndSaysWhatToDo) {
  kit_->model = nullptr;
  const auto client = Subscribe({.feed_id = "mixmatch", .format = {}});
  const absl::Status end = client->AwaitEnd();
  EXPECT_EQ(end.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(end.message()), HasSubstr("mixfeed model register"));
}

TEST_F(EngineStreamTest, WaitingForTheModelDoesNotHoldUpOtherFeeds) {
  kit_->model->gate().Close();
  const auto guessing = Subscribe({.feed_id = "mixmatch", .format = {}});
  kit_->model->gate().AwaitWaiting(1);
  const auto mixing = Subscribe({.feed_id = "mixup", .format = {}});
  mixing->AwaitFrames(100);
  EXPECT_THAT(guessing->steps(), IsEmpty());
  kit_->model->gate().Open();
  guessing->AwaitFrames(5);
}

TEST_F(EngineStreamTest, NextStepIsRenderedWhileOneIsInTheModel) {
  FeedSpec spec = kit_->Spec("mixmatch", 4);
  spec.recipe.views = 1;
  engine_->AddFeed("one view", kit_->Maker(spec, "one view"));
  kit_->model->gate().Close();
  const auto client = Subscribe({.feed_id = "one view", .format = {}, .credits = 2});
  // The model is called with rendered views, and once a step.
  kit_->model->gate().AwaitWaiting(2);
  EXPECT_EQ(kit_->model->calls(), 2);
  kit_->model->gate().Open();
  client->AwaitFrames(20);
  EXPECT_TRUE(std::ranges::is_sorted(client->steps()));
}

TEST_F(EngineStreamTest, LargeWindowDoesNotComeBeforeAnothersFirstBatch) {
  Restart({.render_workers = 1});
  encoder_.gate().Close();
  const auto greedy =
      Subscribe({.feed_id = "mixup", .format = {}, .credits = 50, .prefetch = 10}, Mode::kHold);
  encoder_.gate().AwaitWaiting(1);
  const auto modest = Subscribe({.feed_id = "eval", .format = {}, .credits = 1}, Mode::kHold);
  encoder_.gate().Open();
  modest->AwaitFrames(1);
  greedy->AwaitFrames(50);
  const auto made = encoder_.made();
  const auto first = std::ranges::find(made, FakeEncoder::Made{"eval", 0});
  // Before it: the batch that was being made, and the one turn that was already taken.
  EXPECT_LE(first - made.begin(), 2);
}

TEST_F(EngineStreamTest, BatchesNearTheCursorAreMadeFirst) {
  Restart({.render_workers = 1});
  const auto client =
      Subscribe({.feed_id = "mixup", .format = {}, .credits = 20, .prefetch = 10}, Mode::kHold);
  ASSERT_TRUE(Eventually([&] { return encoder_.made().size() == 30; }));
  for (int64_t step = 0; step < 30; ++step) {
    EXPECT_EQ(encoder_.made()[static_cast<size_t>(step)].step, step);
  }
}

}  // namespace
}  // namespace mixfeed::testing
