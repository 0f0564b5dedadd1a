#ifndef MIXFEED_TESTS_TESTING_TINY_DATASET_H_
#define MIXFEED_TESTS_TESTING_TINY_DATASET_H_

#include <cstdint>
#include <random>
#include <string>

#include "augment/pool/dataset.h"

namespace mixfeed::testing {

// Random pixels and the labels 0, 1, ..., classes-1, 0, 1, ... in turn; the same for the same seed.
inline ImageSet TinyImages(const ImageShape& shape, int64_t count, int classes, uint32_t seed) {
  std::mt19937 random(seed);
  ImageSet set;
  set.pixels.resize(static_cast<size_t>(count * shape.pixels()));
  for (uint8_t& pixel : set.pixels) pixel = static_cast<uint8_t>(random());
  for (int64_t i = 0; i < count; ++i) set.labels.push_back(static_cast<int16_t>(i % classes));
  return set;
}

inline Dataset TinyDataset(int64_t train = 200, int64_t test = 50, int classes = 10,
                           ImageShape shape = {}) {
  Dataset dataset;
  dataset.name = "tiny";
  dataset.shape = shape;
  for (int c = 0; c < classes; ++c) dataset.class_names.push_back("class" + std::to_string(c));
  dataset.train = TinyImages(shape, train, classes, 1);
  dataset.test = TinyImages(shape, test, classes, 2);
  dataset.fingerprint = FingerprintDataset(dataset);
  return dataset;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_TINY_DATASET_H_
