#include <map>
#include <string>
#include <vector>

#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/eventually.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;

constexpr int64_t kIdleLimitMs = 2000;

class BatchStreamTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new TestServer([](ServerOptions* options) { options->max_credits = 16; });
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  std::string OpenMixup(const std::string& run = "r") {
    return Open(stubs_, TinySpec("mixup"), run).feed_id();
  }
  // Nothing of finished streams is left behind.
  void ExpectNothingHeld() {
    EXPECT_TRUE(Eventually([this] {
      const v1::GetServerInfoResponse info = Info(stubs_);
      return info.consumers() == 0 && info.live_frames() == 0 && info.live_slots() == 0;
    }));
  }

  static TestServer* server_;
  const Stubs stubs_{server_->address()};
};
TestServer* BatchStreamTest::server_ = nullptr;

TEST_F(BatchStreamTest, StreamedBatchesAreThoseOfGetBatch) {
  const std::string id = OpenMixup();
  v1::OpenStream open = StreamOf(id);
  open.set_from_step(3);
  StreamCall stream(stubs_, open);
  for (uint64_t step = 3; step < 7; ++step) {
    v1::Batch batch;
    ASSERT_TRUE(stream.Read(&batch));
    EXPECT_EQ(batch.header().step(), step);
    EXPECT_EQ(batch.SerializeAsString(), GetBatch(stubs_, id, step).SerializeAsString());
  }
  stream.HalfClose();
  EXPECT_TRUE(stream.Finish().ok());
  ExpectNothingHeld();
}

TEST_F(BatchStreamTest, OrderedFeedEndsWithOk) {
  const std::string id = Open(stubs_, TinySpec("eval")).feed_id();
  StreamCall stream(stubs_, StreamOf(id, 16));
  uint32_t rows = 0;
  v1::Batch batch;
  for (int step = 0; step < 7; ++step) {
    ASSERT_TRUE(stream.Read(&batch)) << "step " << step;
    rows += batch.header().rows();
  }
  EXPECT_EQ(rows, 50u);
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(BatchStreamTest, NoMoreThanTheGrantedBatchesAreSent) {
  StreamCall stream(stubs_, StreamOf(OpenMixup("credits"), 2));
  v1::Batch batch;
  ASSERT_TRUE(stream.Read(&batch));
  ASSERT_TRUE(stream.Read(&batch));
  // The third read would wait for ever without this.
  ASSERT_TRUE(stream.Grant(3));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream.Read(&batch));
  EXPECT_EQ(batch.header().step(), 4u);
  stream.HalfClose();
  EXPECT_TRUE(stream.Finish().ok());  // reads on: nothing was sent beyond the five
}

TEST_F(BatchStreamTest, RoundRobinConsumersGetEveryStepOnce) {
  const std::string id = OpenMixup("robin");
  std::map<uint64_t, int> seen;
  for (uint32_t rank = 0; rank < 3; ++rank) {
    v1::OpenStream open = StreamOf(id);
    open.set_rank(rank);
    open.set_world(3);
    StreamCall stream(stubs_, open);
    for (int i = 0; i < 4; ++i) {
      v1::Batch batch;
      ASSERT_TRUE(stream.Read(&batch));
      EXPECT_EQ(batch.header().step() % 3, rank);
      ++seen[batch.header().step()];
    }
    stream.Cancel();
  }
  EXPECT_EQ(seen.size(), 12u);
  EXPECT_EQ(seen.rbegin()->first, 11u);
}

TEST_F(BatchStreamTest, BroadcastConsumersGetAllAndSplitOnesTheirRows) {
  const std::string id = OpenMixup("sharing");
  for (const auto sharing : {v1::OpenStream::BROADCAST, v1::OpenStream::SPLIT}) {
    for (uint32_t rank = 0; rank < 2; ++rank) {
      v1::OpenStream open = StreamOf(id);
      open.set_rank(rank);
      open.set_world(2);
      open.set_sharing(sharing);
      StreamCall stream(stubs_, open);
      v1::Batch batch;
      ASSERT_TRUE(stream.Read(&batch));
      ASSERT_TRUE(stream.Read(&batch));
      EXPECT_EQ(batch.header().step(), 1u);
      EXPECT_EQ(batch.header().rows(), sharing == v1::OpenStream::SPLIT ? 4u : 8u);
      stream.Cancel();
    }
  }
}

