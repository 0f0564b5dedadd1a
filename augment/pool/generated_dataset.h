#ifndef MIXFEED_AUGMENT_POOL_GENERATED_DATASET_H_
#define MIXFEED_AUGMENT_POOL_GENERATED_DATASET_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "augment/base/thread_pool.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

// Changes when the same seed gives other images.
inline constexpr int kGeneratorVersion = 1;

struct GeneratorSpec {
  uint64_t seed = 0;
  // CIFAR-10's sizes. The classes are equally large where these are multiples of 10.
  int64_t train_images = 50000;
  int64_t test_images = 10000;
};

// Draws a dataset of 10 classes of shapes (painter.h) in random order. Depends on `spec` alone, not
// on the threads. `progress` (may be empty) is called on the caller's thread. Name and fingerprint
// are not set.
absl::StatusOr<Dataset> GenerateDataset(const GeneratorSpec& spec, ThreadPool* threads,
                                        const std::function<void(double)>& progress = {});

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_GENERATED_DATASET_H_
