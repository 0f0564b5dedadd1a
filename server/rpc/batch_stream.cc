#include "server/rpc/batch_stream.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "augment/base/mutex.h"
#include "augment/base/status_macros.h"
#include "server/rpc/call_ref.h"
#include "server/rpc/grpc_status.h"
#include "server/rpc/parse.h"
#include "server/rpc/wire_frame.h"

namespace mixfeed {
namespace {

absl::Status NoOpen() {
  return absl::InvalidArgumentError("kind: allowed as the first message of a stream: open");
}

// Three parties touch a stream: gRPC's reactions, the engine's sink calls and the linger alarm. The
// state is behind mu_; gRPC and the engine are called outside of it. Shared by gRPC, until OnDone,
// and the engine, until it has let go of the sink.
class StreamReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                            public BatchSink,
                            public std::enable_shared_from_this<StreamReactor> {
 public:
  StreamReactor(const FeedCalls* calls, FeedEngine* engine, int64_t linger_ms,
                grpc::CallbackServerContext* context)
      : calls_(calls), engine_(engine), linger_ms_(linger_ms), transport_(context) {}

  void Begin() {
    self_ = shared_from_this();
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Stop(FindConsumer() == nullptr ? NoOpen() : absl::OkStatus());
    const absl::Status status = Read();
    if (!status.ok()) return Stop(status);
    StartRead(&request_);
  }

  void OnWriteDone(bool ok) override {
    FramePtr sent;
    Consumer* consumer = nullptr;
    {
      MutexLock lock(&mu_);
      sent.swap(writing_);
      consumer = consumer_.get();
      if (consumer == nullptr) ++taken_early_;
    }
    if (!ok) return Stop(absl::CancelledError("the client is gone"));
    if (consumer != nullptr) consumer->FrameTaken();
    Advance();
  }

  void OnCancel() override { Stop(absl::CancelledError("the client cancelled")); }

  void OnDone() override {
    std::unique_ptr<Consumer> consumer;
    std::deque<FramePtr> unsent;
    {
      MutexLock lock(&mu_);
      consumer.swap(consumer_);
      unsent.swap(unsent_);
    }
    linger_.Cancel();
    consumer.reset();
    const std::shared_ptr<StreamReactor> last = std::move(self_);
  }

  void OnFrame(FramePtr frame) override {
    {
      MutexLock lock(&mu_);
      if (end_) return;
      unsent_.push_back(std::move(frame));
    }
    Advance();
  }

  void OnEnd(absl::Status status) override { End(status); }

 private:
  absl::Status Read() {
    v1::StreamBatchesRequest request;
    MIXFEED_RETURN_IF_ERROR(ParseRequest(request_, &request));
    Consumer* const consumer = FindConsumer();
    if (consumer == nullptr) return Open(request);
    if (request.has_credits()) return consumer->Grant(CountFromProto(request.credits().count()));
    return absl::InvalidArgumentError("kind: allowed after the first message: credits");
  }

  absl::Status Open(const v1::StreamBatchesRequest& request) {
    if (!request.has_open()) return NoOpen();
    MIXFEED_ASSIGN_OR_RETURN(const StreamSpec spec, calls_->ReadOpenStream(request.open()));
    MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<Consumer> consumer,
                             engine_->Subscribe(spec, shared_from_this()));
    Consumer* const opened = consumer.get();
    int taken = 0;
    {
      MutexLock lock(&mu_);
      consumer_ = std::move(consumer);
      taken = std::exchange(taken_early_, 0);
    }
    for (; taken > 0; --taken) opened->FrameTaken();
    return absl::OkStatus();
  }

  Consumer* FindConsumer() {
    MutexLock lock(&mu_);
    return consumer_.get();  // stays until OnDone, which comes after all reactions
  }

  // Ends from this side: the engine is to make no more, and what is not sent is dropped.
  void Stop(const absl::Status& status) {
    if (Consumer* const consumer = FindConsumer()) consumer->Cancel();
    End(status, /*drop=*/true);
  }

  void End(const absl::Status& status) { End(status, /*drop=*/!status.ok()); }

  // The first end counts. Then the client has linger_ms to take what is left; one that is ended for
  // taking nothing has had its time.
  void End(const absl::Status& status, bool drop) {
    std::deque<FramePtr> dropped;
    bool linger = false;
    {
      MutexLock lock(&mu_);
      if (drop) dropped.swap(unsent_);
      if (!end_) {
        end_ = status;
        linger = writing_ != nullptr;
      }
    }
    if (linger) Linger(absl::IsDeadlineExceeded(status) ? 0 : linger_ms_, status);
    Advance();
  }

  // Ends the call after `ms`, over the head of the write that is under way.
  void Linger(int64_t ms, absl::Status end) {
    const auto deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(ms);
    if (end.ok()) end = absl::DeadlineExceededError("the client did not take its last batches");
    linger_.Set(deadline, [call = transport_, end](bool expired) {
      if (expired) call.End(end);
    });
  }

  // Sends the next frame or the end, unless a write is under way.
  void Advance() {
    FramePtr frame;
    absl::Status end;
    {
      MutexLock lock(&mu_);
      if (writing_ || finished_) return;
      if (!unsent_.empty()) {
        frame = writing_ = std::move(unsent_.front());
        unsent_.pop_front();
      } else if (end_) {
        finished_ = true;
        end = *end_;
      } else {
        return;
      }
    }
    if (frame) return StartWrite(&BytesOf(*frame));
    Finish(ToGrpc(end));
  }

  const FeedCalls* const calls_;
  FeedEngine* const engine_;
  const int64_t linger_ms_;
  const CallRef transport_;
  std::shared_ptr<StreamReactor> self_;
  grpc::ByteBuffer request_;  // of the one read under way
  grpc::Alarm linger_;        // set at most once

  Mutex mu_;
  std::unique_ptr<Consumer> consumer_ ABSL_GUARDED_BY(mu_);
  int taken_early_ ABSL_GUARDED_BY(mu_) = 0;          // frames sent before Subscribe returned
  std::deque<FramePtr> unsent_ ABSL_GUARDED_BY(mu_);  // bounded by the credits
  FramePtr writing_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StartBatchStream(
    const FeedCalls* calls, FeedEngine* engine, int64_t linger_ms,
    grpc::CallbackServerContext* context) {
  const auto stream = std::make_shared<StreamReactor>(calls, engine, linger_ms, context);
  stream->Begin();
  return stream.get();
}

}  // namespace mixfeed
