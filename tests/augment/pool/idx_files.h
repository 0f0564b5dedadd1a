#ifndef MIXFEED_TESTS_AUGMENT_POOL_IDX_FILES_H_
#define MIXFEED_TESTS_AUGMENT_POOL_IDX_FILES_H_

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>

#include "augment/pool/dataset.h"
#include "tests/augment/pool/gzip_files.h"
#include "tests/testing/file_bytes.h"

namespace mixfeed::testing {

// The header of an IDX file of unsigned bytes.
inline std::string IdxHeader(std::initializer_list<int64_t> sizes) {
  std::string header = {0, 0, 8, static_cast<char>(sizes.size())};
  for (const int64_t size : sizes) {
    for (const int shift : {24, 16, 8, 0}) header += static_cast<char>(size >> shift);
  }
  return header;
}

inline std::string IdxImages(const ImageSet& set, const ImageShape& shape) {
  return IdxHeader({set.count(), shape.height, shape.width}) +
         std::string(set.pixels.begin(), set.pixels.end());
}

inline std::string IdxLabels(const ImageSet& set) {
  return IdxHeader({set.count()}) + std::string(set.labels.begin(), set.labels.end());
}

// Writes `dataset` (grey) as the four files that MNIST is published in, not compressed.
inline void WriteIdx(const std::string& folder, const Dataset& dataset) {
  std::filesystem::create_directories(folder);
  WriteBytes(folder + "/train-images-idx3-ubyte", IdxImages(dataset.train, dataset.shape));
  WriteBytes(folder + "/train-labels-idx1-ubyte", IdxLabels(dataset.train));
  WriteBytes(folder + "/t10k-images-idx3-ubyte", IdxImages(dataset.test, dataset.shape));
  WriteBytes(folder + "/t10k-labels-idx1-ubyte", IdxLabels(dataset.test));
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_POOL_IDX_FILES_H_
