#ifndef MIXFEED_SERVER_ENGINE_FEED_ENGINE_H_
#define MIXFEED_SERVER_ENGINE_FEED_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/batch/batch_maker.h"

namespace mixfeed {

// A finished batch in the form in which the transport sends it. The engine only passes it on. Its
// destructor runs on any thread and must not call the engine.
class EncodedFrame {
 public:
  virtual ~EncodedFrame() = default;
};
using FramePtr = std::shared_ptr<const EncodedFrame>;

// Called once per made batch, on an engine thread, and shared by all its readers.
using EncodeFrame = std::function<absl::StatusOr<FramePtr>(const std::string& feed_id,
                                                           std::shared_ptr<const Batch> batch)>;

struct EngineOptions {
  // Threads that make batches of feeds without guesses, each a whole batch at a time, and call the
  // sinks of all feeds.
  int render_workers = 2;
  // Threads that make batches of feeds with guesses, each a whole batch at a time: of two, one
  // renders the views of the next step while the other is in the model. The shares of a step wait
  // for one guess together, so that under split sharing among n consumers it takes n + 1 for that.
  int guess_workers = 2;
  int max_credits = 64;      // ceiling of a consumer's outstanding credits
  int default_prefetch = 4;  // steps made ahead of the credits when a consumer does not say
  int max_prefetch = 64;     // ceiling of what a consumer may say
  int max_consumers = 1024;
  // GetBatch calls that may be unanswered at once; further ones get ResourceExhausted.
  int max_pending_calls = 256;
  // A consumer is ended (DeadlineExceeded) when for so long it neither granted a credit that a
  // finished batch waits for, nor took a frame that it was sent.
  int64_t idle_limit_ms = 120'000;
  // A consumer or call is ended (FailedPrecondition, with which weights are missing) when it has
  // waited for so long, with a credit, for its next batch, because a trainer has not pushed the
  // weights. Each of those who want the batch waits for as long from when it began to; none of it
  // counts as idling.
  int64_t weights_wait_ms = 600'000;
  // Why weights and guesses cannot come now, or OK: told with the end of what has waited for too
  // long. Called under the engine's lock, so it must neither block nor call the engine.
  std::function<absl::Status()> outage = nullptr;
  // Called once in Shutdown, when nobody wants a batch any more and before threads are joined: to
  // end what they may still wait for.
  std::function<void()> stopping = [] {};
};

enum class Sharing : uint8_t { kRoundRobin, kBroadcast, kSplit };

struct StreamSpec {
  std::string feed_id;
  int64_t from_step = 0;
  int rank = 0;
  int world = 1;
  Sharing sharing = Sharing::kRoundRobin;
  BatchFormat format;
  int credits = 1;      // 1..max_credits
  int prefetch = 0;     // 0: default_prefetch
  bool repeat = false;  // send the batch of the first step again and again
};

// The transport's end of a stream. Called by engine threads, one call at a time, never while the
// engine holds a lock. Must not block: other streams wait for the thread.
class BatchSink {
 public:
  virtual ~BatchSink() = default;
  // The next batch. There are never more unreleased calls of this than credits were granted.
  virtual void OnFrame(FramePtr frame) = 0;
  // The stream's end, once, and the last call: OK after the last step of an ordered feed.
  virtual void OnEnd(absl::Status status) = 0;
};

// The engine's end of a stream, held by the transport, which must let go of it before the engine is
// destroyed. Thread safe. Destroying it is Cancel(). After the stream's end its methods do nothing.
class Consumer {
 public:
  virtual ~Consumer() = default;
  // Grants room for more batches. InvalidArgument, with nothing granted, for a count below 1, or
  // beyond max_credits together with what is outstanding. Credits beyond those of the StreamSpec
  // let batches leave sooner, but the window stays as large as it was opened.
  virtual absl::Status Grant(int count) = 0;
  // The transport is done with one frame: to be called once for every OnFrame, those before
  // Subscribe returned included. Makes room in the window and counts as life for the idle limit.
  // The frame's memory must then come free without the engine's doing: another batch may wait for
  // it.
  virtual void FrameTaken() = 0;
  // Stops the stream and drops its slots; no sink call begins after it returns. Waits for a sink
  // call that another thread is in, so the caller must hold no lock that its sink takes; from
  // inside of a sink call it returns at once.
  virtual void Cancel() = 0;
};

// A GetBatch call under way; destroying it cancels the call (`done` may still run once). Must be
// let go of before the engine is destroyed.
class PendingCall {
 public:
  virtual ~PendingCall() = default;
};

// What was handed out of one feed.
struct FeedTraffic {
  int64_t served = 0;          // frames that sinks were given
  int64_t served_through = 0;  // the highest of their steps, and 1; 0: none
};

struct EngineStats {
  int64_t feeds = 0;
  int64_t consumers = 0;
  int64_t pending_calls = 0;
  int64_t batches_made = 0;
  int64_t waiting_batches = 0;  // wanted, and their weights have not been pushed yet
};

// Makes the batches that consumers and calls ask for, in windows ahead of them, and hands them out.
// Knows no transport.
//
// Every wanted (feed, step, format, share) is made once while anybody holds it: consumers that are
// close to each other share one slot and one encoding; one that lags behind has it made again.
// Bounds: a consumer holds at most credits + prefetch slots, frames that the transport has not
// taken included; they are promised to it when it subscribes. Calls hold one each, repeated batches
// too. A promise that does not fit into the slot pool is refused with ResourceExhausted, so that
// making a batch never fails for want of memory; nobody else may take slots of that pool. A promise
// ends with the stream and the last frame that the transport holds of it. Thread safe.
class FeedEngine {
 public:
  // `slots` must outlive the engine; its max_bytes is what is promised out.
  static absl::StatusOr<std::unique_ptr<FeedEngine>> Start(const EngineOptions& options,
                                                           SlotPool* slots, EncodeFrame encode);
  virtual ~FeedEngine() = default;

