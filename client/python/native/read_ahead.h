#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_READ_AHEAD_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_READ_AHEAD_H_

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "client/feed_client.h"

namespace mixfeed::python {

// A stream's next batches, taken from it by a thread of this object: at most kAhead that wait to be
// handed out, and one that waits for its place. So a caller can wait in slices, and the copy
// into a batch's buffer is made while the trainer computes. Thread safe; a batch goes to one
// caller.
class ReadAhead {
 public:
  explicit ReadAhead(std::unique_ptr<BatchStream> stream);
  // Stops, and waits for the thread.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // Cancels the stream: who waits for a batch gets Cancelled.
  void Stop();

  // Whether Take has something to give, now or within `slice`.
  bool ReadyWithin(std::chrono::milliseconds slice);
  // The next batch, or again and again the error that ended the stream; nothing when neither is
  // there.
  std::optional<absl::StatusOr<ReceivedBatch>> Take();

  int64_t reconnects() const { return stream_->reconnects(); }

 private:
  static constexpr size_t kAhead = 2;  // of one alone the threads would wait for each other

  void Read();
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !next_.empty() || !end_.ok() || stopped_;
  }
  // Waits until there is room; false when the stream is no longer wanted.
  bool Offer(absl::StatusOr<ReceivedBatch> batch);

  const std::unique_ptr<BatchStream> stream_;

  Mutex mu_;
  CondVar changed_;
  std::deque<ReceivedBatch> next_ ABSL_GUARDED_BY(mu_);
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;

  std::thread reader_;
};

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_READ_AHEAD_H_
