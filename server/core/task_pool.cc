#include "server/core/task_pool.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace mixfeed {

TaskPool::TaskPool(int threads, size_t max_waiting) : max_waiting_(max_waiting) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

TaskPool::~TaskPool() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status TaskPool::Run(std::function<void()> task) {
  MutexLock lock(&mu_);
  if (waiting_.size() >= max_waiting_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the server is busy: ", waiting_.size(), " calls wait; try again later"));
  }
  waiting_.push_back(std::move(task));
  changed_.NotifyOne();
  return absl::OkStatus();
}

void TaskPool::Work() {
  for (;;) {
    std::function<void()> task;
    {
      MutexLock lock(&mu_);
      while (waiting_.empty() && !stopping_) changed_.Wait(&mu_);
      if (waiting_.empty()) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task();
  }
}

}  // namespace mixfeed
