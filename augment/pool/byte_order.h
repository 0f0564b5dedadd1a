#ifndef MIXFEED_AUGMENT_POOL_BYTE_ORDER_H_
#define MIXFEED_AUGMENT_POOL_BYTE_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace mixfeed {

// The unsigned number whose `count` bytes, up to seven, begin at `at`, the most significant first;
// the caller has checked that they are there.
inline int64_t BigEndian(std::span<const uint8_t> bytes, size_t at, size_t count) {
  int64_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | bytes[at + i];
  return value;
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_BYTE_ORDER_H_
