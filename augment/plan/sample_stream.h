#ifndef MIXFEED_AUGMENT_PLAN_SAMPLE_STREAM_H_
#define MIXFEED_AUGMENT_PLAN_SAMPLE_STREAM_H_

#include <cstdint>
#include <span>
#include <vector>

#include "augment/plan/philox.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// A sample, and how it came.
struct DrawnSample {
  int32_t sample = 0;
  int32_t place = 0;  // in the stream's list
  int64_t epoch = 0;  // 0 when drawn with replacement
};

// An endless stream of a pool's samples. Position s of kEpochs is place s mod n of the permutation
// of epoch s / n, for a list of n samples: every sample once an epoch, batches run on over its end
// (kTiled is the same). kEpochsDropLast leaves out what no whole batch is left for.
// Immutable; streams of the two pools are independent.
class SampleStream {
 public:
  // `samples` must outlive the stream, is not empty and has at most 2^31 - 1 entries. `pool` is
  // kLabelled or kUnlabelled.
  SampleStream(std::span<const int32_t> samples, PoolId pool, Sampling sampling, uint64_t seed);

  // The samples of positions step * batch ... step * batch + batch - 1. kEpochsDropLast: batch is
  // at most the list's size.
  std::vector<DrawnSample> Draw(int64_t step, int batch) const;

 private:
  // From place `offset` of an epoch's order on, over its end.
  std::vector<DrawnSample> DrawEpochs(uint64_t epoch, uint64_t offset, int batch) const;
  std::vector<DrawnSample> DrawWithReplacement(uint64_t step, int batch) const;
  // With the samples of their places, looked up all at once: each is in another part of memory.
  std::vector<DrawnSample> Located(std::vector<DrawnSample> drawn) const;

  const std::span<const int32_t> samples_;
  const PoolId pool_;
  const Sampling sampling_;
  const uint64_t seed_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_SAMPLE_STREAM_H_
