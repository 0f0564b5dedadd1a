#include "augment/plan/keyed_permutation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::LooksUniform;

KeyedPermutation Epoch(uint32_t size, uint64_t epoch) {
  return KeyedPermutation(size, PhiloxStream(99, Purpose::kLabelledOrder, epoch));
}

std::vector<uint32_t> Values(const KeyedPermutation& permutation, uint32_t size) {
  std::vector<uint32_t> values(size);
  for (uint32_t i = 0; i < size; ++i) values[i] = permutation(i);
  return values;
}

bool IsPermutation(std::vector<uint32_t> values) {
  std::sort(values.begin(), values.end());
  for (uint32_t i = 0; i < values.size(); ++i) {
    if (values[i] != i) return false;
  }
  return true;
}

TEST(KeyedPermutationTest, EverySmallSizeIsPermuted) {
  for (uint32_t size = 1; size <= 600; ++size) {
    EXPECT_TRUE(IsPermutation(Values(Epoch(size, size), size))) << size;
  }
}

TEST(KeyedPermutationTest, LargeSizesArePermuted) {
  // Squares and their neighbours are where the grid's sides change.
  for (const uint32_t size :
       {4095u, 4096u, 4097u, 9801u, 10000u, 10001u, 49750u, 50000u, 65536u, 65537u, 1000003u}) {
    EXPECT_TRUE(IsPermutation(Values(Epoch(size, 1), size))) << size;
  }
}

TEST(KeyedPermutationTest, TakesTheLargestSize) {
  constexpr uint32_t kSize = 2147483647;
  const KeyedPermutation permutation = Epoch(kSize, 0);
  std::set<uint32_t> values;
  for (uint32_t i = 0; i < 10000; ++i) values.insert(permutation(i));
  for (uint32_t i = 0; i < 10000; ++i) values.insert(permutation(kSize - 1 - i));
  EXPECT_EQ(values.size(), 20000u);
  EXPECT_LT(*values.rbegin(), kSize);
  EXPECT_GT(*values.rbegin(), kSize - kSize / 1000);
}

TEST(KeyedPermutationTest, IsAFunctionOfItsKeyAndSize) {
  EXPECT_EQ(Values(Epoch(250, 3), 250), Values(Epoch(250, 3), 250));
  EXPECT_NE(Values(Epoch(250, 3), 250), Values(Epoch(250, 4), 250));
  const KeyedPermutation other(250, PhiloxStream(99, Purpose::kUnlabelledOrder, 3));
  EXPECT_NE(Values(Epoch(250, 3), 250), Values(other, 250));
}

TEST(KeyedPermutationTest, EveryOrderOfAFewIsEquallyLikely) {
  for (const uint32_t size : {2u, 3u, 4u, 5u}) {
    std::map<std::vector<uint32_t>, int64_t> orders;
    for (uint64_t epoch = 0; epoch < 24000; ++epoch) ++orders[Values(Epoch(size, epoch), size)];
    std::vector<int64_t> counts;
    for (const auto& [order, count] : orders) counts.push_back(count);
    EXPECT_EQ(counts.size(), std::tgamma(size + 1)) << size;
    EXPECT_TRUE(LooksUniform(counts)) << size;
  }
}

class KeyedPermutationSizeTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  static constexpr uint64_t kEpochs = 20000;
};

TEST_P(KeyedPermutationSizeTest, EveryPositionGetsEveryValueEquallyOften) {
  const uint32_t size = GetParam();
  for (const uint32_t position : {0u, size / 2, size - 1}) {
    std::vector<int64_t> counts(size);
    for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) ++counts[Epoch(size, epoch)(position)];
    EXPECT_TRUE(LooksUniform(counts)) << position;
  }
}

// Where the next image comes from must not depend on where this one came from.
TEST_P(KeyedPermutationSizeTest, DistancesOfNeighboursAreUniform) {
  const uint32_t size = GetParam();
  for (const uint32_t gap : {1u, 2u, size / 2}) {
    std::vector<int64_t> counts(size - 1);
    for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
      const KeyedPermutation permutation = Epoch(size, epoch);
      const uint32_t first = permutation(static_cast<uint32_t>(epoch) % (size - gap));
      const uint32_t second = permutation(static_cast<uint32_t>(epoch) % (size - gap) + gap);
      ++counts[(second + size - first) % size - 1];
    }
    EXPECT_TRUE(LooksUniform(counts)) << gap;
  }
}

