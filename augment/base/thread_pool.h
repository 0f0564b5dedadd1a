#ifndef MIXFEED_AUGMENT_BASE_THREAD_POOL_H_
#define MIXFEED_AUGMENT_BASE_THREAD_POOL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "augment/base/mutex.h"

namespace mixfeed {

// A fixed set of threads that share loops with whoever calls ParallelFor. Thread safe: any number
// of callers may run loops at once. The queue holds at most `threads - 1` entries per caller, who
// takes those that are left of a loop out again before it returns.
class ThreadPool {
 public:
  // `threads` counts the caller: ThreadPool(1) starts none and runs every loop inline. Values below
  // 1 mean 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Entries in the queue.
  size_t queued() const;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end) on disjoint ranges that together cover [0, count), each at most `grain`
  // long, on the caller and the pool's threads; returns when all have returned. `body` must be safe
  // to call concurrently and must not throw.
  void ParallelFor(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body);

 private:
  struct Loop;
  static void RunChunks(Loop* loop);
  void Work();

  mutable Mutex mu_;
  CondVar work_ready_;
  std::deque<std::shared_ptr<Loop>> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::vector<std::thread> workers_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BASE_THREAD_POOL_H_
