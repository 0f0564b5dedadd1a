#ifndef MIXFEED_TESTS_SERVER_KSERVE_FAKE_CLOCK_H_
#define MIXFEED_TESTS_SERVER_KSERVE_FAKE_CLOCK_H_

#include <vector>

#include "augment/base/mutex.h"
#include "server/kserve/kserve_clock.h"

namespace mixfeed::testing {

// A clock on which a sleep takes no time, but moves it on.
class FakeClock final : public KserveClock {
 public:
  Time Now() override {
    MutexLock lock(&mu_);
    return now_;
  }
  void Sleep(std::chrono::milliseconds pause) override {
    MutexLock lock(&mu_);
    now_ += pause;
    sleeps_.push_back(pause);
  }
  std::vector<std::chrono::milliseconds> sleeps() {
    MutexLock lock(&mu_);
    return sleeps_;
  }

 private:
  Mutex mu_;
  Time now_ ABSL_GUARDED_BY(mu_);
  std::vector<std::chrono::milliseconds> sleeps_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_SERVER_KSERVE_FAKE_CLOCK_H_
