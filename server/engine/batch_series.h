#ifndef MIXFEED_SERVER_ENGINE_BATCH_SERIES_H_
#define MIXFEED_SERVER_ENGINE_BATCH_SERIES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "augment/batch/batch_maker.h"
#include "server/engine/feed_engine.h"
#include "server/engine/slot_budget.h"

// What the engine holds of feeds and of the batches that are wanted of them. None of these classes
// locks: the engine's one lock guards them all.
namespace mixfeed {

class BatchSeries;
class Stream;

// A batch that somebody wants, held by whoever wants it: streams that want the same one share it,
// and with the last of them it is gone, made or not.
struct WantedBatch {
  // kWaiting: for weights that its feed's trainer has yet to push.
  enum class State : uint8_t { kQueued, kMaking, kWaiting, kReady, kFailed };

  WantedBatch(std::shared_ptr<BatchSeries> its_series, int64_t its_step)
      : series(std::move(its_series)), step(its_step) {}

  bool settled() const { return state == State::kReady || state == State::kFailed; }

  // Those that are gone are dropped before the list grows: many may come and go while it waits.
  void AddWaiter(std::weak_ptr<Stream> stream);

  const std::shared_ptr<BatchSeries> series;
  const int64_t step;
  State state = State::kQueued;
  FramePtr frame;                  // kReady
  std::weak_ptr<SlotClaim> claim;  // kReady: of the frame's slot, gone when the encoder copied it
  absl::Status error;              // kFailed; kWaiting: what is missing
  std::vector<std::weak_ptr<Stream>> waiters;  // to be told when it is settled
};

// Says which batch without holding it: streams alone hold batches, and with them slots.
struct BatchKey {
  std::shared_ptr<BatchSeries> series;
  int64_t step;

  friend bool operator==(const BatchKey&, const BatchKey&) = default;
  friend bool operator<(const BatchKey& a, const BatchKey& b) {
    return std::tie(a.series, a.step) < std::tie(b.series, b.step);
  }
};

// The batches of one feed in one format and share.
class BatchSeries : public std::enable_shared_from_this<BatchSeries> {
 public:
  BatchSeries(std::string feed_id, std::shared_ptr<const BatchMaker> maker,
              const BatchFormat& format, const Share& share);

  const std::string& feed_id() const { return feed_id_; }
  const BatchMaker& maker() const { return *maker_; }
  const BatchFormat& format() const { return format_; }
  const Share& share() const { return share_; }
  int64_t slot_bytes() const { return slot_bytes_; }

  // The batch of `step` that somebody holds already, or a new, queued one.
  std::shared_ptr<WantedBatch> Want(int64_t step);
  // As Want, but null instead of a new one.
  std::shared_ptr<WantedBatch> Find(int64_t step) const;

  // Batches that are remembered, held or not: at most 64, or twice as many as were held at once.
  size_t size() const { return wanted_.size(); }

  // Later calls of Want(step) do not find the present one.
  void Forget(int64_t step) { wanted_.erase(step); }

 private:
  void SweepExpired();

  const std::string feed_id_;
  const std::shared_ptr<const BatchMaker> maker_;
  const BatchFormat format_;
  const Share share_;
  const int64_t slot_bytes_;

  // By step. Expired entries are swept when it has doubled since the last sweep.
  std::unordered_map<int64_t, std::weak_ptr<WantedBatch>> wanted_;
  size_t sweep_at_;
};

// An open feed.
class OpenFeed {
 public:
  OpenFeed(std::string id, std::shared_ptr<const BatchMaker> maker)
      : id_(std::move(id)), maker_(std::move(maker)) {}

  const std::shared_ptr<const BatchMaker>& maker() const { return maker_; }

  FeedTraffic traffic;

  // The series that somebody holds already, or a new one.
  std::shared_ptr<BatchSeries> Series(const BatchFormat& format, const Share& share);

 private:
  const std::string id_;
  const std::shared_ptr<const BatchMaker> maker_;
  std::vector<std::weak_ptr<BatchSeries>> series_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_ENGINE_BATCH_SERIES_H_
