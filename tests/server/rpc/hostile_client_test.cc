#include <grpcpp/generic/generic_stub.h>

#include <random>
#include <string>
#include <vector>

#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/eventually.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;

constexpr int kRounds = Rounds(300);
constexpr char kGetBatch[] = "/mixfeed.v1.FeedService/GetBatch";
constexpr char kStreamBatches[] = "/mixfeed.v1.FeedService/StreamBatches";

class HostileClientTest : public ::testing::Test {
 protected:
  // One call with a message of these bytes, of any method.
  grpc::Status Send(const std::string& method, const std::string& bytes) {
    grpc::GenericStub stub(stubs_.channel);
    grpc::ClientContext context;
    SetLimit(&context);
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, method, &queue);
    call->StartCall(nullptr);
    Wait(&queue);
    const grpc::Slice slice(bytes);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
    Wait(&queue);
    grpc::ByteBuffer message;
    do {
      call->Read(&message, nullptr);
    } while (Wait(&queue));
    grpc::Status status;
    call->Finish(&status, nullptr);
    Wait(&queue);
    return status;
  }

  static bool Wait(grpc::CompletionQueue* queue) {
    void* tag = nullptr;
    bool ok = false;
    return queue->Next(&tag, &ok) && ok;
  }

  std::string RandomBytes(size_t most) {
    std::string bytes(random_() % (most + 1), '\0');
    for (char& c : bytes) c = static_cast<char>(random_());
    return bytes;
  }

  // `bytes` with a few of them changed, cut or doubled.
  std::string Damage(std::string bytes) {
    for (uint32_t i = 0; i <= random_() % 3; ++i) {
      bytes[random_() % bytes.size()] = static_cast<char>(random_());
    }
    if (random_() % 3 == 0) bytes.resize(random_() % bytes.size() + 1);
    if (random_() % 5 == 0) bytes += bytes;
    return bytes;
  }

  void ExpectAlive() {
    EXPECT_EQ(GetBatch(stubs_, id_, 0).header().rows(), 8u);
    EXPECT_TRUE(Eventually([this] {
      const v1::GetServerInfoResponse info = Info(stubs_);
      return info.consumers() == 0 && info.live_frames() == 0;
    }));
  }

  TestServer server_;
  const Stubs stubs_{server_.address()};
  const std::string id_ = Open(stubs_, TinySpec("mixup")).feed_id();
  std::mt19937 random_{17};
};

TEST_F(HostileClientTest, BytesThatAreNoMessageAreRefused) {
  for (const char* method : {kGetBatch, kStreamBatches}) {
    ExpectStatus(Send(method, "\xff\xff\xff"), StatusCode::INVALID_ARGUMENT, "is no mixfeed.v1.");
  }
  ExpectAlive();
}

TEST_F(HostileClientTest, EmptyMessagesAreRefusedForWhatTheyLack) {
  EXPECT_EQ(Send(kGetBatch, "").error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Send(kStreamBatches, "").error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(HostileClientTest, RandomBytesNeverEndTheServer) {
  for (int i = 0; i < kRounds; ++i) {
    for (const char* method :
         {kGetBatch, kStreamBatches, "/mixfeed.v1.FeedService/OpenFeed",
          "/mixfeed.v1.ModelService/RegisterModel", "/mixfeed.v1.InspectService/GetPlan"}) {
      Send(method, RandomBytes(60));
    }
  }
  ExpectAlive();
}

TEST_F(HostileClientTest, DamagedRequestsNeverEndTheServer) {
  v1::GetBatchRequest get;
  get.set_feed_id(id_);
  get.set_step(3);
  get.mutable_format()->set_type(v1::FLOAT16);
  get.mutable_share()->set_world(2);
  v1::StreamBatchesRequest stream;
  *stream.mutable_open() = StreamOf(id_, 3);
  stream.mutable_open()->set_from_step(9);
  v1::OpenFeedRequest open;
  *open.mutable_spec() = TinySpec("supervised");
  open.mutable_spec()->mutable_recipe()->mutable_view()->set_pad(2);
  open.set_run("run");
  const std::pair<const char*, std::string> requests[] = {
      {kGetBatch, get.SerializeAsString()},
      {kStreamBatches, stream.SerializeAsString()},
      {"/mixfeed.v1.FeedService/OpenFeed", open.SerializeAsString()},
  };
  for (int i = 0; i < kRounds; ++i) {
    for (const auto& [method, bytes] : requests) Send(method, Damage(bytes));
  }
  ExpectAlive();
}

TEST_F(HostileClientTest, RequestBeyondTheLimitIsRefused) {
  v1::GetBatchRequest request;
  request.set_feed_id(std::string(9 << 20, 'x'));
  EXPECT_EQ(Send(kGetBatch, request.SerializeAsString()).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
  ExpectAlive();
}

TEST_F(HostileClientTest, LongTextDoesNotHideTheError) {
  v1::GetBatchRequest request;
  request.set_feed_id(std::string(1 << 20, '\n'));  // escaped, three bytes each
  const grpc::Status status = Send(kGetBatch, request.SerializeAsString());
  ExpectStatus(status, StatusCode::NOT_FOUND, "feed_id is ");
  EXPECT_LT(status.error_message().size(), 4096u);
}

TEST_F(HostileClientTest, UnknownMethodIsUnimplemented) {
  EXPECT_EQ(Send("/mixfeed.v1.FeedService/Nothing", "").error_code(), StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace mixfeed
