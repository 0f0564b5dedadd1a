#ifndef MIXFEED_AUGMENT_POOL_DATASET_SOURCE_H_
#define MIXFEED_AUGMENT_POOL_DATASET_SOURCE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

// Where a dataset comes from: what `--data` says.
struct DatasetSource {
  std::string name = {};        // how feeds refer to it; taken from the folder when not given
  std::string path = {};        // a folder, or "generated"
  bool coarse_labels = false;   // CIFAR-100: the 20 coarse classes instead of the 100 fine ones
  int image_size = 32;          // folders of images are resized to this many pixels a side, 8..256
  int padded_size = 0;          // IDX files' images are padded with black to it; 0: they are not
  uint64_t generator_seed = 0;  // of the generated dataset
  std::string cache_dir = {};   // where the generated dataset is kept; empty: not cached
};

// Parses `[NAME=]DIR|generated[?key=value[&key=value]]` with the keys labels=fine|coarse, size=N,
// pad=N (as PadImages) and seed=N. Errors (InvalidArgument) name the part that is wrong and what is
// allowed.
absl::StatusOr<DatasetSource> ParseDatasetSource(const std::string& text);

// Reads the dataset; what is in the folder decides the reader (a table in dataset_source.cc, where
// "how to add a reader" is written). `progress` (may be empty) is called with 0..1 during long
// work. Errors name the file and, where there is one, the byte offset: NotFound (nothing readable
// there), DataLoss (truncated, wrong size, label out of range, undecodable image), InvalidArgument
// (an empty class, an image larger than 64 megapixels, files of two datasets, an option that does
// not apply).
absl::StatusOr<Dataset> OpenDataset(const DatasetSource& source,
                                    const std::function<void(double)>& progress = {});

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_DATASET_SOURCE_H_
