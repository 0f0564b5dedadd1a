#include <grpcpp/grpcpp.h>

#include <memory>

#include "mixfeed/v1/inspect.grpc.pb.h"
#include "server/core/recipe_calls.h"
#include "server/rpc/answer.h"
#include "server/rpc/services.h"

namespace mixfeed {
namespace {

class InspectService final : public v1::InspectService::CallbackService {
 public:
  InspectService(const InspectCalls* calls, const CallPools& pools)
      : calls_(calls), pools_(pools) {}

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* /*request*/,
                                          v1::GetServerInfoResponse* response) override {
    *response = calls_->GetServerInfo();
    return AnswerNow(context, absl::OkStatus());
  }

  grpc::ServerUnaryReactor* ListFeeds(grpc::CallbackServerContext* context,
                                      const v1::ListFeedsRequest* /*request*/,
                                      v1::ListFeedsResponse* response) override {
    return AnswerLater(context, pools_.lookups, [=, this] {
      *response = calls_->ListFeeds();
      return absl::OkStatus();
    });
  }

  grpc::ServerUnaryReactor* GetPlan(grpc::CallbackServerContext* context,
                                    const v1::GetPlanRequest* request,
                                    v1::GetPlanResponse* response) override {
    return AnswerLater(context, pools_.lookups,
                       [=, this] { return Put(calls_->GetPlan(*request), response); });
  }

  grpc::ServerUnaryReactor* RenderContactSheet(grpc::CallbackServerContext* context,
                                               const v1::RenderContactSheetRequest* request,
                                               v1::RenderContactSheetResponse* response) override {
    return AnswerLater(context, pools_.builds,
                       [=, this] { return Put(calls_->RenderContactSheet(*request), response); });
  }

  grpc::ServerUnaryReactor* MeasureForward(grpc::CallbackServerContext* context,
                                           const v1::MeasureForwardRequest* request,
                                           v1::MeasureForwardResponse* response) override {
    return AnswerLater(context, pools_.measurements, [=, this] {
      const auto stop = [context] { return context->IsCancelled(); };
      return Put(calls_->MeasureForward(*request, stop), response);
    });
  }

  grpc::ServerUnaryReactor* GetGuessStats(grpc::CallbackServerContext* context,
                                          const v1::GetGuessStatsRequest* request,
                                          v1::GetGuessStatsResponse* response) override {
    // Without a model's passes it is a lookup.
    TaskPool* const pool = request->validate() > 0 ? pools_.measurements : pools_.lookups;
    return AnswerLater(context, pool, [=, this] {
      const auto stop = [context] { return context->IsCancelled(); };
      return Put(calls_->GetGuessStats(*request, stop), response);
    });
  }

  grpc::ServerUnaryReactor* GetSplit(grpc::CallbackServerContext* context,
                                     const v1::GetSplitRequest* request,
                                     v1::GetSplitResponse* response) override {
    return AnswerLater(context, pools_.lookups,
                       [=, this] { return Put(calls_->GetSplit(*request), response); });
  }

  grpc::ServerUnaryReactor* ListRecipes(grpc::CallbackServerContext* context,
                                        const v1::ListRecipesRequest* request,
                                        v1::ListRecipesResponse* response) override {
    return AnswerLater(context, pools_.lookups,
                       [=] { return Put(mixfeed::ListRecipes(*request), response); });
  }

 private:
  const InspectCalls* const calls_;
  const CallPools pools_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeInspectService(const InspectCalls* calls,
                                                  const CallPools& pools) {
  return std::make_unique<InspectService>(calls, pools);
}

}  // namespace mixfeed
