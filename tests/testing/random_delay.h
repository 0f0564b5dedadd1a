#ifndef MIXFEED_TESTS_TESTING_RANDOM_DELAY_H_
#define MIXFEED_TESTS_TESTING_RANDOM_DELAY_H_

#include <chrono>
#include <random>
#include <thread>

namespace mixfeed::testing {

// Sleeps for a time from 0 to 2 ms that `random` draws. A fault to be injected, never a wait for a
// result.
inline void DelayAtRandom(std::mt19937* random) {
  std::this_thread::sleep_for(std::chrono::microseconds((*random)() % 2001));
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_RANDOM_DELAY_H_
