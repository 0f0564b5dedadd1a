#include "augment/guess/worker_threads.h"

#include <utility>

namespace mixfeed {

WorkerThreads::WorkerThreads(int count, std::function<void()> setup) : setup_(std::move(setup)) {
  for (int worker = 0; worker < count; ++worker) {
    threads_.emplace_back([this, worker] { Loop(worker); });
  }
  MutexLock lock(&mu_);
  while (ready_ < count) set_up_.Wait(&mu_);
}

WorkerThreads::~WorkerThreads() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  work_ready_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerThreads::Run(int tasks, const std::function<void(int task, int worker)>& work) {
  Call call{.work = &work, .left = tasks};
  MutexLock lock(&mu_);
  for (int task = 0; task < tasks; ++task) {
    queue_.push_back({&call, task});
    work_ready_.NotifyOne();
  }
  while (call.left > 0) call.done.Wait(&mu_);
}

void WorkerThreads::Loop(int worker) {
  setup_();
  {
    MutexLock lock(&mu_);
    ++ready_;
  }
  set_up_.NotifyAll();
  for (Task task = NextTask(); task.call != nullptr; task = NextTask()) {
    (*task.call->work)(task.number, worker);
    Finish(task.call);
  }
}

WorkerThreads::Task WorkerThreads::NextTask() {
  MutexLock lock(&mu_);
  while (queue_.empty() && !stopping_) work_ready_.Wait(&mu_);
  if (queue_.empty()) return {nullptr, 0};
  const Task task = queue_.front();
  queue_.pop_front();
  return task;
}

// The call ends with its caller's wait, so it is told under the lock.
void WorkerThreads::Finish(Call* call) {
  MutexLock lock(&mu_);
  if (--call->left == 0) call->done.NotifyOne();
}

}  // namespace mixfeed
