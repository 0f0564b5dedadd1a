#include "server/engine/batch_series.h"

#include <algorithm>
#include <utility>

namespace mixfeed {
namespace {

constexpr size_t kSmallestSweep = 64;

}  // namespace

void WantedBatch::AddWaiter(std::weak_ptr<Stream> stream) {
  if (waiters.size() == waiters.capacity()) {
    std::erase_if(waiters, [](const auto& waiter) { return waiter.expired(); });
  }
  waiters.push_back(std::move(stream));
}

BatchSeries::BatchSeries(std::string feed_id, std::shared_ptr<const BatchMaker> maker,
                         const BatchFormat& format, const Share& share)
    : feed_id_(std::move(feed_id)),
      maker_(std::move(maker)),
      format_(format),
      share_(share),
      slot_bytes_(maker_->SlotBytes(format, share)),
      sweep_at_(kSmallestSweep) {}

std::shared_ptr<WantedBatch> BatchSeries::Want(int64_t step) {
  if (wanted_.size() >= sweep_at_) SweepExpired();
  std::weak_ptr<WantedBatch>& known = wanted_[step];
  std::shared_ptr<WantedBatch> batch = known.lock();
  if (batch == nullptr) {
    batch = std::make_shared<WantedBatch>(shared_from_this(), step);
    known = batch;
  }
  return batch;
}

std::shared_ptr<WantedBatch> BatchSeries::Find(int64_t step) const {
  const auto known = wanted_.find(step);
  return known == wanted_.end() ? nullptr : known->second.lock();
}

void BatchSeries::SweepExpired() {
  std::erase_if(wanted_, [](const auto& entry) { return entry.second.expired(); });
  sweep_at_ = std::max(kSmallestSweep, 2 * wanted_.size());
}

std::shared_ptr<BatchSeries> OpenFeed::Series(const BatchFormat& format, const Share& share) {
  std::erase_if(series_, [](const auto& series) { return series.expired(); });
  for (const std::weak_ptr<BatchSeries>& known : series_) {
    std::shared_ptr<BatchSeries> series = known.lock();
    const bool same = series != nullptr && series->format() == format && series->share() == share;
    if (same) return series;
  }
  auto series = std::make_shared<BatchSeries>(id_, maker_, format, share);
  series_.push_back(series);
  return series;
}

}  // namespace mixfeed
