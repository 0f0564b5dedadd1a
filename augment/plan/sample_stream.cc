#include "augment/plan/sample_stream.h"

#include <algorithm>
#include <utility>

#include "augment/plan/distributions.h"
#include "augment/plan/keyed_permutation.h"

namespace mixfeed {

SampleStream::SampleStream(std::span<const int32_t> samples, PoolId pool, Sampling sampling,
                           uint64_t seed)
    : samples_(samples), pool_(pool), sampling_(sampling), seed_(seed) {}

std::vector<DrawnSample> SampleStream::Draw(int64_t step, int batch) const {
  const auto index = static_cast<uint64_t>(step);
  const auto size = static_cast<uint64_t>(batch);
  switch (sampling_) {
    case Sampling::kWithReplacement:
      return DrawWithReplacement(index, batch);
    case Sampling::kEpochsDropLast: {
      const uint64_t whole = samples_.size() / size;
      return DrawEpochs(index / whole, index % whole * size, batch);
    }
    case Sampling::kEpochs:
    case Sampling::kTiled:
      break;
  }
  return DrawEpochs(index * size / samples_.size(), index * size % samples_.size(), batch);
}

std::vector<DrawnSample> SampleStream::Located(std::vector<DrawnSample> drawn) const {
  for (DrawnSample& sample : drawn) sample.sample = samples_[static_cast<size_t>(sample.place)];
  return drawn;
}

std::vector<DrawnSample> SampleStream::DrawEpochs(uint64_t epoch, uint64_t offset,
                                                  int batch) const {
  const Purpose purpose =
      pool_ == PoolId::kLabelled ? Purpose::kLabelledOrder : Purpose::kUnlabelledOrder;
  const auto size = static_cast<size_t>(batch);
  std::vector<DrawnSample> drawn;
  drawn.reserve(size);
  for (; drawn.size() < size; ++epoch, offset = 0) {
    const uint64_t stop = std::min<uint64_t>(offset + size - drawn.size(), samples_.size());
    const KeyedPermutation order(static_cast<uint32_t>(samples_.size()),
                                 PhiloxStream(seed_, purpose, epoch));
    for (; offset < stop; ++offset) {
      drawn.push_back({.place = static_cast<int32_t>(order(static_cast<uint32_t>(offset))),
                       .epoch = static_cast<int64_t>(epoch)});
    }
  }
  return Located(std::move(drawn));
}

std::vector<DrawnSample> SampleStream::DrawWithReplacement(uint64_t step, int batch) const {
  const Purpose purpose =
      pool_ == PoolId::kLabelled ? Purpose::kLabelledSample : Purpose::kUnlabelledSample;
  PhiloxStream stream(seed_, purpose, step);
  std::vector<DrawnSample> drawn(static_cast<size_t>(batch));
  for (DrawnSample& sample : drawn) {
    sample.place =
        static_cast<int32_t>(UniformInt(static_cast<uint32_t>(samples_.size()), &stream));
  }
  return Located(std::move(drawn));
}

}  // namespace mixfeed
