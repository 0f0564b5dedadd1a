#include "augment/plan/pairing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;

PhiloxStream Stream(uint64_t step) { return PhiloxStream(11, Purpose::kPairing, step); }

TEST(PairingTest, ReversedPairsFirstWithLast) {
  EXPECT_THAT(DrawPartners(Pairing::kReversed, 5, Stream(0)), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(DrawPartners(Pairing::kReversed, 1, Stream(0)), ElementsAre(0));
}

TEST(PairingTest, RolledPairsWithTheRowBefore) {
  EXPECT_THAT(DrawPartners(Pairing::kRolled, 5, Stream(0)), ElementsAre(4, 0, 1, 2, 3));
  EXPECT_THAT(DrawPartners(Pairing::kRolled, 1, Stream(0)), ElementsAre(0));
}

TEST(PairingTest, PermutationPairsEveryRowOnce) {
  for (const int rows : {1, 2, 64, 192, 36864}) {
    std::vector<int32_t> partner = DrawPartners(Pairing::kPermutation, rows, Stream(1));
    std::sort(partner.begin(), partner.end());
    std::vector<int32_t> all(static_cast<size_t>(rows));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(partner, all);
  }
}

TEST(PairingTest, EveryPermutationIsEquallyLikely) {
  std::map<std::vector<int32_t>, int64_t> orders;
  for (uint64_t step = 0; step < 24000; ++step) {
    ++orders[DrawPartners(Pairing::kPermutation, 4, Stream(step))];
  }
  std::vector<int64_t> counts;
  for (const auto& [order, count] : orders) counts.push_back(count);
  EXPECT_EQ(counts.size(), 24u);
  EXPECT_TRUE(testing::LooksUniform(counts));
}

// Their number is Poisson of mean 1; without them the distribution would be another.
TEST(PairingTest, FixedPointsOccurAtTheExpectedRate) {
  constexpr int kRows = 192;
  constexpr int kSteps = 4000;
  int64_t fixed = 0;
  int64_t none = 0;
  for (uint64_t step = 0; step < kSteps; ++step) {
    const std::vector<int32_t> partner = DrawPartners(Pairing::kPermutation, kRows, Stream(step));
    int here = 0;
    for (int row = 0; row < kRows; ++row) here += partner[static_cast<size_t>(row)] == row ? 1 : 0;
    fixed += here;
    none += here == 0 ? 1 : 0;
  }
  EXPECT_TRUE(testing::LooksLikeRate(fixed, int64_t{kRows} * kSteps, 1.0 / kRows)) << fixed;
  EXPECT_TRUE(testing::LooksLikeRate(none, kSteps, std::exp(-1.0))) << none;
}

}  // namespace
}  // namespace mixfeed
