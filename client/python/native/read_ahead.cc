#include "client/python/native/read_ahead.h"

#include <utility>

namespace mixfeed::python {

ReadAhead::ReadAhead(std::unique_ptr<BatchStream> stream)
    : stream_(std::move(stream)), reader_([this] { Read(); }) {}

ReadAhead::~ReadAhead() {
  Stop();
  reader_.join();
}

void ReadAhead::Stop() {
  {
    MutexLock lock(&mu_);
    stopped_ = true;
    changed_.NotifyAll();
  }
  stream_->Cancel();
}

void ReadAhead::Read() {
  bool wanted = true;
  while (wanted) {
    absl::StatusOr<ReceivedBatch> batch = stream_->Next();
    const bool last = !batch.ok();
    wanted = Offer(std::move(batch)) && !last;
  }
}

bool ReadAhead::Offer(absl::StatusOr<ReceivedBatch> batch) {
  MutexLock lock(&mu_);
  while (next_.size() >= kAhead && !stopped_) changed_.Wait(&mu_);
  if (stopped_) return false;
  if (batch.ok()) {
    next_.push_back(*std::move(batch));
  } else {
    end_ = batch.status();
  }
  changed_.NotifyAll();
  return true;
}

bool ReadAhead::ReadyWithin(std::chrono::milliseconds slice) {
  const auto deadline = std::chrono::steady_clock::now() + slice;
  MutexLock lock(&mu_);
  while (!Ready() && changed_.WaitUntil(&mu_, deadline)) {
  }
  return Ready();
}

std::optional<absl::StatusOr<ReceivedBatch>> ReadAhead::Take() {
  MutexLock lock(&mu_);
  if (stopped_) return absl::CancelledError("the stream was stopped");
  if (!next_.empty()) {
    absl::StatusOr<ReceivedBatch> batch = std::move(next_.front());
    next_.pop_front();
    changed_.NotifyAll();
    return batch;
  }
  if (!end_.ok()) return end_;
  return std::nullopt;
}

}  // namespace mixfeed::python
