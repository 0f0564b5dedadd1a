#include "server/rpc/batch_call.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/mutex.h"
#include "augment/base/status_macros.h"
#include "server/rpc/answer.h"
#include "server/rpc/call_ref.h"
#include "server/rpc/grpc_status.h"
#include "server/rpc/parse.h"
#include "server/rpc/wire_frame.h"

namespace mixfeed {
namespace {

template <typename Request>
using ReadWish = absl::StatusOr<BatchWish> (FeedCalls::*)(const Request&) const;

template <typename Request>
absl::StatusOr<BatchWish> Parse(const FeedCalls& calls, const grpc::ByteBuffer& bytes,
                                ReadWish<Request> read) {
  Request request;
  MIXFEED_RETURN_IF_ERROR(ParseRequest(bytes, &request));
  return (calls.*read)(request);
}

// Shared by gRPC, until OnDone, and by the engine, until it has called back.
class BatchCall final : public grpc::ServerUnaryReactor {
 public:
  BatchCall(int64_t idle_limit_ms, grpc::CallbackServerContext* context, grpc::ByteBuffer* response)
      : idle_limit_ms_(idle_limit_ms), transport_(context), response_(response) {}

  static grpc::ServerUnaryReactor* Start(const absl::StatusOr<BatchWish>& read, FeedEngine* engine,
                                         int64_t idle_limit_ms,
                                         grpc::CallbackServerContext* context,
                                         grpc::ByteBuffer* response) {
    if (!read.ok()) return AnswerNow(context, read.status());
    const BatchWish& wish = *read;
    auto call = std::make_shared<BatchCall>(idle_limit_ms, context, response);
    call->self_ = call;
    // No reaction runs before the reactor was returned to gRPC, so `pending_` is set by then.
    auto pending = engine->GetBatch(
        wish.feed_id, wish.step, wish.format, wish.share,
        [call](absl::StatusOr<FramePtr> frame) { call->Answer(std::move(frame)); });
    MutexLock lock(&call->mu_);
    call->pending_ = std::move(pending);
    return call.get();
  }

  void OnCancel() override { Drop(); }

  void OnDone() override {
    patience_.Cancel();
    Drop();
    const std::shared_ptr<BatchCall> last = std::move(self_);
  }

 private:
  void Answer(absl::StatusOr<FramePtr> frame) {
    if (frame.ok()) {
      *response_ = BytesOf(**frame);
      LimitTaking();
    }
    Finish(ToGrpc(frame.status()));
  }

  // A client that does not take its batch keeps the slot only for so long.
  void LimitTaking() {
    const auto deadline =
        std::chrono::system_clock::now() + std::chrono::milliseconds(idle_limit_ms_);
    patience_.Set(deadline, [call = transport_, ms = idle_limit_ms_](bool expired) {
      if (!expired) return;
      call.End(absl::DeadlineExceededError(absl::StrCat("the client did not take its batch for ",
                                                        ms, " ms, the server's idle limit")));
    });
  }

  // Outside the lock, since it may make the engine answer.
  void Drop() {
    std::unique_ptr<PendingCall> dropped;
    MutexLock lock(&mu_);
    dropped.swap(pending_);
  }

  const int64_t idle_limit_ms_;
  const CallRef transport_;
  grpc::ByteBuffer* const response_;
  grpc::Alarm patience_;  // set at most once
  std::shared_ptr<BatchCall> self_;

  Mutex mu_;
  std::unique_ptr<PendingCall> pending_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

grpc::ServerUnaryReactor* StartBatchCall(const FeedCalls& calls, FeedEngine* engine,
                                         int64_t idle_limit_ms,
                                         grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer* response) {
  const auto wish = Parse<v1::GetBatchRequest>(calls, request, &FeedCalls::ReadGetBatch);
  return BatchCall::Start(wish, engine, idle_limit_ms, context, response);
}

grpc::ServerUnaryReactor* StartViewsCall(const FeedCalls& calls, FeedEngine* engine,
                                         int64_t idle_limit_ms,
                                         grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer* response) {
  const auto wish = Parse<v1::GetViewsRequest>(calls, request, &FeedCalls::ReadGetViews);
  return BatchCall::Start(wish, engine, idle_limit_ms, context, response);
}

}  // namespace mixfeed
