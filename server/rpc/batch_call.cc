#include "server/rpc/batch_call.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "augment/base/mutex.h"
#include "augment/base/status_macros.h"
#include "server/rpc/answer.h"
#include "server/rpc/grpc_status.h"
#include "server/rpc/parse.h"
#include "server/rpc/wire_frame.h"

namespace mixfeed {
namespace {

absl::StatusOr<BatchWish> ReadWish(const FeedCalls& calls, const grpc::ByteBuffer& bytes) {
  v1::GetBatchRequest request;
  MIXFEED_RETURN_IF_ERROR(ParseRequest(bytes, &request));
  return calls.ReadGetBatch(request);
}

// Shared by gRPC, until OnDone, and by the engine, until it has called back.
class BatchCall final : public grpc::ServerUnaryReactor {
 public:
  explicit BatchCall(grpc::ByteBuffer* response) : response_(response) {}

  static grpc::ServerUnaryReactor* Start(const BatchWish& wish, FeedEngine* engine,
                                         grpc::ByteBuffer* response) {
    auto call = std::make_shared<BatchCall>(response);
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
    Drop();
    const std::shared_ptr<BatchCall> last = std::move(self_);
  }

 private:
  void Answer(absl::StatusOr<FramePtr> frame) {
    if (frame.ok()) *response_ = BytesOf(**frame);
    Finish(ToGrpc(frame.status()));
  }

  // Outside the lock, since it may make the engine answer.
  void Drop() {
    std::unique_ptr<PendingCall> dropped;
    MutexLock lock(&mu_);
    dropped.swap(pending_);
  }

  grpc::ByteBuffer* const response_;
  std::shared_ptr<BatchCall> self_;

  Mutex mu_;
  std::unique_ptr<PendingCall> pending_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

grpc::ServerUnaryReactor* StartBatchCall(const FeedCalls& calls, FeedEngine* engine,
                                         grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer* response) {
  const absl::StatusOr<BatchWish> wish = ReadWish(calls, request);
  if (!wish.ok()) return AnswerNow(context, wish.status());
  return BatchCall::Start(*wish, engine, response);
}

}  // namespace mixfeed