TEST_F(BatchStreamTest, RepeatSendsOneStepAgainAndAgain) {
  v1::OpenStream open = StreamOf(OpenMixup("repeat"));
  open.set_from_step(5);
  open.set_repeat(true);
  StreamCall stream(stubs_, open);
  std::string first;
  for (int i = 0; i < 4; ++i) {
    v1::Batch batch;
    ASSERT_TRUE(stream.Read(&batch));
    if (i == 0) first = batch.SerializeAsString();
    EXPECT_EQ(batch.SerializeAsString(), first);
  }
  stream.Cancel();
  ExpectNothingHeld();
}

TEST_F(BatchStreamTest, CancelledStreamLeavesNothingBehind) {
  const std::string id = OpenMixup("cancelled");
  for (int i = 0; i < 20; ++i) {
    StreamCall stream(stubs_, StreamOf(id, 16));
    v1::Batch batch;
    if (i % 2 == 0) stream.Read(&batch);
    stream.Cancel();
    EXPECT_EQ(stream.Finish().error_code(), StatusCode::CANCELLED);
  }
  ExpectNothingHeld();
}

TEST_F(BatchStreamTest, ClosingTheFeedEndsItsStreams) {
  StreamCall stream(stubs_, StreamOf(OpenMixup("closing"), 1));
  v1::Batch batch;
  ASSERT_TRUE(stream.Read(&batch));
  v1::CloseFeedRequest close;
  close.set_feed_id(batch.header().feed_id());
  Call(stubs_.feeds.get(), &v1::FeedService::Stub::CloseFeed, close);
  ExpectStatus(stream.Finish(), StatusCode::NOT_FOUND);
}

TEST_F(BatchStreamTest, GuessErrorsEndTheStream) {
  StreamCall stream(stubs_, StreamOf(Open(stubs_, TinySpec("mixmatch")).feed_id()));
  ExpectStatus(stream.Finish(), StatusCode::FAILED_PRECONDITION, "mixfeed model register");
}

TEST_F(BatchStreamTest, OpenIsRefusedWithTheField) {
  const std::string id = OpenMixup();
  const std::string eval = Open(stubs_, TinySpec("eval")).feed_id();
  struct Bad {
    StatusCode code;
    const char* message;
    std::function<void(v1::OpenStream*)> change;
  };
  const Bad bad[] = {
      {StatusCode::NOT_FOUND, "feed_id is \"77\"", [](auto* open) { open->set_feed_id("77"); }},
      {StatusCode::INVALID_ARGUMENT, "credits", [](auto* open) { open->set_credits(0); }},
      {StatusCode::INVALID_ARGUMENT, "credits", [](auto* open) { open->set_credits(17); }},
      {StatusCode::INVALID_ARGUMENT, "credits", [](auto* open) { open->set_credits(~0u); }},
      {StatusCode::INVALID_ARGUMENT, "prefetch", [](auto* open) { open->set_prefetch(65); }},
      {StatusCode::INVALID_ARGUMENT, "rank is 1", [](auto* open) { open->set_rank(1); }},
      {StatusCode::INVALID_ARGUMENT, "world is", [](auto* open) { open->set_world(~0u); }},
      {StatusCode::INVALID_ARGUMENT, "sharing is 9; allowed: ROUND_ROBIN, BROADCAST, SPLIT",
       [](auto* open) { open->set_sharing(static_cast<v1::OpenStream::Sharing>(9)); }},
      {StatusCode::INVALID_ARGUMENT, "world",
       [](auto* open) {
         open->set_sharing(v1::OpenStream::SPLIT);
         open->set_world(3);
       }},
      {StatusCode::INVALID_ARGUMENT, "format.type is 7",
       [](auto* open) { open->mutable_format()->set_type(static_cast<v1::PixelType>(7)); }},
      {StatusCode::OUT_OF_RANGE, "from_step is",
       [](auto* open) { open->set_from_step(~uint64_t{0}); }},
      {StatusCode::OUT_OF_RANGE, "step",
       [&eval](auto* open) {
         open->set_feed_id(eval);
         open->set_from_step(1000);
       }},
  };
  for (const Bad& request : bad) {
    v1::OpenStream open = StreamOf(id);
    request.change(&open);
    StreamCall stream(stubs_, open);
    ExpectStatus(stream.Finish(), request.code, request.message);
  }
  ExpectNothingHeld();
}

