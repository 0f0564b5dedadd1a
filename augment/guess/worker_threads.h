#ifndef MIXFEED_AUGMENT_GUESS_WORKER_THREADS_H_
#define MIXFEED_AUGMENT_GUESS_WORKER_THREADS_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "augment/base/mutex.h"

namespace mixfeed {

// Threads that run what they are given, begun in the order in which it came. Thread safe. Every
// caller waits for its own work, so the queue is never longer than the number of callers.
class WorkerThreads {
 public:
  // `setup` runs first on each thread, before the constructor returns. It must not throw.
  WorkerThreads(int count, std::function<void()> setup);
  // No call of Run may be under way.
  ~WorkerThreads();
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  int count() const { return static_cast<int>(threads_.size()); }

  // Runs work(worker) on the thread with that number (0..count-1) and returns when it has. `work`
  // must not throw, nor call Run.
  void Run(const std::function<void(int worker)>& work);

 private:
  struct Task {
    const std::function<void(int)>* work;
    bool done = false;
  };
  void Loop(int worker);
  Task* NextTask();
  void Finish(Task* task);

  const std::function<void()> setup_;

  Mutex mu_;
  CondVar work_ready_;
  CondVar task_done_;
  std::deque<Task*> queue_ ABSL_GUARDED_BY(mu_);
  int ready_ ABSL_GUARDED_BY(mu_) = 0;  // threads that have run setup_
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_WORKER_THREADS_H_
