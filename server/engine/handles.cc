#include "server/engine/handles.h"

#include <utility>

#include "server/engine/engine_impl.h"

namespace mixfeed {
namespace {

class ConsumerHandle final : public Consumer {
 public:
  ConsumerHandle(EngineImpl* engine, std::shared_ptr<Stream> stream)
      : engine_(engine), stream_(std::move(stream)) {}
  ~ConsumerHandle() override { engine_->Cancel(stream_); }

  absl::Status Grant(int count) override { return engine_->Grant(stream_, count); }
  void FrameTaken() override { engine_->FrameTaken(stream_); }
  void Cancel() override { engine_->Cancel(stream_); }

 private:
  EngineImpl* const engine_;
  const std::shared_ptr<Stream> stream_;
};

class CallHandle final : public PendingCall {
 public:
  CallHandle(EngineImpl* engine, std::shared_ptr<Stream> stream)
      : engine_(engine), stream_(std::move(stream)) {}
  ~CallHandle() override { engine_->CancelCall(stream_); }

 private:
  EngineImpl* const engine_;
  const std::shared_ptr<Stream> stream_;
};

class CallSink final : public BatchSink {
 public:
  explicit CallSink(FeedEngine::Done done) : done_(std::move(done)) {}

  void OnFrame(FramePtr frame) override {
    answered_ = true;
    done_(std::move(frame));
  }
  void OnEnd(absl::Status status) override {
    if (!answered_) done_(std::move(status));
  }

 private:
  const FeedEngine::Done done_;
  bool answered_ = false;
};

}  // namespace

std::unique_ptr<Consumer> MakeConsumer(EngineImpl* engine, std::shared_ptr<Stream> stream) {
  return std::make_unique<ConsumerHandle>(engine, std::move(stream));
}

std::unique_ptr<PendingCall> MakePendingCall(EngineImpl* engine, std::shared_ptr<Stream> stream) {
  return std::make_unique<CallHandle>(engine, std::move(stream));
}

std::shared_ptr<BatchSink> MakeCallSink(FeedEngine::Done done) {
  return std::make_shared<CallSink>(std::move(done));
}

}  // namespace mixfeed
