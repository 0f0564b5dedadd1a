#ifndef MIXFEED_SERVER_KSERVE_KSERVE_CLOCK_H_
#define MIXFEED_SERVER_KSERVE_KSERVE_CLOCK_H_

#include <chrono>
#include <thread>

namespace mixfeed {

// The time by which a model elsewhere is tried again; tests have one of their own. Thread safe.
class KserveClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  virtual ~KserveClock() = default;
  virtual Time Now() { return std::chrono::steady_clock::now(); }
  virtual void Sleep(std::chrono::milliseconds pause) { std::this_thread::sleep_for(pause); }
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_KSERVE_KSERVE_CLOCK_H_
