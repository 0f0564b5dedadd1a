#include "server/rpc/answer.h"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tests/augment/batch/feed_kit.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/eventually.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;

// Answers GetPlan on a pool of one thread, which a gate holds up, and which one call may wait for.
class GatedService final
    : public v1::InspectService::WithCallbackMethod_GetPlan<v1::InspectService::Service> {
 public:
  ~GatedService() override { pool_.reset(); }

  grpc::ServerUnaryReactor* GetPlan(grpc::CallbackServerContext* context,
                                    const v1::GetPlanRequest* request,
                                    v1::GetPlanResponse* response) override {
    grpc::ServerUnaryReactor* const reactor =
        AnswerLater(context, &*pool_, [this, request, response] {
          ++begun_;
          gate_.Pass();
          response->set_step(request->step());
          return absl::OkStatus();
        });
    if (request->step() == kWatchedStep) watched_ = context;
    return reactor;
  }

  static constexpr uint64_t kWatchedStep = 7;

  Gate& gate() { return gate_; }
  int begun() const { return begun_; }
  // Whether the call for kWatchedStep waits for the pool, and is cancelled. While the gate is
  // closed.
  bool WatchedIsHere() const { return watched_ != nullptr; }
  bool WatchedIsCancelled() const { return watched_.load()->IsCancelled(); }
  // Runs what waits.
  void Drain() { pool_.reset(); }

 private:
  Gate gate_;
  std::atomic<int> begun_ = 0;
  std::atomic<grpc::CallbackServerContext*> watched_ = nullptr;
  std::optional<TaskPool> pool_{std::in_place, 1, 1};
};

class AnswerLaterTest : public ::testing::Test {
 protected:
  AnswerLaterTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stubs_ = std::make_unique<Stubs>("127.0.0.1:" + std::to_string(port));
  }

  grpc::Status GetPlan(grpc::ClientContext* context, uint64_t step) {
    v1::GetPlanRequest request;
    request.set_step(step);
    v1::GetPlanResponse response;
    return stubs_->inspect->GetPlan(context, request, &response);
  }

  // A call that is being answered, and waits at the gate until that is opened.
  std::thread HoldUpThePool() {
    service_.gate().Close();
    std::thread call([this] {
      grpc::ClientContext context;
      EXPECT_TRUE(GetPlan(&context, 0).ok());
    });
    service_.gate().AwaitWaiting(1);
    return call;
  }

  GatedService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Stubs> stubs_;
};

TEST_F(AnswerLaterTest, CallThatWasCancelledWhileItWaitedIsNotBegun) {
  std::thread first = HoldUpThePool();
  grpc::ClientContext context;
  std::thread second([&] {
    EXPECT_EQ(GetPlan(&context, GatedService::kWatchedStep).error_code(), StatusCode::CANCELLED);
  });
  EXPECT_TRUE(Eventually([&] { return service_.WatchedIsHere(); }));
  context.TryCancel();
  EXPECT_TRUE(Eventually([&] { return service_.WatchedIsCancelled(); }));
  second.join();
  service_.gate().Open();
  first.join();
  service_.Drain();
  EXPECT_EQ(service_.begun(), 1);
}

TEST_F(AnswerLaterTest, CallThatExpiredWhileItWaitedIsNotBegun) {
  std::thread first = HoldUpThePool();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
  EXPECT_EQ(GetPlan(&context, GatedService::kWatchedStep).error_code(),
            StatusCode::DEADLINE_EXCEEDED);
  // The server's clock of the call runs on its own.
  EXPECT_TRUE(
      Eventually([&] { return service_.WatchedIsHere() && service_.WatchedIsCancelled(); }));
  service_.gate().Open();
  first.join();
  service_.Drain();
  EXPECT_EQ(service_.begun(), 1);
}

TEST_F(AnswerLaterTest, CallsBeyondThoseThatMayWaitAreRefused) {
  std::thread first = HoldUpThePool();
  std::thread second([this] {
    grpc::ClientContext context;
    EXPECT_TRUE(GetPlan(&context, GatedService::kWatchedStep).ok());
  });
  EXPECT_TRUE(Eventually([&] { return service_.WatchedIsHere(); }));
  grpc::ClientContext context;
  ExpectStatus(GetPlan(&context, 1), StatusCode::RESOURCE_EXHAUSTED, "the server is busy: 1 calls");
  service_.gate().Open();
  first.join();
  second.join();
}

}  // namespace
}  // namespace mixfeed