  // Adding a feed that is there already is fine and changes nothing.
  virtual void AddFeed(const std::string& feed_id, std::shared_ptr<const BatchMaker> maker) = 0;
  // NotFound: no such feed. Its streams end with NotFound.
  virtual absl::Status RemoveFeed(const std::string& feed_id) = 0;
  virtual absl::StatusOr<std::shared_ptr<const BatchMaker>> FindFeed(
      const std::string& feed_id) const = 0;
  virtual int ConsumersOf(const std::string& feed_id) const = 0;
  // Since it was added; nothing of a feed that is not there.
  virtual FeedTraffic TrafficOf(const std::string& feed_id) const = 0;

  // Calls `done` exactly once: on an engine thread, or, with an error, before it returns null. When
  // the returned handle is destroyed before the batch is there, done gets Cancelled. Errors: as
  // Subscribe, ResourceExhausted for too many calls too, FailedPrecondition for weights that do not
  // come, and what making the batch returns.
  using Done = std::function<void(absl::StatusOr<FramePtr>)>;
  virtual std::unique_ptr<PendingCall> GetBatch(const std::string& feed_id, int64_t step,
                                                const BatchFormat& format, const Share& share,
                                                Done done) = 0;

  // Errors: NotFound (feed), InvalidArgument (rank, world, format, credits, prefetch, a batch that
  // the world does not divide), OutOfRange (first step), ResourceExhausted (slots, consumers). The
  // first OnFrame may come before it returns.
  virtual absl::StatusOr<std::unique_ptr<Consumer>> Subscribe(const StreamSpec& spec,
                                                              std::shared_ptr<BatchSink> sink) = 0;

  // Has batches that wait for weights (NotYetError, augment/guess/not_yet.h) made if they can be
  // now (BatchMaker::IsReady, asked once a feed, format, share and step that waits): to be called
  // after every change to a model, without a lock that a BatchMaker takes. No wake-up is lost,
  // whatever is being made meanwhile. A batch that waits keeps no thread from others, and of slots
  // no more than its stream was promised; batches behind it are made, or as much of them as can be.
  virtual void WeightsArrived() = 0;

  virtual EngineStats stats() const = 0;

  // Refuses new work (Unavailable), lets streams and calls go on until `deadline_ms` has passed or
  // none are left, then ends what is left with Unavailable and joins the threads, each of which may
  // still be making one batch that nobody wants: nothing but EngineOptions::stopping interrupts
  // that batch's forward passes, one a view over the step's unlabelled rows. Idempotent. Not to be
  // called from a sink.
  virtual void Shutdown(int64_t deadline_ms) = 0;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_ENGINE_FEED_ENGINE_H_
