#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "client/feed_client.h"
#include "tests/client/fake_server.h"
#include "tests/testing/eventually.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using testing::FakeServer;
using ::testing::HasSubstr;
using testing::StreamScript;

class BatchStreamTest : public ::testing::Test {
 protected:
  void Connect(int64_t connect_deadline_ms = 20'000) {
    ConnectOptions options;
    options.server = server_.address();
    options.connect_deadline_ms = connect_deadline_ms;
    absl::StatusOr<std::unique_ptr<FeedClient>> client;
    ASSERT_TRUE(testing::Eventually([&] {  // a short deadline is for what comes later
      client = FeedClient::Connect(options);
      return client.ok();
    })) << client.status();
    client_ = *std::move(client);
    auto feed = client_->OpenFeed(v1::FeedSpec(), "fake-run");
    ASSERT_TRUE(feed.ok()) << feed.status();
    feed_ = *std::move(feed);
  }

  std::unique_ptr<BatchStream> Stream(const StreamOptions& options = {}) {
    if (feed_ == nullptr) Connect();
    auto stream = feed_->Stream(options);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  }

  // The steps of the next batches, each checked against what the fake makes of its step.
  static std::vector<uint64_t> Take(BatchStream& stream, int count) {
    std::vector<uint64_t> steps;
    for (int i = 0; i < count; ++i) {
      const auto batch = stream.Next();
      EXPECT_TRUE(batch.ok()) << batch.status();
      if (!batch.ok()) break;
      steps.push_back(batch->header().step());
      const v1::Batch expected = FakeServer::MakeBatch(steps.back());
      EXPECT_EQ(
          std::memcmp(batch->pixels().data(), expected.pixels().data(), expected.pixels().size()),
          0);
    }
    return steps;
  }

  static std::vector<uint64_t> Range(uint64_t from, uint64_t count, uint64_t stride = 1) {
    std::vector<uint64_t> steps;
    for (uint64_t i = 0; i < count; ++i) steps.push_back(from + i * stride);
    return steps;
  }

  FakeServer server_;
  std::unique_ptr<FeedClient> client_;
  std::unique_ptr<Feed> feed_;
};

TEST_F(BatchStreamTest, GivesEveryStepOnceInOrder) {
  const auto stream = Stream({.from_step = 3});
  EXPECT_EQ(Take(*stream, 100), Range(3, 100));
  EXPECT_EQ(stream->reconnects(), 0);
}

TEST_F(BatchStreamTest, PassesItsOptionsOn) {
  v1::PixelFormat format;
  format.set_type(v1::FLOAT16);
  format.mutable_normalisation()->set_name("cifar10");
  StreamOptions options{.from_step = 4, .rank = 1, .world = 3};
  options.format = format;
  options.prefetch = 5;
  options.server_prefetch = 6;
  const auto stream = Stream(options);
  EXPECT_EQ(Take(*stream, 3), Range(4, 3, 3));
  const v1::OpenStream open = server_.streams().at(0);
  EXPECT_EQ(open.feed_id(), server_.feed().feed_id());
  EXPECT_EQ(open.rank(), 1u);
  EXPECT_EQ(open.world(), 3u);
  EXPECT_EQ(open.sharing(), v1::OpenStream::ROUND_ROBIN);
  EXPECT_EQ(open.format().SerializeAsString(), format.SerializeAsString());
  EXPECT_EQ(open.credits(), 5u);
  EXPECT_EQ(open.prefetch(), 6u);
  EXPECT_FALSE(open.repeat());
}

TEST_F(BatchStreamTest, RepeatGivesOneStepAgainAndAgain) {
  const auto stream = Stream({.from_step = 9, .repeat = true});
  EXPECT_EQ(Take(*stream, 20), Range(9, 20, 0));
}

TEST_F(BatchStreamTest, NeverGrantsMoreThanTheWindowAndNeverStarves) {
  for (const uint32_t prefetch : {1u, 2u, 3u, 8u}) {
    Connect();
    const auto stream = Stream({.prefetch = prefetch});
    EXPECT_EQ(Take(*stream, 50), Range(0, 50));
    EXPECT_LE(server_.max_outstanding(), prefetch);
  }
}

TEST_F(BatchStreamTest, GrantsHalfAWindowAtATime) {
  const auto stream = Stream({.prefetch = 8});
  EXPECT_EQ(Take(*stream, 80), Range(0, 80));
  // One grant with the opening, then one every four batches.
  EXPECT_LE(server_.credit_messages(), 1 + 80 / 4);
}

TEST_F(BatchStreamTest, CutsOffAServerThatSendsMoreThanWasGranted) {
  server_.Script({.ignore_credits = true});
  const auto stream = Stream({.prefetch = 2});
  absl::Status status = stream->Next().status();
  server_.AwaitNoStreams();
  // Batches that came before the server overdid it are still given out.
  for (int i = 0; i < 100 && status.ok(); ++i) status = stream->Next().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("more batches than"));
}

