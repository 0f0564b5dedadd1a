#ifndef MIXFEED_AUGMENT_BATCH_SINGLE_FLIGHT_H_
#define MIXFEED_AUGMENT_BATCH_SINGLE_FLIGHT_H_

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "augment/base/mutex.h"

namespace mixfeed {

// Lets callers that want the same thing at the same time share one making of it. Nothing is kept:
// who comes after it was made has it made again. Thread safe; holds one entry for each making that
// is under way.
template <typename Key, typename Value>
class SingleFlight {
 public:
  // Runs `make` and returns its value, or, while another call runs its own for `key`, waits for
  // that one and returns its value. What `make` throws, all of them throw. `make` must not call Do.
  Value Do(const Key& key, const std::function<Value()>& make) {
    std::shared_ptr<Flight> flight;
    {
      MutexLock lock(&mu_);
      std::shared_ptr<Flight>& known = flights_[key];
      if (known != nullptr) return WaitFor(std::shared_ptr<Flight>(known));
      flight = known = std::make_shared<Flight>();
    }
    std::optional<Value> value;
    std::exception_ptr error;
    try {
      value = make();
    } catch (...) {
      error = std::current_exception();
    }
    MutexLock lock(&mu_);
    flight->value = value;
    flight->error = error;
    flight->landed = true;
    flights_.erase(key);
    landed_.NotifyAll();
    return Take(*flight);
  }

 private:
  struct Flight {
    bool landed = false;
    std::optional<Value> value;
    std::exception_ptr error;  // or what was thrown instead
  };

  static Value Take(const Flight& flight) {
    if (flight.error != nullptr) std::rethrow_exception(flight.error);
    return *flight.value;
  }

  Value WaitFor(std::shared_ptr<Flight> flight) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (!flight->landed) landed_.Wait(&mu_);
    return Take(*flight);
  }

  Mutex mu_;
  CondVar landed_;
  std::map<Key, std::shared_ptr<Flight>> flights_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BATCH_SINGLE_FLIGHT_H_