TEST_P(KeyedPermutationSizeTest, TheFirstTwoAreAnyPair) {
  const uint32_t size = GetParam();
  const uint32_t cells = size % 8 == 0 ? 8 : 10;  // so that all are of one size
  std::vector<std::vector<int64_t>> counts(cells, std::vector<int64_t>(cells));
  for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const KeyedPermutation permutation = Epoch(size, epoch);
    ++counts[permutation(0) * cells / size][permutation(1) * cells / size];
  }
  // Pairs of one cell are a little rarer, since the two differ: compare the others.
  std::vector<int64_t> off_diagonal;
  for (uint32_t i = 0; i < cells; ++i) {
    for (uint32_t j = 0; j < cells; ++j) {
      if (i != j) off_diagonal.push_back(counts[i][j]);
    }
  }
  EXPECT_TRUE(LooksUniform(off_diagonal));
}

TEST_P(KeyedPermutationSizeTest, OrdersOfConsecutiveEpochsAreUnrelated) {
  const uint32_t size = GetParam();
  std::vector<int64_t> counts(size);
  for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const uint32_t now = Epoch(size, epoch)(0);
    const uint32_t next = Epoch(size, epoch + 1)(0);
    ++counts[(next + size - now) % size];
  }
  EXPECT_TRUE(LooksUniform(counts));
}

INSTANTIATE_TEST_SUITE_P(Sizes, KeyedPermutationSizeTest, ::testing::Values(8, 10, 64, 250));

// A uniform permutation has one fixed point and one ascending neighbour pair on average.
TEST(KeyedPermutationTest, HasAsManyFixedPointsAndRunsAsARandomOne) {
  constexpr uint32_t kSize = 1000;
  constexpr uint64_t kEpochs = 500;
  double fixed = 0;
  double successors = 0;
  for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const std::vector<uint32_t> values = Values(Epoch(kSize, epoch), kSize);
    for (uint32_t i = 0; i < kSize; ++i) {
      fixed += values[i] == i ? 1 : 0;
      successors += i > 0 && values[i] == values[i - 1] + 1 ? 1 : 0;
    }
  }
  const double tolerance = testing::kSigmas / std::sqrt(static_cast<double>(kEpochs));
  EXPECT_NEAR(fixed / kEpochs, 1, tolerance);
  EXPECT_NEAR(successors / kEpochs, 1, tolerance);
}

// Batches are consecutive indices under one key, so one permutation must look random by itself.
TEST(KeyedPermutationTest, DistancesWithinOneLargeEpochAreUniform) {
  constexpr uint32_t kSize = 50000;
  constexpr uint32_t kCells = 100;
  for (uint64_t epoch = 0; epoch < 5; ++epoch) {
    const std::vector<uint32_t> values = Values(Epoch(kSize, epoch), kSize);
    // 224 is the grid's width.
    for (const uint32_t gap : {1u, 2u, 3u, 16u, 223u, 224u, 225u, 25000u}) {
      std::vector<int64_t> counts(kCells);
      for (uint32_t i = gap; i < kSize; ++i) {
        ++counts[(values[i] + kSize - values[i - gap]) % kSize / (kSize / kCells)];
      }
      EXPECT_TRUE(LooksUniform(counts)) << "epoch " << epoch << ", gap " << gap;
    }
  }
}

// Half of all permutations are odd, but a grid of odd sides would give even ones
// only.
TEST(KeyedPermutationTest, OddAndEvenPermutationsBothOccur) {
  for (const uint32_t size : {9u, 16u, 25u, 36u}) {
    int odd = 0;
    for (uint64_t epoch = 0; epoch < 2000; ++epoch) {
      const std::vector<uint32_t> values = Values(Epoch(size, epoch), size);
      int inversions = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        for (size_t j = 0; j < i; ++j) inversions += values[j] > values[i] ? 1 : 0;
      }
      odd += inversions % 2;
    }
    EXPECT_TRUE(testing::LooksLikeRate(odd, 2000, 0.5)) << size << ": " << odd;
  }
}

}  // namespace
}  // namespace mixfeed
