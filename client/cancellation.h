#ifndef MIXFEED_CLIENT_CANCELLATION_H_
#define MIXFEED_CLIENT_CANCELLATION_H_

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "augment/base/mutex.h"

namespace mixfeed {

// Ends, from any thread, whatever another thread waits for. Thread safe.
class Cancellation {
 public:
  // Runs the actions of all live scopes, in this thread; once cancelled it stays so. Returns
  // whether it found any to run.
  bool Cancel() {
    MutexLock lock(&mu_);
    if (cancelled_) return false;
    cancelled_ = true;
    for (const auto* action : actions_) (*action)();
    changed_.NotifyAll();
    return !actions_.empty();
  }

  bool cancelled() const {
    MutexLock lock(&mu_);
    return cancelled_;
  }

  // Sleeps until `deadline`, or until cancelled; returns whether it is cancelled.
  bool WaitUntil(std::chrono::steady_clock::time_point deadline) {
    MutexLock lock(&mu_);
    while (!cancelled_ && changed_.WaitUntil(&mu_, deadline)) {
    }
    return cancelled_;
  }

  // While it lives, Cancel() runs `action`; at once if it was cancelled before. The action must not
  // touch the Cancellation, and does not run after the scope's end.
  class Scope {
   public:
    Scope(Cancellation* cancellation, std::function<void()> action)
        : cancellation_(cancellation), action_(std::move(action)) {
      MutexLock lock(&cancellation_->mu_);
      cancellation_->actions_.push_back(&action_);
      if (cancellation_->cancelled_) action_();
    }
    ~Scope() {
      MutexLock lock(&cancellation_->mu_);
      std::erase(cancellation_->actions_, &action_);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Cancellation* const cancellation_;
    const std::function<void()> action_;
  };

 private:
  mutable Mutex mu_;
  CondVar changed_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<const std::function<void()>*> actions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_CANCELLATION_H_
