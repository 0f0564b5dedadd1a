#ifndef MIXFEED_AUGMENT_POOL_GENERATED_DATASET_H_
#define MIXFEED_AUGMENT_POOL_GENERATED_DATASET_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "augment/base/thread_pool.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

// Sizes of the generated dataset, which are CIFAR-10's.
inline constexpr int64_t kGeneratedTrainImages = 50000;
inline constexpr int64_t kGeneratedTestImages = 10000;

// Changes when the same seed gives other images.
inline constexpr int kGeneratorVersion = 1;

// Draws a dataset of 10 classes of shapes (painter.h) in random order, equally many of each where
// the numbers of images are multiples of 10. Depends on `seed` and these numbers alone, not on the
// threads. `progress` (may be empty) is called on the caller's thread. Name and fingerprint are not
// set.
absl::StatusOr<Dataset> GenerateDataset(uint64_t seed, int64_t train_images, int64_t test_images,
                                        ThreadPool* threads,
                                        const std::function<void(double)>& progress = {});

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_GENERATED_DATASET_H_
