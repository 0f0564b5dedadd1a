#ifndef MIXFEED_TESTS_TESTING_SCOPED_TARGET_H_
#define MIXFEED_TESTS_TESTING_SCOPED_TARGET_H_

#include <cstdint>

#include "hwy/targets.h"

namespace mixfeed::testing {

// Runs one instruction set's code instead of the best one's until the end of the scope.
class ScopedTarget {
 public:
  explicit ScopedTarget(int64_t target) { hwy::GetChosenTarget().Update(target); }
  ~ScopedTarget() { hwy::GetChosenTarget().DeInit(); }
  ScopedTarget(const ScopedTarget&) = delete;
  ScopedTarget& operator=(const ScopedTarget&) = delete;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_SCOPED_TARGET_H_
