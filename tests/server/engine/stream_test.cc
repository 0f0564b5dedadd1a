#include "server/engine/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "server/engine/batch_series.h"
#include "tests/augment/batch/feed_kit.h"

// The window without threads: batches are "made" by hand.
namespace mixfeed {
namespace {

using State = WantedBatch::State;
using std::chrono::milliseconds;

class StreamTest : public ::testing::Test {
 protected:
  std::shared_ptr<Stream> NewStream(const Stream::Options& options, int64_t from = 0,
                                    std::optional<int64_t> steps = std::nullopt) {
    StreamSpec spec;
    spec.from_step = from;
    auto stream = std::make_shared<Stream>(options, series_, *StepSequence::Create(spec, steps),
                                           nullptr, nullptr);
    stream->Refill();
    return stream;
  }

  // Marks the stream's queued batches as made, nearest first; returns their steps.
  static std::vector<int64_t> MakeAll(Stream* stream) {
    std::vector<int64_t> steps;
    while (const std::shared_ptr<WantedBatch> batch = stream->TakeQueued()) {
      steps.push_back(batch->step);
      batch->frame = std::make_shared<const EncodedFrame>();
      batch->state = State::kReady;
    }
    return steps;
  }

  testing::FeedKit kit_;
  OpenFeed feed_{"feed", kit_.Maker(kit_.Spec("mixup"))};
  const std::shared_ptr<BatchSeries> series_ = feed_.Series({}, {});
  const Stream::Options options_ = {.credits = 2, .prefetch = 1, .slots = 3};
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(StreamTest, WindowIsCreditsAndPrefetch) {
  const auto stream = NewStream(options_, 4);
  EXPECT_THAT(MakeAll(stream.get()), ElementsAre(4, 5, 6));
  stream->Refill();
  EXPECT_FALSE(stream->HasQueued());
}

TEST_F(StreamTest, WindowEndsWithTheFeed) {
  const auto stream = NewStream(options_, 4, 6);
  EXPECT_THAT(MakeAll(stream.get()), ElementsAre(4, 5));
}

TEST_F(StreamTest, DeliversOnlyWithACreditAndAReadyHead) {
  const auto stream = NewStream({.credits = 1, .prefetch = 1, .slots = 2});
  EXPECT_FALSE(stream->CanDeliver());
  MakeAll(stream.get());
  EXPECT_TRUE(stream->CanDeliver());
  EXPECT_NE(stream->TakeDelivery().frame, nullptr);
  EXPECT_FALSE(stream->CanDeliver());
  ASSERT_TRUE(stream->Grant(1, 8).ok());
  EXPECT_TRUE(stream->CanDeliver());
}

TEST_F(StreamTest, LaterBatchesWaitForTheHead) {
  const auto stream = NewStream(options_);
  const auto head = stream->TakeQueued();
  MakeAll(stream.get());
  EXPECT_FALSE(stream->CanDeliver());
  head->state = State::kFailed;
  head->error = absl::DataLossError("bad");
  EXPECT_TRUE(stream->CanDeliver());
  EXPECT_EQ(stream->TakeDelivery().end, absl::DataLossError("bad"));
}

TEST_F(StreamTest, FramesNotTakenKeepTheWindowSmall) {
  const auto stream = NewStream(options_);
  MakeAll(stream.get());
  stream->TakeDelivery();
  stream->TakeDelivery();
  ASSERT_TRUE(stream->Grant(5, 8).ok());
  stream->Refill();
  EXPECT_THAT(MakeAll(stream.get()), IsEmpty());
  stream->FrameTaken();
  stream->Refill();
  EXPECT_THAT(MakeAll(stream.get()), ElementsAre(3));
}

TEST_F(StreamTest, FramesReportedTwiceDoNotWidenTheWindow) {
  const auto stream = NewStream(options_);
  for (int i = 0; i < 5; ++i) stream->FrameTaken();
  ASSERT_TRUE(stream->Grant(6, 8).ok());
  stream->Refill();
  EXPECT_THAT(MakeAll(stream.get()), ElementsAre(0, 1, 2));
}

TEST_F(StreamTest, EndComesBeforeWhatIsReady) {
  const auto stream = NewStream(options_);
  MakeAll(stream.get());
  EXPECT_EQ(stream->End(absl::NotFoundError("gone")).window.size(), 3u);
  EXPECT_TRUE(stream->End(absl::InternalError("too late")).window.empty());
  EXPECT_TRUE(stream->CanDeliver());
  EXPECT_EQ(stream->TakeDelivery().end, absl::NotFoundError("gone"));
  stream->Refill();
  EXPECT_FALSE(stream->HasQueued());
}

TEST_F(StreamTest, ClosedStreamDeliversNothing) {
  const auto stream = NewStream(options_);
  MakeAll(stream.get());
  stream->Close();
  EXPECT_FALSE(stream->CanDeliver());
}

TEST_F(StreamTest, WaitsForItsClientOnlyWithABatchToSendOrToBeTaken) {
  const Stream::Clock::time_point start;
  const auto stream = NewStream({.credits = 1, .prefetch = 1, .slots = 2});
  const auto waiting_since = [&](int now_ms, bool life) {
    stream->UpdateWaiting(start + milliseconds(now_ms), life);
    return stream->waiting_since();
  };
  EXPECT_EQ(waiting_since(1, false), std::nullopt);  // its batches are not made
  MakeAll(stream.get());
  EXPECT_EQ(waiting_since(2, false), std::nullopt);  // the engine is to deliver
  stream->TakeDelivery();
  EXPECT_EQ(waiting_since(3, false), start + milliseconds(3));  // the frame is to be taken
  EXPECT_EQ(waiting_since(4, false), start + milliseconds(3));
  stream->FrameTaken();
  EXPECT_EQ(waiting_since(5, true), start + milliseconds(5));  // a credit is to be granted
  ASSERT_TRUE(stream->Grant(1, 8).ok());
  EXPECT_EQ(waiting_since(6, true), std::nullopt);
}

TEST_F(StreamTest, StreamsOfOneSeriesShareBatchesWhileOneHoldsThem) {
  const auto a = NewStream(options_);
  auto b = NewStream(options_, 1);
  EXPECT_THAT(MakeAll(a.get()), ElementsAre(0, 1, 2));
  EXPECT_THAT(MakeAll(b.get()), ElementsAre(3));
  b.reset();
  const auto c = NewStream(options_, 2);
  EXPECT_THAT(MakeAll(c.get()), ElementsAre(3, 4));
}

TEST_F(StreamTest, StreamsAreToldOfBatchesTheyWaitFor) {
  const auto a = NewStream({.credits = 1, .prefetch = 0, .slots = 1});
  const auto b = NewStream({.credits = 1, .prefetch = 0, .slots = 1});
  const auto batch = a->TakeQueued();
  ASSERT_EQ(batch->waiters.size(), 2u);
  EXPECT_EQ(batch->waiters[0].lock(), a);
  EXPECT_EQ(batch->waiters[1].lock(), b);
  batch->state = State::kReady;
  NewStream(options_);
  EXPECT_EQ(batch->waiters.size(), 2u);
}

TEST_F(StreamTest, StreamsThatAreGoneDoNotFillABatchThatWaitsOn) {
  const auto stays = NewStream(options_);
  const auto batch = stays->TakeQueued();
  for (int i = 0; i < 1000; ++i) NewStream(options_);
  EXPECT_LE(batch->waiters.size(), 8u);
  EXPECT_EQ(batch->waiters[0].lock(), stays);
}

TEST_F(StreamTest, WaitsForWeightsOnlyWithACreditForTheNextBatch) {
  const Stream::Clock::time_point start;
  const auto stream = NewStream({.credits = 1, .prefetch = 1, .slots = 2});
  const auto weights_since = [&](int now_ms) {
    stream->UpdateWaiting(start + milliseconds(now_ms), /*life=*/true);
    return stream->weights_since();
  };
  const auto head = stream->TakeQueued();
  const auto next = stream->TakeQueued();
  next->state = State::kWaiting;
  EXPECT_EQ(weights_since(1), std::nullopt);  // its next batch is being made
  head->state = State::kWaiting;
  head->error = absl::UnavailableError("update 1 is missing");
  EXPECT_EQ(weights_since(2), start + milliseconds(2));
  EXPECT_EQ(weights_since(3), start + milliseconds(2));  // what the client does is no life here
  EXPECT_EQ(stream->missing(), head->error);
  EXPECT_EQ(stream->waiting_since(), std::nullopt);
  head->frame = std::make_shared<const EncodedFrame>();
  head->state = State::kReady;
  EXPECT_EQ(weights_since(4), std::nullopt);
  stream->TakeDelivery();
  EXPECT_EQ(weights_since(5), std::nullopt);  // there is no credit for the one that waits
  ASSERT_TRUE(stream->Grant(1, 8).ok());
  EXPECT_EQ(weights_since(6), start + milliseconds(6));
  stream->End(absl::NotFoundError("gone"));
  EXPECT_EQ(weights_since(7), std::nullopt);
}

TEST_F(StreamTest, BatchThatWaitsIsCollectedOnceAndLetsLaterOnesBeTaken) {
  const auto a = NewStream(options_);
  const auto b = NewStream(options_, 1);
  a->TakeQueued()->state = State::kWaiting;
  a->TakeQueued()->state = State::kWaiting;
  std::set<BatchKey> waiting;
  for (const auto& stream : {a, b}) stream->CollectWaiting(&waiting);
  EXPECT_THAT(waiting, ElementsAre(BatchKey{series_, 0}, BatchKey{series_, 1}));
  EXPECT_THAT(MakeAll(b.get()), ElementsAre(2, 3));
}

TEST_F(StreamTest, SeriesFindsOnlyBatchesThatSomebodyHolds) {
  EXPECT_EQ(series_->Find(3), nullptr);
  auto batch = series_->Want(3);
  EXPECT_EQ(series_->Find(3), batch);
  batch.reset();
  EXPECT_EQ(series_->Find(3), nullptr);
}

TEST_F(StreamTest, SeriesAreSharedPerFormatAndShare) {
  EXPECT_EQ(feed_.Series({}, {}), series_);
  EXPECT_NE(feed_.Series({}, {0, 2}), series_);
  const auto bytes = feed_.Series(PixelFormat{PixelType::kUint8, PixelLayout::kNchw, {}}, {});
  EXPECT_NE(bytes, series_);
  EXPECT_LT(bytes->slot_bytes(), series_->slot_bytes());
}

TEST_F(StreamTest, ForgottenBatchIsMadeAnew) {
  const auto failed = series_->Want(3);
  EXPECT_EQ(series_->Want(3), failed);
  series_->Forget(3);
  EXPECT_NE(series_->Want(3), failed);
}

TEST_F(StreamTest, SeriesForgetsBatchesThatNobodyHolds) {
  const auto held = series_->Want(0);
  std::weak_ptr<WantedBatch> dropped = series_->Want(1);
  EXPECT_TRUE(dropped.expired());
  for (int64_t step = 2; step < 10'000; ++step) {
    series_->Want(step);
    EXPECT_LE(series_->size(), 128u);
  }
  EXPECT_EQ(series_->Want(0), held);
}

}  // namespace
}  // namespace mixfeed
