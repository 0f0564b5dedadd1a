#ifndef MIXFEED_TESTS_AUGMENT_POOL_STL10_FILES_H_
#define MIXFEED_TESTS_AUGMENT_POOL_STL10_FILES_H_

#include <filesystem>
#include <string>

#include "augment/pool/dataset.h"
#include "tests/testing/file_bytes.h"

namespace mixfeed::testing {

// The images of `set` (3 x 96 x 96) as STL-10 has them: each plane column by column.
inline std::string Stl10Images(const ImageSet& set) {
  constexpr size_t kSide = 96;
  std::string bytes;
  for (size_t plane = 0; plane < set.pixels.size() / (kSide * kSide); ++plane) {
    for (size_t x = 0; x < kSide; ++x) {
      for (size_t y = 0; y < kSide; ++y) {
        bytes += static_cast<char>(set.pixels[(plane * kSide + y) * kSide + x]);
      }
    }
  }
  return bytes;
}

inline std::string Stl10Labels(const ImageSet& set) {
  std::string bytes;
  for (const int16_t label : set.labels) bytes += static_cast<char>(label + 1);
  return bytes;
}

// Writes the labelled partitions of `dataset` as STL-10's binary version.
inline void WriteStl10(const std::string& folder, const Dataset& dataset) {
  std::filesystem::create_directories(folder);
  WriteBytes(folder + "/train_X.bin", Stl10Images(dataset.train));
  WriteBytes(folder + "/train_y.bin", Stl10Labels(dataset.train));
  WriteBytes(folder + "/test_X.bin", Stl10Images(dataset.test));
  WriteBytes(folder + "/test_y.bin", Stl10Labels(dataset.test));
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_POOL_STL10_FILES_H_
