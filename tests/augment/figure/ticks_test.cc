#include "augment/figure/ticks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mixfeed {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Texts(double low, double high, int most) {
  std::vector<std::string> texts;
  for (const Tick& tick : NiceTicks(low, high, most)) texts.push_back(tick.text);
  return texts;
}

TEST(TicksTest, StepsAreOneTwoOrFive) {
  EXPECT_THAT(Texts(0, 1, 11), ElementsAre("0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7",
                                           "0.8", "0.9", "1.0"));
  EXPECT_THAT(Texts(0, 1, 10), ElementsAre("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(Texts(0, 1, 5), ElementsAre("0.0", "0.5", "1.0"));
  EXPECT_THAT(Texts(0, 1, 2), ElementsAre("0", "1"));
}

TEST(TicksTest, LiesInsideTheAxis) {
  EXPECT_THAT(Texts(-0.6, 2.4, 5), ElementsAre("0", "1", "2"));
  EXPECT_THAT(Texts(-0.3, 0.3, 4), ElementsAre("-0.2", "0.0", "0.2"));
}

TEST(TicksTest, EvenOnesHaveTheirStep) {
  const auto texts = [](double low, double high, double step) {
    std::vector<std::string> all;
    for (const Tick& tick : EvenTicks(low, high, step)) all.push_back(tick.text);
    return all;
  };
  EXPECT_THAT(texts(0, 1.12, 0.2), ElementsAre("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(texts(-0.6, 2.4, 1), ElementsAre("0", "1", "2"));
}

TEST(TicksTest, NumbersMayBeLargeAndSmall) {
  EXPECT_THAT(Texts(0, 60000, 4), ElementsAre("0", "20000", "40000", "60000"));
  EXPECT_THAT(Texts(0, 0.0009, 5), ElementsAre("0.0000", "0.0002", "0.0004", "0.0006", "0.0008"));
}

}  // namespace
}  // namespace mixfeed
