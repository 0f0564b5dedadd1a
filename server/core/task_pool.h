#ifndef MIXFEED_SERVER_CORE_TASK_POOL_H_
#define MIXFEED_SERVER_CORE_TASK_POOL_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "augment/base/mutex.h"

namespace mixfeed {

// Threads for work that is too slow for a transport's thread. Thread safe. Bounded: with
// `max_waiting` tasks waiting, a further one is refused with ResourceExhausted. The destructor runs
// what waits, then joins.
class TaskPool {
 public:
  TaskPool(int threads, size_t max_waiting);
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  // OK: `task` will run exactly once, on one of the pool's threads.
  absl::Status Run(std::function<void()> task);

 private:
  void Work();

  const size_t max_waiting_;

  Mutex mu_;
  CondVar changed_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_TASK_POOL_H_
