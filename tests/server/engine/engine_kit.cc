#include "tests/server/engine/engine_kit.h"

#include <chrono>
#include <optional>
#include <utility>

namespace mixfeed::testing {

FakeEncoder::Frame::Frame(FakeEncoder* encoder, std::shared_ptr<const Batch> batch)
    : encoder_(encoder), batch_(std::move(batch)) {
  ++encoder_->live_frames_;
}

EncodeFrame FakeEncoder::function() {
  return [this](const std::string& feed_id, std::shared_ptr<const Batch> batch) {
    return Encode(feed_id, std::move(batch));
  };
}

absl::StatusOr<FramePtr> FakeEncoder::Encode(const std::string& feed_id,
                                             std::shared_ptr<const Batch> batch) {
  if (at_encoding) at_encoding();
  {
    MutexLock lock(&mu_);
    made_.push_back({feed_id, batch->step});
    if (failures_.contains(batch->step)) return failures_[batch->step];
  }
  gate_.Pass();
  return std::make_shared<const Frame>(this, std::move(batch));
}

void FakeEncoder::FailAt(int64_t step, absl::Status status) {
  MutexLock lock(&mu_);
  failures_[step] = std::move(status);
}

void FakeEncoder::Heal() {
  MutexLock lock(&mu_);
  failures_.clear();
}

std::vector<FakeEncoder::Made> FakeEncoder::made() const {
  MutexLock lock(&mu_);
  return made_;
}

size_t DigestOf(const EncodedFrame& frame) {
  return std::hash<std::string>()(
      ContentsOf(static_cast<const FakeEncoder::Frame&>(frame).batch()));
}

class TestClient::Sink : public BatchSink {
 public:
  explicit Sink(Mode mode) : mode_(mode) {}

  void OnFrame(FramePtr frame) override {
    const Batch& batch = static_cast<const FakeEncoder::Frame&>(*frame).batch();
    const Received received = {batch.step, frame.get(), batch.row_index, DigestOf(*frame)};
    Consumer* consumer = nullptr;
    std::function<void()> action;
    {
      MutexLock lock(&mu_);
      EXPECT_FALSE(end_.has_value()) << "a frame after the end";
      EXPECT_FALSE(cancelled_) << "a frame after Cancel";
      received_.push_back(received);
      if (mode_ == Mode::kHold) held_.push_back(std::move(frame));
      consumer = consumer_;
      if (consumer == nullptr) ++unanswered_;
      action = std::exchange(action_, nullptr);
      changed_.NotifyAll();
    }
    frame.reset();
    if (consumer != nullptr) Answer(consumer);
    if (action) action();
  }

  void OnEnd(absl::Status status) override {
    MutexLock lock(&mu_);
    EXPECT_FALSE(end_.has_value()) << "a second end";
    EXPECT_FALSE(cancelled_) << "an end after Cancel";
    end_ = std::move(status);
    changed_.NotifyAll();
  }

  // The first frames may come before the consumer is known.
  void Attach(Consumer* consumer) {
    int unanswered = 0;
    {
      MutexLock lock(&mu_);
      consumer_ = consumer;
      unanswered = std::exchange(unanswered_, 0);
    }
    for (int i = 0; i < unanswered; ++i) Answer(consumer);
  }

  template <typename Condition>
  bool Await(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    MutexLock lock(&mu_);
    while (!condition(received_.size(), end_)) {
      if (!changed_.WaitUntil(&mu_, deadline)) return condition(received_.size(), end_);
    }
    return true;
  }

  std::vector<Received> received() {
    MutexLock lock(&mu_);
    return received_;
  }
  std::optional<absl::Status> end() {
    MutexLock lock(&mu_);
    return end_;
  }
  std::deque<FramePtr> TakeHeld(size_t count) {
    std::deque<FramePtr> taken;
    MutexLock lock(&mu_);
    for (; count > 0 && !held_.empty(); --count) {
      taken.push_back(std::move(held_.front()));
      held_.pop_front();
    }
    return taken;
  }
  void AtNextFrame(std::function<void()> action) {
    MutexLock lock(&mu_);
    action_ = std::move(action);
  }
  void SetCancelled() {
    MutexLock lock(&mu_);
    cancelled_ = true;
  }

 private:
  void Answer(Consumer* consumer) {
    if (mode_ != Mode::kConsume) return;
    consumer->FrameTaken();
    EXPECT_TRUE(consumer->Grant(1).ok());
  }

  const Mode mode_;