TEST_F(BatchStreamTest, GoesOnAtTheNextStepWhenTheConnectionIsLost) {
  const absl::Status losses[] = {
      absl::UnavailableError("draining"),
      absl::CancelledError("stopped at once"),
      absl::DeadlineExceededError("idle limit"),
      absl::ResourceExhaustedError("slots of the lost connection are still promised"),
      absl::OkStatus(),  // of a feed without end
  };
  for (const absl::Status& loss : losses) server_.Script({.batches = 3, .end = loss});
  const auto stream = Stream({.from_step = 10});
  EXPECT_EQ(Take(*stream, 30), Range(10, 30));
  EXPECT_EQ(stream->reconnects(), 5);
  std::vector<uint64_t> starts;
  for (const v1::OpenStream& open : server_.streams()) starts.push_back(open.from_step());
  EXPECT_THAT(starts, ElementsAre(10, 13, 16, 19, 22, 25));
}

TEST_F(BatchStreamTest, GoesOnInItsOwnSequence) {
  for (int i = 0; i < 3; ++i) {
    server_.Script({.batches = 2, .end = absl::UnavailableError("draining")});
  }
  const auto stream = Stream({.from_step = 1, .rank = 2, .world = 4});
  EXPECT_EQ(Take(*stream, 10), Range(2, 10, 4));
}

TEST_F(BatchStreamTest, SurvivesARestartedServerThatForgotTheFeed) {
  const auto stream = Stream({.prefetch = 4});
  EXPECT_EQ(Take(*stream, 10), Range(0, 10));
  server_.Stop();
  server_.ForgetFeed();
  server_.Start();
  EXPECT_EQ(Take(*stream, 10), Range(10, 10));
  EXPECT_GE(stream->reconnects(), 1);
  // Opened again as what it was resolved to, in the same run.
  EXPECT_EQ(server_.last_open().run(), "fake-run");
  EXPECT_EQ(server_.last_open().spec().SerializeAsString(),
            server_.feed().spec().SerializeAsString());
}

TEST_F(BatchStreamTest, AFeedThatIsAnotherAfterTheRestartEndsTheStream) {
  server_.Script({.batches = 1, .end = absl::UnavailableError("restarting")});
  const auto stream = Stream();
  EXPECT_EQ(Take(*stream, 1), Range(0, 1));
  v1::OpenFeedResponse other = server_.feed();
  other.set_feed_id("ffffffffffffffffffffffffffffffff");
  server_.SetFeed(other);
  server_.ForgetFeed();
  const absl::Status status = stream->Next().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("dataset 'fake' changed?"));
}

