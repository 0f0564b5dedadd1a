#include "augment/plan/sample_stream.h"

#include <algorithm>

#include "augment/plan/distributions.h"
#include "augment/plan/keyed_permutation.h"

namespace mixfeed {

SampleStream::SampleStream(std::span<const int32_t> samples, PoolId pool, Sampling sampling,
                           uint64_t seed)
    : samples_(samples), pool_(pool), sampling_(sampling), seed_(seed) {}

std::vector<int32_t> SampleStream::Draw(int64_t step, int batch) const {
  const auto index = static_cast<uint64_t>(step);
  if (sampling_ == Sampling::kWithReplacement) return DrawWithReplacement(index, batch);
  return DrawEpochs(index * static_cast<uint64_t>(batch), batch);
}

std::vector<int32_t> SampleStream::DrawEpochs(uint64_t position, int batch) const {
  const Purpose purpose =
      pool_ == PoolId::kLabelled ? Purpose::kLabelledOrder : Purpose::kUnlabelledOrder;
  std::vector<int32_t> drawn;
  drawn.reserve(static_cast<size_t>(batch));
  const uint64_t end = position + static_cast<uint64_t>(batch);
  while (position < end) {
    const uint64_t epoch = position / samples_.size();
    const uint64_t epoch_begin = epoch * samples_.size();
    const uint64_t stop = std::min(end, epoch_begin + samples_.size());
    const KeyedPermutation order(static_cast<uint32_t>(samples_.size()),
                                 PhiloxStream(seed_, purpose, epoch));
    for (; position < stop; ++position) {
      drawn.push_back(samples_[order(static_cast<uint32_t>(position - epoch_begin))]);
    }
  }
  return drawn;
}

std::vector<int32_t> SampleStream::DrawWithReplacement(uint64_t step, int batch) const {
  const Purpose purpose =
      pool_ == PoolId::kLabelled ? Purpose::kLabelledSample : Purpose::kUnlabelledSample;
  PhiloxStream stream(seed_, purpose, step);
  std::vector<int32_t> drawn(static_cast<size_t>(batch));
  for (int32_t& sample : drawn) {
    sample = samples_[UniformInt(static_cast<uint32_t>(samples_.size()), &stream)];
  }
  return drawn;
}

}  // namespace mixfeed