  Mutex mu_;
  CondVar changed_;
  Consumer* consumer_ ABSL_GUARDED_BY(mu_) = nullptr;
  int unanswered_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Received> received_ ABSL_GUARDED_BY(mu_);
  std::deque<FramePtr> held_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::function<void()> action_ ABSL_GUARDED_BY(mu_);
};

TestClient::TestClient(Mode mode) : sink_(std::make_shared<Sink>(mode)) {}

absl::StatusOr<std::unique_ptr<TestClient>> TestClient::Subscribe(FeedEngine* engine,
                                                                  const StreamSpec& spec,
                                                                  Mode mode) {
  std::unique_ptr<TestClient> client(new TestClient(mode));
  absl::StatusOr<std::unique_ptr<Consumer>> consumer = engine->Subscribe(spec, client->sink_);
  if (!consumer.ok()) return consumer.status();
  client->consumer_ = *std::move(consumer);
  client->sink_->Attach(client->consumer_.get());
  return client;
}

void TestClient::AwaitFrames(size_t count) {
  EXPECT_TRUE(sink_->Await(
      [&](size_t frames, const auto& end) { return frames >= count || end.has_value(); }));
  EXPECT_GE(received().size(), count);
}

absl::Status TestClient::AwaitEnd() {
  EXPECT_TRUE(sink_->Await([](size_t, const auto& end) { return end.has_value(); }));
  return sink_->end().value_or(absl::UnknownError("no end"));
}

std::vector<Received> TestClient::received() const { return sink_->received(); }

std::vector<int64_t> TestClient::steps() const {
  std::vector<int64_t> steps;
  for (const Received& received : sink_->received()) steps.push_back(received.step);
  return steps;
}

std::vector<size_t> TestClient::digests() const {
  std::vector<size_t> digests;
  for (const Received& received : sink_->received()) digests.push_back(received.digest);
  return digests;
}

bool TestClient::ended() const { return sink_->end().has_value(); }

void TestClient::Take(int count) {
  const size_t taken = sink_->TakeHeld(static_cast<size_t>(count)).size();
  for (size_t i = 0; i < taken; ++i) consumer_->FrameTaken();
}

FramePtr TestClient::TakeAndKeep() {
  FramePtr frame = sink_->TakeHeld(1).front();
  consumer_->FrameTaken();
  return frame;
}

void TestClient::DropFrames() { sink_->TakeHeld(SIZE_MAX); }

void TestClient::Cancel() {
  if (consumer_ == nullptr) return;
  consumer_->Cancel();
  sink_->SetCancelled();
}

void TestClient::AtNextFrame(std::function<void()> action) {
  sink_->AtNextFrame(std::move(action));
}

TestCall::TestCall(FeedEngine* engine, const std::string& feed_id, int64_t step, const Share& share,
                   const PixelFormat& format) {
  call_ = engine->GetBatch(feed_id, step, format, share,
                           [state = state_](absl::StatusOr<FramePtr> answer) {
                             state->answer = std::move(answer);
                             ++state->answers;
                           });
}

absl::StatusOr<FramePtr> TestCall::Await() {
  EXPECT_TRUE(Eventually([&] { return answered(); }));
  EXPECT_EQ(state_->answers, 1);
  return state_->answer;
}

void EngineTest::Restart(const EngineOptions& options, const FeedKitOptions& kit_options) {
  engine_.reset();
  kit_ = std::make_unique<FeedKit>(kit_options);
  absl::StatusOr<std::unique_ptr<FeedEngine>> engine =
      FeedEngine::Start(options, &kit_->slots, encoder_.function());
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  engine_->AddFeed("mixup", kit_->Maker(kit_->Spec("mixup", 4), "mixup"));
  engine_->AddFeed("eval", kit_->Maker(kit_->Spec("eval", 4), "eval"));
  engine_->AddFeed("mixmatch", kit_->Maker(kit_->Spec("mixmatch", 4), "mixmatch"));
}

std::unique_ptr<TestClient> EngineTest::Subscribe(const StreamSpec& spec, TestClient::Mode mode) {
  absl::StatusOr<std::unique_ptr<TestClient>> client =
      TestClient::Subscribe(engine_.get(), spec, mode);
  EXPECT_TRUE(client.ok()) << client.status();
  return client.ok() ? *std::move(client) : nullptr;
}

absl::Status EngineTest::Refusal(const StreamSpec& spec) {
  return TestClient::Subscribe(engine_.get(), spec).status();
}

}  // namespace mixfeed::testing