TEST_F(BatchStreamTest, AFeedThatWasClosedHereIsNotOpenedAgain) {
  server_.Script({.batches = 1, .end = absl::NotFoundError("closed")});
  const auto stream = Stream();
  EXPECT_EQ(Take(*stream, 1), Range(0, 1));
  ASSERT_TRUE(feed_->Close().ok());
  EXPECT_EQ(stream->Next().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(server_.calls("OpenFeed"), 1);
}

TEST_F(BatchStreamTest, ADatasetThatIsGoneEndsTheStream) {
  Connect();
  server_.ForgetFeed();
  server_.Fail("OpenFeed", absl::NotFoundError("dataset: no 'fake' here"), 1);
  const auto stream = Stream();
  EXPECT_EQ(stream->Next().status(), absl::NotFoundError("dataset: no 'fake' here"));
}

TEST_F(BatchStreamTest, GivesUpAfterTheConnectDeadline) {
  Connect(/*connect_deadline_ms=*/200);
  const auto stream = Stream();
  EXPECT_EQ(Take(*stream, 1), Range(0, 1));
  server_.Stop();
  absl::Status status;
  while (status.ok()) status = stream->Next().status();  // those that had come already
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(stream->Next().status(), status) << "the error stays";
}

TEST_F(BatchStreamTest, ErrorsThatWouldComeBackAreNotTriedAgain) {
  for (const auto code : {absl::StatusCode::kInvalidArgument, absl::StatusCode::kOutOfRange,
                          absl::StatusCode::kFailedPrecondition, absl::StatusCode::kInternal}) {
    server_.Script({.batches = 0, .end = absl::Status(code, "no")});
    const auto stream = Stream();
    EXPECT_EQ(stream->Next().status(), absl::Status(code, "no"));
    EXPECT_EQ(stream->reconnects(), 0);
  }
}

TEST_F(BatchStreamTest, AFirstStreamThatDoesNotFitIsRefusedAtOnce) {
  server_.Script({.batches = 0, .end = absl::ResourceExhaustedError("all slots are promised")});
  const auto stream = Stream();
  EXPECT_EQ(stream->Next().status(), absl::ResourceExhaustedError("all slots are promised"));
  EXPECT_EQ(stream->reconnects(), 0);
}

TEST_F(BatchStreamTest, EndsAfterTheLastStepOfAnOrderedFeed) {
  v1::OpenFeedResponse ordered = server_.feed();
  ordered.set_steps(5);
  server_.SetFeed(ordered);
  server_.Script({.batches = 2, .end = absl::OkStatus()});  // too early: tried again
  server_.Script({.batches = 3, .end = absl::OkStatus()});
  const auto stream = Stream();
  EXPECT_EQ(Take(*stream, 5), Range(0, 5));
  EXPECT_EQ(stream->Next().status(), absl::OutOfRangeError("the feed ends after step 4"));
  EXPECT_EQ(stream->Next().status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(BatchStreamTest, AStepThatIsNotDueIsAnError) {
  server_.Script({.skip_steps = 1});
  const auto stream = Stream({.from_step = 3});
  EXPECT_EQ(stream->Next().status(),
            absl::InternalError("the server sent step 4 where step 3 was due"));
}

TEST_F(BatchStreamTest, AMalformedFrameEndsTheStream) {
  server_.EditBatches([](v1::Batch* batch) { batch->mutable_pixels()->pop_back(); });
  const auto stream = Stream();
  EXPECT_EQ(stream->Next().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(stream->reconnects(), 0);
}

TEST_F(BatchStreamTest, AFrameBeyondWhatTheFeedsBatchesTakeEndsTheStream) {
  server_.EditBatches([](v1::Batch* batch) { batch->mutable_pixels()->resize(1 << 20); });
  const auto stream = Stream();
  const absl::Status status = stream->Next().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("larger than max"));
  EXPECT_EQ(stream->reconnects(), 0);
}

TEST_F(BatchStreamTest, CancelFromAnotherThreadEndsAWaitingNext) {
  server_.Script({.batches = 1, .stall = true});
  const auto stream = Stream();
  EXPECT_EQ(Take(*stream, 1), Range(0, 1));
  std::thread other([&stream] { stream->Cancel(); });
  EXPECT_EQ(stream->Next().status().code(), absl::StatusCode::kCancelled);
  other.join();
  EXPECT_EQ(stream->Next().status().code(), absl::StatusCode::kCancelled);
  server_.AwaitNoStreams();
}

TEST_F(BatchStreamTest, CancelEndsTheWaitForALostServer) {
  Connect(/*connect_deadline_ms=*/3'600'000);
  server_.Script({.batches = 1, .stall = true});
  const auto stream = Stream();
  EXPECT_EQ(Take(*stream, 1), Range(0, 1));
  server_.Stop();
  std::thread other([&stream] { stream->Cancel(); });
  EXPECT_EQ(stream->Next().status().code(), absl::StatusCode::kCancelled);
  other.join();
}

TEST_F(BatchStreamTest, CancelEndsAHangingReopen) {
  Connect();
  server_.ForgetFeed();
  server_.Hang("OpenFeed");
  const auto stream = Stream();
  std::thread other([this, &stream] {
    server_.AwaitCalls("OpenFeed", 2);
    stream->Cancel();
  });
  EXPECT_EQ(stream->Next().status().code(), absl::StatusCode::kCancelled);
  other.join();
}

TEST_F(BatchStreamTest, NothingIsGivenOutAfterCancel) {
  const auto stream = Stream();
  EXPECT_EQ(Take(*stream, 1), Range(0, 1));
  stream->Cancel();
  EXPECT_EQ(stream->Next().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(BatchStreamTest, CanBeDestroyedWhileBatchesCome) {
  for (int i = 0; i < 20; ++i) {
    const auto stream = Stream();
    EXPECT_TRUE(i % 2 == 0 || stream->Next().ok());
  }
  server_.AwaitNoStreams();
}

TEST_F(BatchStreamTest, OutlivesFeedAndClient) {
  const auto stream = Stream();
  feed_.reset();
  client_.reset();
  EXPECT_EQ(Take(*stream, 20), Range(0, 20));
}

TEST_F(BatchStreamTest, BatchesOutliveTheStream) {
  auto stream = Stream();
  const auto batch = stream->Next();
  stream.reset();
  feed_.reset();
  client_.reset();
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->pixels().size(), FakeServer::MakeBatch(0).pixels().size());
  EXPECT_EQ(batch->targets()[2], 0.625f);
}

TEST_F(BatchStreamTest, RefusesWhatNoServerCouldAccept) {
  Connect();
  EXPECT_EQ(feed_->Stream({.prefetch = 0}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(feed_->Stream({.rank = 2, .world = 2}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(feed_->Stream({.rank = 1, .world = 0}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mixfeed
