#ifndef MIXFEED_SERVER_ENGINE_EXECUTOR_H_
#define MIXFEED_SERVER_ENGINE_EXECUTOR_H_

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "augment/base/mutex.h"

namespace mixfeed {

// A fixed set of threads that run posted tasks. Each lane is first in, first out, and a worker that
// has run a task of one lane looks into the other one first: neither starves the other. Thread
// safe. The queues are as long as their users make them: the engine posts at most one task a lane
// and stream.
class Executor {
 public:
  enum class Lane : size_t { kDeliver, kMake };

  explicit Executor(int threads);
  ~Executor() { Stop(); }
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Not after Stop.
  void Post(Lane lane, std::function<void()> task);

  // Runs what was posted, then joins the threads. Must not be called by a task.
  void Stop();

 private:
  static constexpr size_t kLanes = 2;

  void Work();
  // The next task, from `first` if it has one; empty when the executor has stopped.
  std::function<void()> Take(size_t* first);

  Mutex mu_;
  CondVar posted_;
  std::array<std::deque<std::function<void()>>, kLanes> lanes_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::vector<std::thread> workers_;
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_ENGINE_EXECUTOR_H_
