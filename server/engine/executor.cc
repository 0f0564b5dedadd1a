#include "server/engine/executor.h"

#include <utility>

namespace mixfeed {

Executor::Executor(int threads) {
  for (int i = 0; i < threads; ++i) workers_.emplace_back([this] { Work(); });
}

void Executor::Post(Lane lane, std::function<void()> task) {
  {
    MutexLock lock(&mu_);
    lanes_[static_cast<size_t>(lane)].push_back(std::move(task));
  }
  posted_.NotifyOne();
}

void Executor::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  posted_.NotifyAll();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void Executor::Work() {
  size_t first = static_cast<size_t>(Lane::kDeliver);
  while (std::function<void()> task = Take(&first)) task();
}

std::function<void()> Executor::Take(size_t* first) {
  MutexLock lock(&mu_);
  for (;;) {
    for (size_t i = 0; i < kLanes; ++i) {
      const size_t lane = (*first + i) % kLanes;
      if (lanes_[lane].empty()) continue;
      std::function<void()> task = std::move(lanes_[lane].front());
      lanes_[lane].pop_front();
      *first = (lane + 1) % kLanes;
      return task;
    }
    if (stopping_) return nullptr;
    posted_.Wait(&mu_);
  }
}

}  // namespace mixfeed
