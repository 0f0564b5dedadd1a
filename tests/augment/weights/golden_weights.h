#ifndef MIXFEED_TESTS_AUGMENT_WEIGHTS_GOLDEN_WEIGHTS_H_
#define MIXFEED_TESTS_AUGMENT_WEIGHTS_GOLDEN_WEIGHTS_H_

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace mixfeed::testing {

// goldens/make_safetensors_goldens.py made it.
inline std::string ReadGolden(const std::string& name) {
  std::ifstream file(MIXFEED_GOLDENS_DIR "/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_WEIGHTS_GOLDEN_WEIGHTS_H_
