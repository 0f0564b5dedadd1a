#ifndef MIXFEED_AUGMENT_POOL_DATASET_H_
#define MIXFEED_AUGMENT_POOL_DATASET_H_

#include <cstdint>
#include <string>
#include <vector>

namespace mixfeed {

// Label of an image whose class is not known.
inline constexpr int16_t kNoLabel = -1;

// Largest height and width of an image, in pixels, of datasets and on the wire.
inline constexpr int kMaxImageSide = 256;

// Size of one image. Channels is 1 (grey) or 3 (R, G, B).
struct ImageShape {
  int channels = 3;
  int height = 32;
  int width = 32;

  constexpr int64_t pixels() const { return int64_t{channels} * height * width; }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

// Images of one partition, in file order; `sample` everywhere in the project is an index into it.
struct ImageSet {
  std::vector<uint8_t> pixels;  // [count][channels][height][width]
  std::vector<int16_t> labels;  // [count], 0 <= label < classes, or kNoLabel

  int64_t count() const { return static_cast<int64_t>(labels.size()); }
};

// Which images a sample index counts in.
enum class Partition : uint8_t { kTrain, kTest };

// A dataset in memory, as read from disk or generated. Immutable once read; shared between threads.
struct Dataset {
  std::string name;  // what feed specs call it, e.g. "cifar10"
  ImageShape shape;
  std::vector<std::string> class_names;
  ImageSet train;
  ImageSet test;  // may be empty
  // XXH3-64 of shape, class count, labels and pixels: equal exactly when the data are.
  uint64_t fingerprint = 0;
  // What went wrong while it was read without making it worse, for a log; empty: nothing.
  std::string notice;

  int num_classes() const { return static_cast<int>(class_names.size()); }
  const ImageSet& partition(Partition p) const { return p == Partition::kTrain ? train : test; }
};

// Fingerprint of `dataset`'s contents (its name is left out).
uint64_t FingerprintDataset(const Dataset& dataset);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_DATASET_H_
