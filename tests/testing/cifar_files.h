#ifndef MIXFEED_TESTS_TESTING_CIFAR_FILES_H_
#define MIXFEED_TESTS_TESTING_CIFAR_FILES_H_

#include <filesystem>
#include <fstream>
#include <string>

#include "augment/pool/dataset.h"

namespace mixfeed::testing {

// Writes images [begin, end) of `set` as records of one label byte and 3,072 bytes of planes.
inline void WriteCifarRecords(const std::string& path, const ImageSet& set, int64_t begin,
                              int64_t end) {
  std::ofstream file(path, std::ios::binary);
  const auto image_bytes = static_cast<int64_t>(set.pixels.size()) / set.count();
  for (int64_t i = begin; i < end; ++i) {
    file.put(static_cast<char>(set.labels[static_cast<size_t>(i)]));
    file.write(reinterpret_cast<const char*>(set.pixels.data()) + i * image_bytes, image_bytes);
  }
}

// Writes `dataset` (32x32 RGB) as a CIFAR-10 binary folder: five training files of equal size and
// one test file.
inline void WriteCifar10(const std::string& dir, const Dataset& dataset) {
  std::filesystem::create_directories(dir);
  const int64_t train = dataset.train.count();
  for (int64_t part = 0; part < 5; ++part) {
    WriteCifarRecords(dir + "/data_batch_" + std::to_string(part + 1) + ".bin", dataset.train,
                      train * part / 5, train * (part + 1) / 5);
  }
  WriteCifarRecords(dir + "/test_batch.bin", dataset.test, 0, dataset.test.count());
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_CIFAR_FILES_H_
