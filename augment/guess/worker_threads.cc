#include "augment/guess/worker_threads.h"

#include <utility>

namespace mixfeed {

WorkerThreads::WorkerThreads(int count, std::function<void()> setup) : setup_(std::move(setup)) {
  for (int worker = 0; worker < count; ++worker) {
    threads_.emplace_back([this, worker] { Loop(worker); });
  }
  MutexLock lock(&mu_);
  while (ready_ < count) task_done_.Wait(&mu_);
}

WorkerThreads::~WorkerThreads() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  work_ready_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerThreads::Run(const std::function<void(int worker)>& work) {
  Task task{.work = &work};
  MutexLock lock(&mu_);
  queue_.push_back(&task);
  work_ready_.NotifyOne();
  while (!task.done) task_done_.Wait(&mu_);
}

void WorkerThreads::Loop(int worker) {
  setup_();
  {
    MutexLock lock(&mu_);
    ++ready_;
  }
  task_done_.NotifyAll();
  while (Task* task = NextTask()) {
    (*task->work)(worker);
    Finish(task);
  }
}

WorkerThreads::Task* WorkerThreads::NextTask() {
  MutexLock lock(&mu_);
  while (queue_.empty() && !stopping_) work_ready_.Wait(&mu_);
  if (queue_.empty()) return nullptr;
  Task* task = queue_.front();
  queue_.pop_front();
  return task;
}

void WorkerThreads::Finish(Task* task) {
  MutexLock lock(&mu_);
  task->done = true;
  task_done_.NotifyAll();
}

}  // namespace mixfeed
