#include "server/engine/step_sequence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

std::vector<int64_t> Take(absl::StatusOr<StepSequence> steps, size_t most = 4) {
  EXPECT_TRUE(steps.ok()) << steps.status();
  std::vector<int64_t> taken;
  while (steps.ok() && !steps->done() && taken.size() < most) taken.push_back(steps->Take());
  return taken;
}

absl::StatusOr<StepSequence> Create(Sharing sharing, int64_t from_step, int rank, int world,
                                    std::optional<int64_t> steps = std::nullopt) {
  StreamSpec spec;
  spec.sharing = sharing;
  spec.from_step = from_step;
  spec.rank = rank;
  spec.world = world;
  return StepSequence::Create(spec, steps);
}

TEST(StepSequenceTest, RoundRobinTakesTheStepsOfItsRank) {
  EXPECT_THAT(Take(Create(Sharing::kRoundRobin, 0, 0, 1)), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Take(Create(Sharing::kRoundRobin, 0, 2, 3)), ElementsAre(2, 5, 8, 11));
  EXPECT_THAT(Take(Create(Sharing::kRoundRobin, 5, 2, 3)), ElementsAre(5, 8, 11, 14));
  EXPECT_THAT(Take(Create(Sharing::kRoundRobin, 6, 2, 3)), ElementsAre(8, 11, 14, 17));
  EXPECT_THAT(Take(Create(Sharing::kRoundRobin, 7, 0, 3)), ElementsAre(9, 12, 15, 18));
}

TEST(StepSequenceTest, RanksDivideTheStepsWhateverTheFirst) {
  for (int64_t from = 0; from < 12; ++from) {
    std::vector<int> seen(40, 0);
    for (int rank = 0; rank < 5; ++rank) {
      for (const int64_t step : Take(Create(Sharing::kRoundRobin, from, rank, 5, 40), 40)) {
        ++seen[static_cast<size_t>(step)];
        EXPECT_EQ(step % 5, rank);
      }
    }
    for (int64_t step = 0; step < 40; ++step) {
      EXPECT_EQ(seen[static_cast<size_t>(step)], step >= from ? 1 : 0);
    }
  }
}

TEST(StepSequenceTest, BroadcastAndSplitTakeEveryStep) {
  EXPECT_THAT(Take(Create(Sharing::kBroadcast, 3, 1, 2, 6)), ElementsAre(3, 4, 5));
  EXPECT_THAT(Take(Create(Sharing::kSplit, 3, 1, 2, 6)), ElementsAre(3, 4, 5));
}

TEST(StepSequenceTest, MayBeEmpty) {
  EXPECT_THAT(Take(Create(Sharing::kRoundRobin, 5, 0, 3, 6)), IsEmpty());
}

TEST(StepSequenceTest, SingleIsOneStep) {
  EXPECT_THAT(Take(StepSequence::Single(7, std::nullopt)), ElementsAre(7));
  EXPECT_THAT(Take(StepSequence::Single(7, 8)), ElementsAre(7));
}

TEST(StepSequenceTest, StepsOutsideOfTheFeedAreOutOfRange) {
  for (const int64_t step : {int64_t{-1}, int64_t{6}, kMax}) {
    EXPECT_EQ(Create(Sharing::kBroadcast, step, 0, 1, 6).status().code(),
              absl::StatusCode::kOutOfRange);
    EXPECT_EQ(StepSequence::Single(step, 6).status().code(), absl::StatusCode::kOutOfRange);
  }
  EXPECT_EQ(StepSequence::Single(kMax, std::nullopt).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(StepSequenceTest, LargestStepsDoNotOverflow) {
  EXPECT_THAT(Take(Create(Sharing::kRoundRobin, kMax - 2, 0, 1)), ElementsAre(kMax - 2, kMax - 1));
  EXPECT_THAT(
      Take(Create(Sharing::kRoundRobin, kMax - 1, static_cast<int>((kMax - 2) % 1000), 1000)),
      IsEmpty());
}

}  // namespace
}  // namespace mixfeed
