#include "client/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mixfeed {
namespace {

constexpr double kPi = 3.14159265358979323846;

double Rate(const char* name, uint64_t update, uint64_t total) {
  const Schedule* const schedule = FindSchedule(name);
  EXPECT_NE(schedule, nullptr) << name;
  return RateAt(*schedule, 0.4, update, total);
}

TEST(ScheduleTest, ConstantStaysAndDoesNotDependOnTheLength) {
  for (const uint64_t update : {0u, 17u, 99u, 1000u}) EXPECT_EQ(Rate("constant", update, 100), 0.4);
  EXPECT_FALSE(FindSchedule("constant")->depends_on_length);
}

TEST(ScheduleTest, CosineIsHalfACosineDownToZero) {
  for (const uint64_t update : {0u, 1u, 25u, 50u, 99u}) {
    EXPECT_NEAR(Rate("cosine", update, 100),
                0.2 * (1 + std::cos(kPi * static_cast<double>(update) / 100)), 1e-15);
  }
  EXPECT_NEAR(Rate("cosine", 100, 100), 0, 1e-15);
  EXPECT_TRUE(FindSchedule("cosine")->depends_on_length);
}

TEST(ScheduleTest, CosineOfSevenSixteenthsIsThatOfFixMatch) {
  for (const uint64_t update : {0u, 10u, 50u, 100u}) {
    EXPECT_NEAR(Rate("cosine-7-16", update, 100),
                0.4 * std::cos(7 * kPi * static_cast<double>(update) / 1600), 1e-15);
  }
}

TEST(ScheduleTest, OneCycleRisesToTheRateThenFalls) {
  EXPECT_NEAR(Rate("one-cycle", 0, 100), 0.4 / 25, 1e-15);
  EXPECT_NEAR(Rate("one-cycle", 15, 100), (0.4 + 0.4 / 25) / 2, 1e-15);  // half of the rise
  EXPECT_NEAR(Rate("one-cycle", 30, 100), 0.4, 1e-15);
  EXPECT_NEAR(Rate("one-cycle", 65, 100), (0.4 + 0.4 / 25e4) / 2, 1e-15);
  EXPECT_NEAR(Rate("one-cycle", 100, 100), 0.4 / 25e4, 1e-15);
  for (uint64_t update = 1; update <= 100; ++update) {
    const bool rises = Rate("one-cycle", update, 100) > Rate("one-cycle", update - 1, 100);
    EXPECT_EQ(rises, update <= 30) << update;
  }
}

TEST(ScheduleTest, NoOtherNames) {
  EXPECT_EQ(FindSchedule("linear"), nullptr);
  EXPECT_EQ(FindSchedule(""), nullptr);
}

}  // namespace
}  // namespace mixfeed
