#ifndef MIXFEED_TESTS_TESTING_ALLOCATION_COUNTER_H_
#define MIXFEED_TESTS_TESTING_ALLOCATION_COUNTER_H_

#include <cstdint>

namespace mixfeed::testing {

// Bytes that the program has asked malloc and its kin for since its start, freed or not, on all
// threads; operator new and gRPC's slices end there too. Linking the counter replaces the C
// library's functions, or hooks into the sanitizer's.
int64_t AllocatedBytes();

// The largest single allocation since the last call.
int64_t TakeLargestAllocation();

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_ALLOCATION_COUNTER_H_
