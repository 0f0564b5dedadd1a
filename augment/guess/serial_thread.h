#ifndef MIXFEED_AUGMENT_GUESS_SERIAL_THREAD_H_
#define MIXFEED_AUGMENT_GUESS_SERIAL_THREAD_H_

#include <deque>
#include <functional>
#include <thread>

#include "augment/base/mutex.h"

namespace mixfeed {

// One thread that runs what it is given, in the order in which it came. Thread safe. Every caller
// waits for its own work, so the queue is never longer than the number of callers.
class SerialThread {
 public:
  SerialThread();
  // No call of Run may be under way.
  ~SerialThread();
  SerialThread(const SerialThread&) = delete;
  SerialThread& operator=(const SerialThread&) = delete;

  // Runs `work` on the thread and returns when it has. `work` must not throw, nor call Run.
  void Run(const std::function<void()>& work);

 private:
  struct Task {
    const std::function<void()>* work;
    bool done = false;
  };
  void Loop();
  Task* NextTask();
  void Finish(Task* task);

  Mutex mu_;
  CondVar work_ready_;
  CondVar task_done_;
  std::deque<Task*> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_SERIAL_THREAD_H_
