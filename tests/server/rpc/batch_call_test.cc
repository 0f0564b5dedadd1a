#include "server/rpc/batch_call.h"

#include <memory>
#include <string>
#include <thread>

#include "server/core/core.h"
#include "server/rpc/wire_frame.h"
#include "tests/augment/batch/feed_kit.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/eventually.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;

constexpr int64_t kIdleLimitMs = 3'600'000;

// Answers GetBatch with the batches of a core, as FeedService does.
class BatchService final
    : public v1::FeedService::WithRawCallbackMethod_GetBatch<v1::FeedService::Service> {
 public:
  explicit BatchService(const Core* core) : calls_(core), engine_(core->engine()) {}

  grpc::ServerUnaryReactor* GetBatch(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override {
    return StartBatchCall(calls_, engine_, kIdleLimitMs, context, *request, response);
  }

 private:
  const FeedCalls calls_;
  FeedEngine* const engine_;
};

// The batches of the core pass a gate before they are encoded.
class BatchCallTest : public ::testing::Test {
 protected:
  BatchCallTest() {
    ServerOptions options = *files_.options();
    options.state_dir.clear();
    const EncodeFrame encode = [this, wire = MakeWireEncoder()](
                                   const std::string& feed_id, std::shared_ptr<const Batch> batch) {
      gate_.Pass();
      return wire(feed_id, std::move(batch));
    };
    core_ = *Core::Start(options, encode);
    feed_id_ = (*core_->feeds()->Open(TinySpec("mixup"), "r"))->id;
    service_ = std::make_unique<BatchService>(core_.get());
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stubs_ = std::make_unique<Stubs>("127.0.0.1:" + std::to_string(port));
  }
  ~BatchCallTest() override { gate_.Open(); }

  int64_t PendingCalls() const { return core_->engine()->stats().pending_calls; }

  const TestServer files_;  // for its dataset
  Gate gate_;
  std::unique_ptr<Core> core_;
  std::string feed_id_;
  std::unique_ptr<BatchService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Stubs> stubs_;
};

TEST_F(BatchCallTest, AnswersWithTheBatch) {
  EXPECT_EQ(GetBatch(*stubs_, feed_id_, 3).header().step(), 3u);
}

TEST_F(BatchCallTest, CancelledCallIsDroppedWhileItsBatchIsMade) {
  gate_.Close();
  grpc::ClientContext context;
  std::thread client([&] {
    v1::GetBatchRequest request;
    request.set_feed_id(feed_id_);
    v1::Batch batch;
    EXPECT_EQ(stubs_->feeds->GetBatch(&context, request, &batch).error_code(),
              StatusCode::CANCELLED);
  });
  gate_.AwaitWaiting(1);
  EXPECT_EQ(PendingCalls(), 1);
  context.TryCancel();
  client.join();
  EXPECT_TRUE(Eventually([this] { return PendingCalls() == 0; }));
}

}  // namespace
}  // namespace mixfeed
