// Which rows a consumer gets and in which order, MixMatch's interleave included.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "augment/batch/batch.h"
#include "tests/augment/recipe/golden_file.h"
#include "tests/augment/recipe/reference_mixmode.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

Plan PlanOf(int batch, int views, bool interleaved) {
  Plan plan;
  plan.labelled_rows = plan.unlabelled_rows = batch;
  plan.views = views;
  plan.interleaved = interleaved;
  return plan;
}

std::vector<int32_t> Counted(int32_t rows) {
  std::vector<int32_t> all(static_cast<size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

TEST(RowsOfShareTest, OneConsumerGetsAllRowsInOrder) {
  EXPECT_EQ(RowsOfShare(PlanOf(8, 2, false), {}), Counted(24));
}

TEST(RowsOfShareTest, EveryGroupIsDividedAlike) {
  const Plan plan = PlanOf(4, 2, false);
  EXPECT_THAT(RowsOfShare(plan, {0, 2}), ElementsAre(0, 1, 4, 5, 8, 9));
  EXPECT_THAT(RowsOfShare(plan, {1, 2}), ElementsAre(2, 3, 6, 7, 10, 11));
  Plan larger = plan;  // three unlabelled images a labelled one
  larger.unlabelled_rows = 12;
  larger.views = 1;
  EXPECT_THAT(RowsOfShare(larger, {3, 4}), ElementsAre(3, 13, 14, 15));
}

TEST(InterleaveTest, OrdersAreThoseOfTheReference) {
  for (const testing::GoldenCase& golden : testing::ReadGoldens("mixmatch.txt", "interleave")) {
    const Plan plan = PlanOf(golden.integer("batch"), golden.integer("views"), true);
    EXPECT_THAT(RowsOfShare(plan, {}), ElementsAreArray(golden.integers("order"))) << golden.name();
  }
}

TEST(InterleaveTest, OrdersOfAnySizeAreThoseOfTheRestatedReference) {
  for (const int batch : {1, 2, 3, 7, 16, 63, 64, 100}) {
    for (const int views : {1, 2, 3, 8}) {
      EXPECT_EQ(RowsOfShare(PlanOf(batch, views, true), {}),
                testing::InterleavedOrder(batch, views))
          << batch << " " << views;
    }
  }
}

// Trap 8. interleave_offsets of 64 rows in three groups are 0, 21, 42, 64: batch 0 is of 21
// labelled rows, 21 first views and 22 second ones; batches 1 and 2 have 21 and 22 labelled ones.
TEST(InterleaveTest, EveryGroupIsALikeSampleOfAll) {
  const std::vector<int32_t> rows = RowsOfShare(PlanOf(64, 2, true), {});
  const auto counts_of = [&rows](size_t group) {
    std::vector<int> counts(3);
    for (size_t i = 64 * group; i < 64 * (group + 1); ++i)
      ++counts[static_cast<size_t>(rows[i] / 64)];
    return counts;
  };
  EXPECT_THAT(counts_of(0), ElementsAre(21, 21, 22));
  EXPECT_THAT(counts_of(1), ElementsAre(21, 43, 0));
  EXPECT_THAT(counts_of(2), ElementsAre(22, 0, 42));
  EXPECT_EQ(rows[20], 20);
  EXPECT_EQ(rows[21], 64 + 21);
  EXPECT_EQ(rows[42], 128 + 42);
}

TEST(InterleaveTest, TwiceIsNothing) {
  for (const int batch : {5, 64}) {
    const std::vector<int32_t> rows = RowsOfShare(PlanOf(batch, 2, true), {});
    std::vector<int32_t> twice;
    for (const int32_t row : rows) twice.push_back(rows[static_cast<size_t>(row)]);
    EXPECT_EQ(twice, Counted(3 * batch));
    EXPECT_NE(rows, twice);
  }
}

// A consumer has the rows that it has without, in the order of a batch of its own size.
TEST(InterleaveTest, OfAShareItIsOfTheSharesRows) {
  for (int rank = 0; rank < 4; ++rank) {
    const std::vector<int32_t> plain = RowsOfShare(PlanOf(64, 2, false), {rank, 4});
    std::vector<int32_t> expected;
    for (const int32_t place : testing::InterleavedOrder(16, 2)) {
      expected.push_back(plain[static_cast<size_t>(place)]);
    }
    EXPECT_EQ(RowsOfShare(PlanOf(64, 2, true), {rank, 4}), expected);
  }
}

}  // namespace
}  // namespace mixfeed
