#include "augment/guess/serial_thread.h"

namespace mixfeed {

SerialThread::SerialThread() : thread_([this] { Loop(); }) {}

SerialThread::~SerialThread() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  work_ready_.NotifyAll();
  thread_.join();
}

void SerialThread::Run(const std::function<void()>& work) {
  Task task{.work = &work};
  MutexLock lock(&mu_);
  queue_.push_back(&task);
  work_ready_.NotifyOne();
  while (!task.done) task_done_.Wait(&mu_);
}

void SerialThread::Loop() {
  while (Task* task = NextTask()) {
    (*task->work)();
    Finish(task);
  }
}

SerialThread::Task* SerialThread::NextTask() {
  MutexLock lock(&mu_);
  while (queue_.empty() && !stopping_) work_ready_.Wait(&mu_);
  if (queue_.empty()) return nullptr;
  Task* task = queue_.front();
  queue_.pop_front();
  return task;
}

void SerialThread::Finish(Task* task) {
  MutexLock lock(&mu_);
  task->done = true;
  task_done_.NotifyAll();
}

}  // namespace mixfeed
