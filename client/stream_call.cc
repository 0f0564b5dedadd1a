#include "client/stream_call.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "augment/base/mutex.h"

namespace mixfeed {
namespace {

constexpr char kMethod[] = "/mixfeed.v1.FeedService/StreamBatches";

grpc::ByteBuffer Encode(const v1::StreamBatchesRequest& request) {
  grpc::ByteBuffer encoded;
  bool own_buffer = false;
  // Fails for messages over 2 GiB only.
  (void)grpc::GenericSerialize<grpc::ProtoBufferWriter, v1::StreamBatchesRequest>(request, &encoded,
                                                                                  &own_buffer);
  return encoded;
}

}  // namespace

class StreamCall::Reactor final
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Reactor(std::shared_ptr<Channel> channel, const v1::OpenStream& open)
      : channel_(std::move(channel)), outstanding_(open.credits()) {
    v1::StreamBatchesRequest request;
    *request.mutable_open() = open;
    sending_ = Encode(request);
    grpc::GenericStub(channel_->grpc_channel())
        .PrepareBidiStreamingCall(&context_, kMethod, grpc::StubOptions(), this);
    AddHold();  // for Grant, which writes from outside the reactions; until the reads end
    StartWrite(&sending_);
    StartRead(&receiving_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (ok && Accept()) {
      StartRead(&receiving_);
      return;
    }
    {
      MutexLock lock(&mu_);
      reads_ended_ = true;
    }
    RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(&mu_);
    writing_ = false;
    if (ok && !reads_ended_) WritePending();
  }

  void OnDone(const grpc::Status& status) override {
    MutexLock lock(&mu_);
    if (status_.ok()) status_ = FromGrpc(status);
    done_ = true;
    changed_.NotifyAll();
  }

  bool Next(grpc::ByteBuffer* frame) {
    MutexLock lock(&mu_);
    while (frames_.empty() && !done_) changed_.Wait(&mu_);
    if (frames_.empty()) return false;
    frame->Swap(&frames_.front());
    frames_.pop_front();
    return true;
  }

  void Grant(uint32_t count) {
    MutexLock lock(&mu_);
    if (reads_ended_) return;
    pending_ += count;
    outstanding_ += count;
    if (!writing_) WritePending();
  }

  void Cancel() { context_.TryCancel(); }

  void WaitUntilDone() {
    MutexLock lock(&mu_);
    while (!done_) changed_.Wait(&mu_);
  }

  absl::Status status() const {
    MutexLock lock(&mu_);
    return status_;
  }

 private:
  // Takes in what was received; false when the server had no credit for it.
  bool Accept() {
    MutexLock lock(&mu_);
    if (outstanding_ == 0) {
      status_ = absl::InternalError("the server sent more batches than it was granted");
      context_.TryCancel();
      return false;
    }
    --outstanding_;
    frames_.emplace_back();
    frames_.back().Swap(&receiving_);
    changed_.NotifyAll();
    return true;
  }

  void WritePending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (pending_ == 0) return;
    v1::StreamBatchesRequest request;
    request.mutable_credits()->set_count(std::exchange(pending_, 0));
    sending_ = Encode(request);
    writing_ = true;
    StartWrite(&sending_);
  }

  const std::shared_ptr<Channel> channel_;
  grpc::ClientContext context_;  // no deadline: a stream lives as long as a training
  grpc::ByteBuffer receiving_;   // the transport's while a read is under way

  mutable Mutex mu_;
  CondVar changed_;
  std::deque<grpc::ByteBuffer> frames_ ABSL_GUARDED_BY(mu_);  // at most the credits granted
  grpc::ByteBuffer sending_;                                  // the transport's while writing_
  bool writing_ ABSL_GUARDED_BY(mu_) = true;
  uint32_t pending_ ABSL_GUARDED_BY(mu_) = 0;      // granted by the caller, not yet sent
  uint64_t outstanding_ ABSL_GUARDED_BY(mu_) = 0;  // frames that may still come
  bool reads_ended_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

StreamCall::StreamCall(std::shared_ptr<Channel> channel, const v1::OpenStream& open)
    : reactor_(std::make_unique<Reactor>(std::move(channel), open)) {}

StreamCall::~StreamCall() {
  Cancel();
  reactor_->WaitUntilDone();
}

bool StreamCall::Next(grpc::ByteBuffer* frame) { return reactor_->Next(frame); }
absl::Status StreamCall::status() const { return reactor_->status(); }
void StreamCall::Grant(uint32_t count) { reactor_->Grant(count); }
void StreamCall::Cancel() { reactor_->Cancel(); }

}  // namespace mixfeed
