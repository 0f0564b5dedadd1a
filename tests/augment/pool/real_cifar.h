#ifndef MIXFEED_TESTS_AUGMENT_POOL_REAL_CIFAR_H_
#define MIXFEED_TESTS_AUGMENT_POOL_REAL_CIFAR_H_

#include <cstdlib>
#include <string>

namespace mixfeed::testing {

// The folder with CIFAR-10's .bin files, which MIXFEED_CIFAR_DIR names; empty without one.
inline std::string RealCifarFolder() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no test sets a variable
  const char* const folder = std::getenv("MIXFEED_CIFAR_DIR");
  return folder == nullptr ? "" : folder;
}

}  // namespace mixfeed::testing

// Ends the test as skipped where there is no real CIFAR-10.
#define MIXFEED_SKIP_WITHOUT_REAL_CIFAR()            \
  if (::mixfeed::testing::RealCifarFolder().empty()) \
  GTEST_SKIP() << "MIXFEED_CIFAR_DIR does not name a folder with CIFAR-10's .bin files"

#endif  // MIXFEED_TESTS_AUGMENT_POOL_REAL_CIFAR_H_
