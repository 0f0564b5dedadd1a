#ifndef MIXFEED_TESTS_AUGMENT_WEIGHTS_GOLDEN_WEIGHTS_H_
#define MIXFEED_TESTS_AUGMENT_WEIGHTS_GOLDEN_WEIGHTS_H_

#include <gtest/gtest.h>

#include <string>

#include "tests/testing/file_bytes.h"

namespace mixfeed::testing {

// goldens/make_safetensors_goldens.py made it.
inline std::string ReadGolden(const std::string& name) {
  const std::string bytes = ReadBytes(MIXFEED_GOLDENS_DIR "/" + name);
  EXPECT_FALSE(bytes.empty()) << name;
  return bytes;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_WEIGHTS_GOLDEN_WEIGHTS_H_
