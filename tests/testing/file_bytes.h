#ifndef MIXFEED_TESTS_TESTING_FILE_BYTES_H_
#define MIXFEED_TESTS_TESTING_FILE_BYTES_H_

#include <fstream>
#include <iterator>
#include <string>

namespace mixfeed::testing {

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Empty where there is no such file.
inline std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_FILE_BYTES_H_
