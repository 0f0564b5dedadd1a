#ifndef MIXFEED_SERVER_ENGINE_ENGINE_IMPL_H_
#define MIXFEED_SERVER_ENGINE_ENGINE_IMPL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "server/engine/batch_series.h"
#include "server/engine/executor.h"
#include "server/engine/feed_engine.h"
#include "server/engine/slot_budget.h"
#include "server/engine/stream.h"

namespace mixfeed {

// The engine behind feed_engine.h. One lock guards all feeds, streams and wanted batches; batches
// are made, encoded and handed to sinks without it. Work goes in turns: a stream that wants a batch
// made, or has one to deliver, posts one task of that kind; the task takes the batch nearest to the
// stream's cursor and posts the next one behind those of the other streams. So no window, however
// large, comes before another stream's next batch. A batch whose weights are missing is parked in
// its streams' windows: no task is posted for it until they have come.
class EngineImpl final : public FeedEngine {
 public:
  EngineImpl(const EngineOptions& options, SlotPool* slots, EncodeFrame encode);
  ~EngineImpl() override { Shutdown(0); }

  void AddFeed(const std::string& feed_id, std::shared_ptr<const BatchMaker> maker) override;
  absl::Status RemoveFeed(const std::string& feed_id) override;
  absl::StatusOr<std::shared_ptr<const BatchMaker>> FindFeed(
      const std::string& feed_id) const override;
  int ConsumersOf(const std::string& feed_id) const override;
  FeedTraffic TrafficOf(const std::string& feed_id) const override;
  std::unique_ptr<PendingCall> GetBatch(const std::string& feed_id, int64_t step,
                                        const BatchFormat& format, const Share& share,
                                        Done done) override;
  absl::StatusOr<std::unique_ptr<Consumer>> Subscribe(const StreamSpec& spec,
                                                      std::shared_ptr<BatchSink> sink) override;
  void WeightsArrived() override;
  EngineStats stats() const override;
  void Shutdown(int64_t deadline_ms) override;

  // What the handles of streams call.
  absl::Status Grant(const std::shared_ptr<Stream>& stream, int count);
  void FrameTaken(const std::shared_ptr<Stream>& stream);
  void Cancel(const std::shared_ptr<Stream>& stream);
  void CancelCall(const std::shared_ptr<Stream>& stream);

 private:
  using Clock = Stream::Clock;
  using LeftoverList = std::vector<Leftovers>;
  using StreamList = std::vector<std::shared_ptr<Stream>>;

  // Starts a stream, or says why not. A call is a stream of from_step alone, under split sharing.
  absl::StatusOr<std::shared_ptr<Stream>> Open(Stream::Kind kind, const StreamSpec& spec,
                                               std::shared_ptr<BatchSink> sink);
  absl::Status CheckConsumer(const StreamSpec& spec) const;
  absl::Status CheckRoom(Stream::Kind kind) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int& CountOf(Stream::Kind kind) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Posts what the stream has to do now. To be called after every change to it.
  void Settle(const std::shared_ptr<Stream>& stream, bool life = false)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(const std::shared_ptr<Stream>& stream, absl::Status status, LeftoverList* leftovers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Close(const std::shared_ptr<Stream>& stream, LeftoverList* leftovers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Counts a frame of the stream's feed that its sink is given.
  void CountServed(const Stream& stream, int64_t step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // The tasks.
  void MakeNext(const std::shared_ptr<Stream>& stream);
  void Deliver(const std::shared_ptr<Stream>& stream);

  struct MadeBatch {
    FramePtr frame;
    std::weak_ptr<SlotClaim> claim;
  };
  absl::StatusOr<MadeBatch> Make(const BatchSeries& series, int64_t step,
                                 std::shared_ptr<const SlotPromise> promise) const;
  // Gives the outcome to those who hold the batch; there may be nobody left.
  void StoreMade(const std::weak_ptr<WantedBatch>& wanted, absl::StatusOr<MadeBatch> made);

  // Has a batch wait for weights, of which `missing` says which; whoever parks it must then look
  // whether they have come meanwhile.
  void Park(const std::weak_ptr<WantedBatch>& wanted, absl::Status missing);
  // Queues a batch that waits again, if it still does.
  void Requeue(const BatchKey& key);
  // Settles the streams that wait for the batch, and has `told`, which must outlive the lock, hold
  // them: their last references may be there.
  void SettleWaiters(const WantedBatch& batch, StreamList* told) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void KeepHouse();
  // Ends the streams that idle, or wait for weights, too long; returns when to look again.
  Clock::time_point EndOverdue(LeftoverList* leftovers);

  const EngineOptions options_;
  const EncodeFrame encode_;
  const std::shared_ptr<SlotBudget> budget_;

  mutable Mutex mu_;
  CondVar changed_;  // a stream closed or a sink call returned
  CondVar stop_;
  std::map<std::string, std::unique_ptr<OpenFeed>> feeds_ ABSL_GUARDED_BY(mu_);
  std::set<std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mu_);  // not yet closed
  int consumers_ ABSL_GUARDED_BY(mu_) = 0;
  int pending_calls_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t batches_made_ ABSL_GUARDED_BY(mu_) = 0;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;

  Mutex shutdown_mu_;  // held throughout Shutdown; before mu_

  // The last members: their threads use all others.
  Executor render_workers_;  // batches without guesses, and all deliveries
  Executor guess_workers_;   // batches of feeds with guesses
  std::thread housekeeper_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_ENGINE_ENGINE_IMPL_H_
