#include "augment/base/thread_pool.h"

#include <algorithm>
#include <atomic>

namespace mixfeed {

struct ThreadPool::Loop {
  int64_t count;
  int64_t grain;
  const std::function<void(int64_t, int64_t)>* body;  // outlives every chunk: the caller waits
  std::atomic<int64_t> next{0};

  Mutex mu;
  CondVar all_done;
  int64_t done ABSL_GUARDED_BY(mu) = 0;
};

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { Work(); });
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  work_ready_.NotifyAll();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::RunChunks(Loop* loop) {
  int64_t finished = 0;
  for (;;) {
    const int64_t begin = loop->next.fetch_add(loop->grain);
    if (begin >= loop->count) break;
    const int64_t end = std::min(begin + loop->grain, loop->count);
    (*loop->body)(begin, end);
    finished += end - begin;
  }
  if (finished == 0) return;
  MutexLock lock(&loop->mu);
  loop->done += finished;
  if (loop->done == loop->count) loop->all_done.NotifyAll();
}

void ThreadPool::ParallelFor(int64_t count, int64_t grain,
                             const std::function<void(int64_t, int64_t)>& body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t chunks = (count + grain - 1) / grain;
  if (workers_.empty() || chunks == 1) {
    for (int64_t begin = 0; begin < count; begin += grain) {
      body(begin, std::min(begin + grain, count));
    }
    return;
  }
  auto loop = std::make_shared<Loop>();
  loop->count = count;
  loop->grain = grain;
  loop->body = &body;
  const int64_t helpers = std::min<int64_t>(chunks - 1, static_cast<int64_t>(workers_.size()));
  {
    MutexLock lock(&mu_);
    for (int64_t i = 0; i < helpers; ++i) queue_.push_back(loop);
  }
  work_ready_.NotifyAll();
  RunChunks(loop.get());
  {
    // Entries that no thread came to: there is nothing left to do for them.
    MutexLock lock(&mu_);
    std::erase(queue_, loop);
  }
  MutexLock lock(&loop->mu);
  while (loop->done < loop->count) loop->all_done.Wait(&loop->mu);
}

size_t ThreadPool::queued() const {
  MutexLock lock(&mu_);
  return queue_.size();
}

void ThreadPool::Work() {
  for (;;) {
    std::shared_ptr<Loop> loop;
    {
      MutexLock lock(&mu_);
      while (queue_.empty() && !stopping_) work_ready_.Wait(&mu_);
      if (queue_.empty()) return;
      loop = std::move(queue_.front());
      queue_.pop_front();
    }
    RunChunks(loop.get());
  }
}

}  // namespace mixfeed
