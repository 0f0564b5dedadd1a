#include "augment/base/nearest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace mixfeed {
namespace {

using ::testing::ElementsAre;

// Wagner and Fischer 1974 and the usual examples.
TEST(NearestTest, DistancesAreLevenshteins) {
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("saturday", "sunday"), 3);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("abc", ""), 3);
  EXPECT_EQ(EditDistance("MixMatch", "mixmatch"), 0);
}

TEST(NearestTest, LongTextsAreComparedByTheirStart) {
  EXPECT_EQ(EditDistance(std::string(1 << 24, 'a'), "a"), 199);
}

TEST(NearestTest, NamesComeNearestFirstAndEquallyFarOnesInOrder) {
  EXPECT_THAT(NearestFirst("mixop", {"cutmix", "mixmatch", "mixup"}),
              ElementsAre("mixup", "cutmix", "mixmatch"));
  EXPECT_THAT(NearestFirst("x", {"c", "a", "b"}), ElementsAre("c", "a", "b"));
}

}  // namespace
}  // namespace mixfeed
