#ifndef MIXFEED_AUGMENT_POOL_GENERATED_CACHE_H_
#define MIXFEED_AUGMENT_POOL_GENERATED_CACHE_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"
#include "augment/pool/generated_dataset.h"

namespace mixfeed {

// The generated dataset of `spec`: read from its folder in `cache_dir` where that is there and
// whole (sizes and a checksum say so), otherwise drawn on all hardware threads and put there at
// once, by a rename. Without a `cache_dir` it is only drawn. A cache that cannot be written is no
// error: the dataset's notice says why. Name and fingerprint are not set.
absl::StatusOr<Dataset> OpenGeneratedDataset(const GeneratorSpec& spec,
                                             const std::string& cache_dir,
                                             const std::function<void(double)>& progress = {});

// That folder; it can be read as a CIFAR-10 binary folder, too.
std::string GeneratedCacheFolder(const GeneratorSpec& spec, const std::string& cache_dir);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_GENERATED_CACHE_H_
