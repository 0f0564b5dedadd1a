#include "augment/pool/numpy_random.h"

#include <bit>

namespace mixfeed {

uint32_t NumpyRandom::Interval(uint32_t max) {
  if (max == 0) return 0;  // NumPy draws nothing then
  const uint32_t mask = ~uint32_t{0} >> std::countl_zero(max);
  for (;;) {
    const uint32_t value = static_cast<uint32_t>(generator_()) & mask;
    if (value <= max) return value;
  }
}

}  // namespace mixfeed
