#ifndef MIXFEED_AUGMENT_GUESS_WORKER_THREADS_H_
#define MIXFEED_AUGMENT_GUESS_WORKER_THREADS_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "augment/base/mutex.h"

namespace mixfeed {

// Threads that run what they are given, begun in the order in which it came. Thread safe. Every
// caller waits for its own work, so the queue is never longer than what the callers gave.
class WorkerThreads {
 public:
  // `setup` runs first on each thread, before the constructor returns. It must not throw.
  WorkerThreads(int count, std::function<void()> setup);
  // No call of Run may be under way.
  ~WorkerThreads();
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  int count() const { return static_cast<int>(threads_.size()); }

  // Runs work(task, worker) for every task of 0..tasks-1 on the thread with the number `worker`
  // (0..count-1), as many at once as there are threads, and returns when all have run. `work` must
  // not throw, nor call Run.
  void Run(int tasks, const std::function<void(int task, int worker)>& work);

 private:
  // What one caller waits for.
  struct Call {
    const std::function<void(int, int)>* work;
    int left;  // tasks
    CondVar done = {};
  };
  struct Task {
    Call* call;  // nullptr: there is none any more
    int number;
  };
  void Loop(int worker);
  Task NextTask();
  void Finish(Call* call);

  const std::function<void()> setup_;

  Mutex mu_;
  CondVar work_ready_;
  CondVar set_up_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mu_);
  int ready_ ABSL_GUARDED_BY(mu_) = 0;  // threads that have run setup_
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_WORKER_THREADS_H_
