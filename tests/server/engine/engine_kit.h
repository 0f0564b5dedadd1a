#ifndef MIXFEED_TESTS_SERVER_ENGINE_ENGINE_KIT_H_
#define MIXFEED_TESTS_SERVER_ENGINE_ENGINE_KIT_H_

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "augment/base/mutex.h"
#include "server/engine/feed_engine.h"
#include "tests/augment/batch/feed_kit.h"
#include "tests/testing/eventually.h"

namespace mixfeed::testing {

// Stands in for the transport's encoding: a frame holds its batch. Encoding passes a gate, and
// fails at the steps it is told to.
class FakeEncoder {
 public:
  struct Made {
    std::string feed_id;
    int64_t step;
    friend bool operator==(const Made&, const Made&) = default;
  };

  class Frame : public EncodedFrame {
   public:
    Frame(FakeEncoder* encoder, std::shared_ptr<const Batch> batch);
    ~Frame() override { --encoder_->live_frames_; }
    const Batch& batch() const { return *batch_; }

   private:
    FakeEncoder* const encoder_;
    const std::shared_ptr<const Batch> batch_;
  };

  EncodeFrame function();

  Gate& gate() { return gate_; }
  void FailAt(int64_t step, absl::Status status);
  void Heal();
  // What was encoded, in order.
  std::vector<Made> made() const;
  int64_t live_frames() const { return live_frames_; }
  // Called at each encoding, on the thread that makes the batch.
  std::function<void()> at_encoding;

 private:
  absl::StatusOr<FramePtr> Encode(const std::string& feed_id, std::shared_ptr<const Batch> batch);

  Gate gate_;
  std::atomic<int64_t> live_frames_ = 0;

  mutable Mutex mu_;
  std::vector<Made> made_ ABSL_GUARDED_BY(mu_);
  std::map<int64_t, absl::Status> failures_ ABSL_GUARDED_BY(mu_);
};

struct Received {
  int64_t step = 0;
  const EncodedFrame* frame = nullptr;
  std::vector<int32_t> rows;
  size_t digest = 0;  // of the batch's contents
};

size_t DigestOf(const EncodedFrame& frame);

// A consumer at the engine's surface, in the place of a transport and its client.
class TestClient {
 public:
  enum class Mode : uint8_t {
    kConsume,  // takes every frame, drops it, and grants one more
    kHold,     // holds every frame, grants nothing
  };

  static absl::StatusOr<std::unique_ptr<TestClient>> Subscribe(FeedEngine* engine,
                                                               const StreamSpec& spec,
                                                               Mode mode = Mode::kConsume);
  ~TestClient() { Cancel(); }

  // These fail the test when it takes more than kPatience.
  void AwaitFrames(size_t count);
  absl::Status AwaitEnd();

  // Of what was received so far.
  std::vector<Received> received() const;
  std::vector<int64_t> steps() const;
  std::vector<size_t> digests() const;
  bool ended() const;

  absl::Status Grant(int count) { return consumer_->Grant(count); }
  // Lets go of the oldest `count` frames held and reports them as taken.
  void Take(int count);
  // Reports the oldest frame held as taken, but keeps it alive.
  FramePtr TakeAndKeep();
  // Lets go of all frames held, reporting nothing.
  void DropFrames();
  void Cancel();
  // Runs once, inside the next OnFrame.
  void AtNextFrame(std::function<void()> action);

 private:
  class Sink;
  explicit TestClient(Mode mode);

  const std::shared_ptr<Sink> sink_;
  std::unique_ptr<Consumer> consumer_;
};

// The answer to a GetBatch call.
class TestCall {
 public:
  TestCall(FeedEngine* engine, const std::string& feed_id, int64_t step, const Share& share = {},
           const PixelFormat& format = {});

  // Fails the test when it takes more than kPatience, or when there is more than one answer.
  absl::StatusOr<FramePtr> Await();
  bool answered() const { return state_->answers > 0; }
  void Cancel() { call_.reset(); }

 private:
  struct State {
    std::atomic<int> answers = 0;
    absl::StatusOr<FramePtr> answer = absl::UnknownError("not yet");
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::unique_ptr<PendingCall> call_;
};

// An engine over a FeedKit with the feeds "mixup", "eval" (13 batches of 4, the last one of 2) and
// "mixmatch".
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { Restart({}); }

  // Ends the engine there is and starts one over a fresh kit.
  void Restart(const EngineOptions& options, const FeedKitOptions& kit_options = {});

  std::unique_ptr<TestClient> Subscribe(const StreamSpec& spec,
                                        TestClient::Mode mode = TestClient::Mode::kConsume);
  absl::Status Refusal(const StreamSpec& spec);

  std::unique_ptr<FeedKit> kit_;
  FakeEncoder encoder_;
  std::unique_ptr<FeedEngine> engine_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_SERVER_ENGINE_ENGINE_KIT_H_
