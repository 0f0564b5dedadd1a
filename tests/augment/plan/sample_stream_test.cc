#include "augment/plan/sample_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

using ::testing::Each;
using ::testing::UnorderedElementsAreArray;

// Samples that are not their own places: 1000, 1003, 1006, ...
std::vector<int32_t> List(size_t size) {
  std::vector<int32_t> list(size);
  for (size_t i = 0; i < size; ++i) list[i] = 1000 + 3 * static_cast<int32_t>(i);
  return list;
}

std::vector<int32_t> Samples(const std::vector<DrawnSample>& drawn) {
  std::vector<int32_t> samples;
  for (const DrawnSample& sample : drawn) samples.push_back(sample.sample);
  return samples;
}

std::vector<int32_t> FirstSamples(const SampleStream& stream, int batch, int64_t steps) {
  std::vector<int32_t> samples;
  for (int64_t step = 0; step < steps; ++step) {
    const std::vector<int32_t> drawn = Samples(stream.Draw(step, batch));
    samples.insert(samples.end(), drawn.begin(), drawn.end());
  }
  return samples;
}

// Batches that divide the pool, that do not, that exceed it several times.
TEST(SampleStreamTest, EverySampleOnceAnEpoch) {
  const std::vector<int32_t> list = List(30);
  const SampleStream stream(list, PoolId::kLabelled, Sampling::kEpochs, 1);
  for (const int batch : {1, 7, 30, 64, 100}) {
    const std::vector<int32_t> samples = FirstSamples(stream, batch, 600 / batch + 1);
    for (size_t begin = 0; begin + 30 <= samples.size(); begin += 30) {
      const std::vector<int32_t> epoch(samples.begin() + static_cast<ptrdiff_t>(begin),
                                       samples.begin() + static_cast<ptrdiff_t>(begin + 30));
      EXPECT_THAT(epoch, UnorderedElementsAreArray(list)) << "batch " << batch << " at " << begin;
    }
  }
}

TEST(SampleStreamTest, TheBatchSizeOnlyCutsTheStream) {
  const std::vector<int32_t> list = List(30);
  const SampleStream stream(list, PoolId::kLabelled, Sampling::kEpochs, 1);
  EXPECT_EQ(FirstSamples(stream, 6, 50), FirstSamples(stream, 100, 3));
}

TEST(SampleStreamTest, EpochsHaveDifferentOrders) {
  const std::vector<int32_t> list = List(30);
  const SampleStream stream(list, PoolId::kLabelled, Sampling::kEpochs, 1);
  std::set<std::vector<int32_t>> orders;
  for (int64_t epoch = 0; epoch < 100; ++epoch) orders.insert(Samples(stream.Draw(epoch, 30)));
  EXPECT_EQ(orders.size(), 100u);
}

TEST(SampleStreamTest, PoolsAndSeedsHaveStreamsOfTheirOwn) {
  const std::vector<int32_t> list = List(300);
  for (const Sampling sampling : {Sampling::kEpochs, Sampling::kWithReplacement}) {
    std::set<std::vector<int32_t>> streams;
    for (const PoolId pool : {PoolId::kLabelled, PoolId::kUnlabelled}) {
      for (const uint64_t seed : {uint64_t{0}, uint64_t{1}}) {
        streams.insert(Samples(SampleStream(list, pool, sampling, seed).Draw(0, 64)));
      }
    }
    EXPECT_EQ(streams.size(), 4u);
  }
}

TEST(SampleStreamTest, WithReplacementEverySampleIsEquallyLikely) {
  const std::vector<int32_t> list = List(30);
  const SampleStream stream(list, PoolId::kUnlabelled, Sampling::kWithReplacement, 1);
  std::vector<int64_t> counts(list.size());
  int64_t repeats = 0;
  for (int64_t step = 0; step < 3000; ++step) {
    const std::vector<int32_t> drawn = Samples(stream.Draw(step, 10));
    for (const int32_t sample : drawn) ++counts.at(static_cast<size_t>((sample - 1000) / 3));
    repeats += std::set<int32_t>(drawn.begin(), drawn.end()).size() < drawn.size() ? 1 : 0;
  }
  EXPECT_TRUE(testing::LooksUniform(counts));
  // The birthday problem: 1 - 30! / (20! 30^10).
  double distinct = 1;
  for (int i = 0; i < 10; ++i) distinct *= (30.0 - i) / 30;
  EXPECT_TRUE(testing::LooksLikeRate(repeats, 3000, 1 - distinct)) << repeats;
}

TEST(SampleStreamTest, FarStepsDoNotOverflow) {
  constexpr int64_t kFar = int64_t{1} << 48;
  const std::vector<int32_t> list = List(10);
  for (const Sampling sampling : {Sampling::kEpochs, Sampling::kWithReplacement}) {
    const SampleStream stream(list, PoolId::kLabelled, sampling, 1);
    EXPECT_THAT(Samples(stream.Draw(kFar, 4096)), Each(::testing::AnyOfArray(list)));
    EXPECT_NE(Samples(stream.Draw(kFar, 10)), Samples(stream.Draw(kFar - 1, 10)));
  }
  const SampleStream epochs(list, PoolId::kLabelled, Sampling::kEpochs, 1);
  EXPECT_THAT(Samples(epochs.Draw(kFar, 10)), UnorderedElementsAreArray(list));
}

// A pool of nearly two of the largest batches: the position of a far step is beyond 64 bits.
TEST(SampleStreamTest, FarEpochsThatDropTheRestDoNotOverflow) {
  constexpr int64_t kFar = int64_t{1} << 48;
  constexpr int kBatch = 61680;
  const std::vector<int32_t> list = List(2 * kBatch - 1);
  const SampleStream stream(list, PoolId::kUnlabelled, Sampling::kEpochsDropLast, 1);
  std::set<int32_t> samples;
  for (const DrawnSample& drawn : stream.Draw(kFar, kBatch)) {
    EXPECT_EQ(drawn.epoch, kFar);
    samples.insert(drawn.sample);
  }
  EXPECT_EQ(samples.size(), static_cast<size_t>(kBatch));
}

TEST(SampleStreamTest, OneSampleIsAlwaysThatOne) {
  const std::vector<int32_t> list = {17};
  for (const Sampling sampling : {Sampling::kEpochs, Sampling::kWithReplacement}) {
    EXPECT_THAT(Samples(SampleStream(list, PoolId::kLabelled, sampling, 1).Draw(5, 8)), Each(17));
  }
}

}  // namespace
}  // namespace mixfeed
