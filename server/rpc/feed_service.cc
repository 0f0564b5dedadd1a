#include <grpcpp/grpcpp.h>

#include <utility>

#include "mixfeed/v1/feed.grpc.pb.h"
#include "server/rpc/answer.h"
#include "server/rpc/batch_call.h"
#include "server/rpc/batch_stream.h"
#include "server/rpc/services.h"

namespace mixfeed {
namespace {

// Batches go out as the bytes they are kept in, so these methods are raw.
using RawMethods =
    v1::FeedService::WithRawCallbackMethod_GetBatch<v1::FeedService::WithRawCallbackMethod_GetViews<
        v1::FeedService::WithRawCallbackMethod_StreamBatches<v1::FeedService::Service>>>;
using FeedMethods =
    v1::FeedService::WithCallbackMethod_OpenFeed<v1::FeedService::WithCallbackMethod_ForkRun<
        v1::FeedService::WithCallbackMethod_CloseFeed<RawMethods>>>;

class FeedService final : public FeedMethods {
 public:
  FeedService(const FeedCalls* calls, FeedEngine* engine, int64_t idle_limit_ms,
              const CallPools& pools)
      : calls_(calls), engine_(engine), idle_limit_ms_(idle_limit_ms), pools_(pools) {}

  grpc::ServerUnaryReactor* OpenFeed(grpc::CallbackServerContext* context,
                                     const v1::OpenFeedRequest* request,
                                     v1::OpenFeedResponse* response) override {
    return AnswerLater(context, pools_.builds,
                       [=, this] { return Put(calls_->OpenFeed(*request), response); });
  }

  grpc::ServerUnaryReactor* ForkRun(grpc::CallbackServerContext* context,
                                    const v1::ForkRunRequest* request,
                                    v1::OpenFeedResponse* response) override {
    return AnswerLater(context, pools_.builds,
                       [=, this] { return Put(calls_->ForkRun(*request), response); });
  }

  grpc::ServerUnaryReactor* CloseFeed(grpc::CallbackServerContext* context,
                                      const v1::CloseFeedRequest* request,
                                      v1::CloseFeedResponse* response) override {
    return AnswerLater(context, pools_.lookups,
                       [=, this] { return Put(calls_->CloseFeed(*request), response); });
  }

  grpc::ServerUnaryReactor* GetBatch(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override {
    return StartBatchCall(*calls_, engine_, idle_limit_ms_, context, *request, response);
  }

  grpc::ServerUnaryReactor* GetViews(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override {
    return StartViewsCall(*calls_, engine_, idle_limit_ms_, context, *request, response);
  }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamBatches(
      grpc::CallbackServerContext* context) override {
    return StartBatchStream(calls_, engine_, idle_limit_ms_, context);
  }

 private:
  const FeedCalls* const calls_;
  FeedEngine* const engine_;
  const int64_t idle_limit_ms_;
  const CallPools pools_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeFeedService(const FeedCalls* calls, FeedEngine* engine,
                                               int64_t idle_limit_ms, const CallPools& pools) {
  return std::make_unique<FeedService>(calls, engine, idle_limit_ms, pools);
}

}  // namespace mixfeed
