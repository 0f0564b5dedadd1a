#include "client/consumer_steps.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace mixfeed {
namespace {

std::vector<uint64_t> First(const StreamOptions& options, int count) {
  ConsumerSteps steps = StepsOf(options);
  std::vector<uint64_t> taken;
  for (; count > 0; --count, steps.next += steps.stride) taken.push_back(steps.next);
  return taken;
}

using Steps = std::vector<uint64_t>;

TEST(ConsumerStepsTest, AloneEveryStepFromTheFirst) {
  EXPECT_EQ(First({.from_step = 5}, 3), (Steps{5, 6, 7}));
}

TEST(ConsumerStepsTest, RoundRobinStepsAreCongruentToTheRank) {
  for (uint32_t world = 1; world <= 4; ++world) {
    for (uint64_t from = 0; from < 9; ++from) {
      std::set<uint64_t> together;
      for (uint32_t rank = 0; rank < world; ++rank) {
        for (const uint64_t step : First({.from_step = from, .rank = rank, .world = world}, 3)) {
          EXPECT_EQ(step % world, rank);
          EXPECT_GE(step, from);
          EXPECT_TRUE(together.insert(step).second) << step << " comes twice";
        }
      }
      EXPECT_EQ(*together.rbegin() - from + 1, together.size()) << "a step is missing";
    }
  }
}

TEST(ConsumerStepsTest, BroadcastAndSplitGiveEveryStepToAll) {
  for (const auto sharing : {v1::OpenStream::BROADCAST, v1::OpenStream::SPLIT}) {
    EXPECT_EQ(First({.from_step = 2, .rank = 1, .world = 2, .sharing = sharing}, 3),
              (Steps{2, 3, 4}));
  }
}

TEST(ConsumerStepsTest, RepeatStaysAtTheFirst) {
  EXPECT_EQ(First({.from_step = 7, .repeat = true}, 3), (Steps{7, 7, 7}));
}

TEST(CheckRankTest, RanksAreBelowTheWorld) {
  EXPECT_TRUE(CheckRank({.rank = 1, .world = 2}).ok());
  EXPECT_TRUE(CheckRank({.rank = 0, .world = 0}).ok());
  for (const StreamOptions& wrong :
       {StreamOptions{.rank = 2, .world = 2}, StreamOptions{.rank = 1, .world = 0}}) {
    EXPECT_EQ(CheckRank(wrong).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(ConsumerStepsTest, AWorldOfZeroIsOne) { EXPECT_EQ(First({.world = 0}, 2), (Steps{0, 1})); }

}  // namespace
}  // namespace mixfeed
