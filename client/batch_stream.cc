#include "client/batch_stream.h"

#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "client/cancellation.h"
#include "client/consumer_steps.h"
#include "client/received_batch.h"
#include "client/retry.h"
#include "client/stream_call.h"

namespace mixfeed {
namespace {

// A call and what Cancel does to it.
struct LiveCall {
  LiveCall(std::shared_ptr<Channel> channel, const v1::OpenStream& open, Cancellation* cancellation)
      : call(std::move(channel), open), scope(cancellation, [this] { call.Cancel(); }) {}

  StreamCall call;
  const Cancellation::Scope scope;
};

class BatchStreamImpl final : public BatchStream {
 public:
  BatchStreamImpl(std::shared_ptr<FeedHandle> feed, const StreamOptions& options)
      : feed_(std::move(feed)), options_(options), steps_(StepsOf(options)) {
    Connect();
  }

  absl::StatusOr<ReceivedBatch> Next() override {
    MIXFEED_RETURN_IF_ERROR(end_);
    ReceivedBatch batch;
    const CallKind kind = delivered_ ? CallKind::kStream : CallKind::kNewStream;
    end_ = Retry({kind, feed_->channel()->options().connect_deadline_ms, &cancel_},
                 [this, &batch] { return TryNext(&batch); });
    if (end_.ok()) return batch;
    live_.reset();
    return end_;
  }

  void Cancel() override { cancel_.Cancel(); }

  int64_t reconnects() const override { return reconnects_; }

 private:
  void Connect() {
    v1::OpenStream open;
    open.set_feed_id(feed_->id());
    open.set_from_step(steps_.next);
    open.set_rank(options_.rank);
    open.set_world(options_.world);
    open.set_sharing(options_.sharing);
    *open.mutable_format() = options_.format;
    open.set_credits(options_.prefetch);
    open.set_prefetch(options_.server_prefetch);
    open.set_repeat(options_.repeat);
    taken_ = 0;
    live_.emplace(feed_->channel(), open, &cancel_);
  }

  // The next batch from the live call, or from a new one when the last attempt lost it.
  absl::Status TryNext(ReceivedBatch* batch) {
    if (cancel_.cancelled()) return absl::CancelledError("the stream was cancelled");
    if (!live_.has_value()) {
      ++reconnects_;
      Connect();
    }
    grpc::ByteBuffer frame;
    if (live_->call.Next(&frame)) return Take(frame, batch);
    const absl::Status status = live_->call.status();
    live_.reset();
    return Explain(status);
  }

  absl::Status Take(const grpc::ByteBuffer& frame, ReceivedBatch* batch) {
    MIXFEED_ASSIGN_OR_RETURN(*batch, DecodeBatch(frame, feed_->buffers()));
    if (batch->header().step() != steps_.next) {
      return absl::InternalError(absl::StrCat("the server sent step ", batch->header().step(),
                                              " where step ", steps_.next, " was due"));
    }
    steps_.next += steps_.stride;
    delivered_ = true;
    GrantTaken();
    return absl::OkStatus();
  }

  // Half a window at a time: few messages, and the server always has the other half to go on with.
  void GrantTaken() {
    if (++taken_ < (options_.prefetch + 1) / 2) return;
    live_->call.Grant(std::exchange(taken_, 0));
  }

  // What the end of a call means to the stream.
  absl::Status Explain(const absl::Status& status) {
    if (status.ok()) {
      const v1::OpenFeedResponse& info = feed_->info();
      if (info.has_steps() && steps_.next >= info.steps()) {
        return absl::OutOfRangeError(absl::StrCat("the feed ends after step ", info.steps() - 1));
      }
      return absl::UnavailableError("the server ended the stream early");
    }
    if (absl::IsNotFound(status)) {
      CallOptions call = feed_->channel()->BeginCall();
      call.retry = false;  // Next tries again itself
      call.cancellation = &cancel_;
      MIXFEED_RETURN_IF_ERROR(feed_->Reopen(call));
      return absl::UnavailableError("the server had forgotten the feed; it was opened again");
    }
    return status;
  }

  const std::shared_ptr<FeedHandle> feed_;
  const StreamOptions options_;

  Cancellation cancel_;
  std::atomic<int64_t> reconnects_ = 0;

  // Of the thread that calls Next:
  ConsumerSteps steps_;
  std::optional<LiveCall> live_;
  uint32_t taken_ = 0;      // batches handed out and not yet granted again
  bool delivered_ = false;  // a batch has come
  absl::Status end_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BatchStream>> OpenBatchStream(std::shared_ptr<FeedHandle> feed,
                                                             const StreamOptions& options) {
  if (options.prefetch == 0) {
    return absl::InvalidArgumentError("prefetch: 0 given, at least 1 needed");
  }
  MIXFEED_RETURN_IF_ERROR(CheckRank(options));
  return std::make_unique<BatchStreamImpl>(std::move(feed), options);
}

}  // namespace mixfeed
