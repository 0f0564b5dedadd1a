#ifndef MIXFEED_TESTS_AUGMENT_WEIGHTS_SAFETENSORS_BYTES_H_
#define MIXFEED_TESTS_AUGMENT_WEIGHTS_SAFETENSORS_BYTES_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "augment/weights/state_dict.h"

namespace mixfeed::testing {

// The eight bytes of `value`, the least significant first.
inline std::string LittleEndian64(uint64_t value) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

// A safetensors file of this header, unpadded, and these data.
inline std::string SafetensorsOf(const std::string& header, const std::string& data) {
  return LittleEndian64(header.size()) + header + data;
}

// Of bytes that must be sound.
inline StateDict MustParse(std::string bytes) {
  absl::StatusOr<StateDict> weights = StateDict::Parse(std::move(bytes));
  EXPECT_TRUE(weights.ok()) << weights.status();
  return *std::move(weights);
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_WEIGHTS_SAFETENSORS_BYTES_H_
