#ifndef MIXFEED_SERVER_ENGINE_STREAM_H_
#define MIXFEED_SERVER_ENGINE_STREAM_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "absl/status/status.h"
#include "server/engine/batch_series.h"
#include "server/engine/feed_engine.h"
#include "server/engine/slot_budget.h"
#include "server/engine/step_sequence.h"

namespace mixfeed {

// What the engine hands to a sink: a batch, or the stream's end.
struct Delivery {
  FramePtr frame;
  absl::Status end;  // when there is no frame
  int64_t step = 0;  // of the frame
};

// What a stream lets go of: foreign destructors, to be run outside of the engine's lock.
struct Leftovers {
  std::deque<std::shared_ptr<WantedBatch>> window;
  std::shared_ptr<BatchSink> sink;
  std::shared_ptr<const SlotPromise> promise;
};

// One reader of batches: a consumer, or a call (which is a stream of one step). Holds a window of
// the next steps of its sequence: as many as it has credits, and `prefetch` more, but together with
// the frames that the transport has not yet taken never more than `slots`, which it was promised.
// Does not lock: the engine's one lock guards it.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Kind : uint8_t { kConsumer, kCall };

  struct Options {
    Kind kind = Kind::kConsumer;
    int credits = 1;
    int prefetch = 0;
    int slots = 1;
    bool repeat = false;
  };

  Stream(const Options& options, std::shared_ptr<BatchSeries> series, StepSequence steps,
         std::shared_ptr<const SlotPromise> promise, std::shared_ptr<BatchSink> sink);

  Kind kind() const { return options_.kind; }
  const BatchSeries& series() const { return *series_; }
  const std::shared_ptr<const SlotPromise>& promise() const { return promise_; }
  const std::shared_ptr<BatchSink>& sink() const { return sink_; }

  // Opens the window as wide as it may be.
  void Refill();

  // The first batch of the window that nobody makes yet, now marked as being made; null if none.
  std::shared_ptr<WantedBatch> TakeQueued();
  bool HasQueued() const;

  // Whether the next delivery is there: a batch and a credit for it, or the stream's end.
  bool CanDeliver() const;
  // The next delivery; a frame uses up a credit and is then the caller's alone, unless other
  // streams want it too. Only when CanDeliver.
  Delivery TakeDelivery();

  // InvalidArgument, with nothing changed, for a count below 1 or beyond `ceiling` outstanding. OK
  // and nothing else after the end, which the grant may have crossed on its way.
  absl::Status Grant(int count, int ceiling);
  void FrameTaken();

  // Ends the stream early: the next delivery is `status`. Only the first end counts.
  Leftovers End(absl::Status status);
  // No deliveries from now on.
  Leftovers Close();

  // Keeps the time since when the stream waits for its client and nothing else: for a credit for a
  // batch that is ready, or for a frame to be taken; and since when its client waits for weights.
  // To be called after every change; `life`: the client did something.
  void UpdateWaiting(Clock::time_point now, bool life);
  std::optional<Clock::time_point> waiting_since() const { return waiting_since_; }
  // While the next batch, for which there is a credit, waits for weights: since when, attempts to
  // make it meanwhile included.
  std::optional<Clock::time_point> weights_since() const {
    return WaitsForWeights() ? weights_since_ : std::nullopt;
  }
  // With weights_since: what is missing.
  const absl::Status& missing() const { return window_.front()->error; }

  // Adds the batches of the window that wait for weights.
  void CollectWaiting(std::set<BatchKey>* waiting) const;

  // The engine's own marks: whether a task of that kind is posted, and which thread is in the sink.
  bool make_posted = false;
  bool delivery_posted = false;
  std::thread::id in_sink;

 private:
  int Capacity() const;
  bool ended() const { return end_.has_value() || closed_; }
  bool AtLastStep() const { return window_.empty() && steps_.done(); }
  bool WaitsForClient() const;
  bool WaitsForWeights() const;
  // Whether the next batch has waited for weights, and is tried again.
  bool TriesAgain() const;

  const Options options_;
  const std::shared_ptr<BatchSeries> series_;

  StepSequence steps_;
  std::shared_ptr<const SlotPromise> promise_;  // until closed, like the sink
  std::shared_ptr<BatchSink> sink_;
  std::deque<std::shared_ptr<WantedBatch>> window_;
  int credits_;
  int in_flight_ = 0;  // frames handed over and not yet taken
  std::optional<absl::Status> end_;
  bool closed_ = false;
  std::optional<Clock::time_point> waiting_since_;
  std::optional<Clock::time_point> weights_since_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_ENGINE_STREAM_H_
