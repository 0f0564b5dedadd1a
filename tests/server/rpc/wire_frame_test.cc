#include "server/rpc/wire_frame.h"

#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <utility>
#include <vector>

#include "augment/render/cpu_renderer.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/allocation_counter.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests

// A batch of two 1 x 8 x 8 images with 64 classes, in a slot of `pool`.
std::shared_ptr<Batch> MakeBatch(SlotPool* pool) {
  auto batch = std::make_shared<Batch>();
  batch->shape = {.channels = 1, .height = 8, .width = 8};
  batch->format.type = PixelType::kUint8;
  batch->classes = 64;
  batch->row_index = {0, 1};
  batch->rows.resize(2);
  batch->partner = {0, 1};
  batch->lambda = {1, 1};
  batch->slot = *pool->Acquire(1024);
  batch->pixels = {batch->slot->data(), 128};
  batch->targets = {reinterpret_cast<const float*>(batch->slot->data() + 128), 128};
  return batch;
}

class WireFrameTest : public ::testing::Test {
 protected:
  ThreadPool threads_{1};
  const std::unique_ptr<Renderer> renderer_ = MakeCpuRenderer(&threads_);
  SlotPool slots_{renderer_.get(), 1 << 20};
  const EncodeFrame encode_ = MakeWireEncoder();
};

TEST_F(WireFrameTest, BulkIsSentFromTheSlotsMemory) {
  const std::shared_ptr<Batch> batch = MakeBatch(&slots_);
  const absl::StatusOr<FramePtr> frame = encode_("id", batch);
  ASSERT_TRUE(frame.ok()) << frame.status();
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(BytesOf(**frame).Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 4u);
  EXPECT_EQ(static_cast<const void*>(slices[1].begin()), batch->slot->data());
  EXPECT_EQ(static_cast<const void*>(slices[3].begin()), batch->slot->data() + 128);
}

TEST_F(WireFrameTest, SoIsTheBulkOfViews) {
  const std::shared_ptr<Batch> batch = MakeBatch(&slots_);
  BatchViews& views = batch->views.emplace();
  views.images = batch->rows;
  views.guess = {-1, -1};
  views.labelled_rows = 2;
  const absl::StatusOr<FramePtr> frame = encode_("id", batch);
  ASSERT_TRUE(frame.ok()) << frame.status();
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(BytesOf(**frame).Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 4u);
  EXPECT_EQ(static_cast<const void*>(slices[1].begin()), batch->slot->data());
  EXPECT_EQ(static_cast<const void*>(slices[3].begin()), batch->slot->data() + 128);
}

TEST_F(WireFrameTest, SlotReturnsWhenTheLastSliceIsGone) {
  FramePtr frame = *encode_("id", MakeBatch(&slots_));
  grpc::ByteBuffer in_transport = BytesOf(*frame);
  frame.reset();
  EXPECT_EQ(slots_.live_slots(), 1);
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(in_transport.Dump(&slices).ok());
  in_transport.Clear();
  slices.resize(2);
  EXPECT_EQ(slots_.live_slots(), 1);
  slices.clear();
  EXPECT_EQ(slots_.live_slots(), 0);
}

// Reads raw messages, so that nothing but gRPC allocates on the client's side.
class RawStream {
 public:
  RawStream(const Stubs& stubs, const v1::OpenStream& open) : stub_(stubs.channel) {
    SetLimit(&context_);
    call_ = stub_.PrepareCall(&context_, "/mixfeed.v1.FeedService/StreamBatches", &queue_);
    call_->StartCall(nullptr);
    Wait();
    v1::StreamBatchesRequest request;
    *request.mutable_open() = open;
    Write(request);
  }
  ~RawStream() {
    context_.TryCancel();
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Wait();
  }

  void Grant(uint32_t count) {
    v1::StreamBatchesRequest request;
    request.mutable_credits()->set_count(count);
    Write(request);
  }
  size_t Read() {
    grpc::ByteBuffer message;
    call_->Read(&message, nullptr);
    return Wait() ? message.Length() : 0;
  }

 private:
  void Write(const v1::StreamBatchesRequest& request) {
    const grpc::Slice slice(request.SerializeAsString());
    call_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    Wait();
  }
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// Server and client share this process: what a batch allocates is the client's receive buffers and,
// if anything were copied on the way out, those copies.
TEST(WireAllocationTest, StreamingABatchAllocatesItOnceOnTheReceivingSideOnly) {
  TestServer server;
  const Stubs stubs(server.address());
  v1::OpenStream open = StreamOf(Open(stubs, TinySpec("mixup", 256)).feed_id(), 4);
  open.mutable_format()->set_type(v1::FLOAT32);
  RawStream stream(stubs, open);
  constexpr int kWarmUp = 8;
  constexpr int kBatches = 40;
  for (int i = 0; i < kWarmUp; ++i) {
    stream.Read();
    stream.Grant(1);
  }
  const int64_t before = AllocatedBytes();
  int64_t received = 0;
  for (int i = 0; i < kBatches; ++i) {
    received += static_cast<int64_t>(stream.Read());
    stream.Grant(1);
  }
  ASSERT_GT(received, kBatches * int64_t{256} * 3 * 32 * 32 * 4);
  EXPECT_LT(static_cast<double>(AllocatedBytes() - before), 1.5 * static_cast<double>(received));
}

}  // namespace
}  // namespace mixfeed
