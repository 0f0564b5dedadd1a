#include "augment/pool/dataset.h"

#include <memory>

#include "xxhash.h"

namespace mixfeed {
namespace {

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

class Fingerprint {
 public:
  Fingerprint() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }

  template <typename T>
  void Add(const T* values, size_t count) {
    XXH3_64bits_update(state_.get(), values, count * sizeof(T));
  }
  void AddNumber(int64_t value) { Add(&value, 1); }
  // Counts first, so that an image moved from one partition to the other changes the result.
  void AddImages(const ImageSet& images) {
    AddNumber(images.count());
    Add(images.labels.data(), images.labels.size());
    Add(images.pixels.data(), images.pixels.size());
  }

  uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  const std::unique_ptr<XXH3_state_t, FreeState> state_;
};

}  // namespace

uint64_t FingerprintDataset(const Dataset& dataset) {
  Fingerprint fingerprint;
  const ImageShape& shape = dataset.shape;
  for (int64_t number : {shape.channels, shape.height, shape.width, dataset.num_classes()}) {
    fingerprint.AddNumber(number);
  }
  fingerprint.AddImages(dataset.train);
  fingerprint.AddImages(dataset.test);
  return fingerprint.value();
}

}  // namespace mixfeed