TEST_F(BatchStreamTest, MessagesOutOfOrderEndTheStream) {
  {
    StreamCall stream(stubs_);
    stream.Grant(1);
    ExpectStatus(stream.Finish(), StatusCode::INVALID_ARGUMENT, "first message of a stream: open");
  }
  {
    StreamCall stream(stubs_);
    stream.HalfClose();
    ExpectStatus(stream.Finish(), StatusCode::INVALID_ARGUMENT, "open");
  }
  v1::StreamBatchesRequest again;
  *again.mutable_open() = StreamOf(OpenMixup(), 1);
  {
    StreamCall stream(stubs_, again.open());
    stream.Write(again);
    ExpectStatus(stream.Finish(), StatusCode::INVALID_ARGUMENT, "after the first message: credits");
  }
  for (const uint32_t count : {0u, 17u, ~0u}) {
    StreamCall stream(stubs_, again.open());
    stream.Grant(count);
    ExpectStatus(stream.Finish(), StatusCode::INVALID_ARGUMENT, "credits.count is ");
  }
  ExpectNothingHeld();
}

TEST(BatchStreamLimitsTest, StalledConsumerIsEndedAndOthersGoOn) {
  TestServer server([](ServerOptions* options) { options->idle_limit_ms = kIdleLimitMs; });
  const Stubs stubs(server.address());
  const std::string id = Open(stubs, TinySpec("mixup")).feed_id();
  StreamCall stalled(stubs, StreamOf(id, 1));
  StreamCall lively(stubs, StreamOf(id, 4));
  v1::Batch batch;
  ASSERT_TRUE(stalled.Read(&batch));
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(lively.Read(&batch));
    EXPECT_TRUE(lively.Grant(1));
    return Info(stubs).consumers() == 1;
  }));
  ExpectStatus(stalled.Finish(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(lively.Read(&batch));
  lively.Cancel();
}

// Once batches were made, which is never forgotten, and all that was held is free again.
void AwaitMadeAndFreed(const Stubs& stubs) {
  EXPECT_TRUE(Eventually([&] {
    const v1::GetServerInfoResponse info = Info(stubs);
    return info.batches_made() > 0 && info.consumers() == 0 && info.live_frames() == 0 &&
           info.live_slots() == 0;
  }));
}

TEST(BatchStreamLimitsTest, ConsumerThatReadsNothingIsEndedAndItsSlotsComeBack) {
  TestServer server([](ServerOptions* options) { options->idle_limit_ms = kIdleLimitMs; });
  const Stubs stubs(server.address());
  // More than gRPC buffers on its way to a client that does not read.
  v1::OpenStream open = StreamOf(Open(stubs, TinySpec("mixup", 500)).feed_id(), 32);
  open.mutable_format()->set_type(v1::FLOAT32);
  StreamCall stalled(stubs, open);
  AwaitMadeAndFreed(stubs);
  ExpectStatus(stalled.Finish(), StatusCode::DEADLINE_EXCEEDED, "the server's idle limit");
}

TEST(BatchStreamLimitsTest, AnswerThatIsNotTakenGivesItsSlotBack) {
  TestServer server([](ServerOptions* options) { options->idle_limit_ms = kIdleLimitMs; });
  const Stubs stubs(server.address());
  v1::GetBatchRequest request;
  request.set_feed_id(Open(stubs, TinySpec("mixup", 500)).feed_id());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // else gRPC takes in all of it, unasked
  const auto stub = v1::FeedService::NewStub(
      grpc::CreateCustomChannel(server.address(), grpc::InsecureChannelCredentials(), arguments));
  const auto call = stub->AsyncGetBatch(&context, request, &queue);
  void* tag = nullptr;
  bool ok = false;
  call->ReadInitialMetadata(nullptr);  // but not the batch
  ASSERT_TRUE(queue.Next(&tag, &ok));
  AwaitMadeAndFreed(stubs);
  v1::Batch batch;
  grpc::Status status;
  call->Finish(&batch, &status, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  ExpectStatus(status, StatusCode::DEADLINE_EXCEEDED, "did not take its batch for 2000 ms");
}

TEST(BatchStreamLimitsTest, SlotsPromisedToOthersAreRefused) {
  TestServer server([](ServerOptions* options) { options->max_slot_bytes = 1 << 20; });
  const Stubs stubs(server.address());
  const std::string id = Open(stubs, TinySpec("mixup", 64)).feed_id();  // 0.2 MiB a batch
  v1::OpenStream open = StreamOf(id, 2);
  open.set_prefetch(1);
  StreamCall first(stubs, open);
  v1::Batch batch;
  ASSERT_TRUE(first.Read(&batch));
  StreamCall second(stubs, open);
  ExpectStatus(second.Finish(), StatusCode::RESOURCE_EXHAUSTED);
  first.Cancel();
}

}  // namespace
}  // namespace mixfeed
