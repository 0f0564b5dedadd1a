#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>
#include <vector>

#include "client/train/report.h"

namespace mixfeed {
namespace {

using ::testing::Optional;

TEST(TrainReportTest, HistoryOfALongTrainingThinsOutEvenly) {
  constexpr uint64_t kSteps = 100'000;
  std::ostringstream out, err;
  Console console{out, err};
  TrainReport report(&console, {.steps = kSteps, .log_every = 1, .png = ""});
  ASSERT_TRUE(report.Begin(0, {}).ok());
  for (uint64_t update = 1; update <= kSteps; ++update) {
    ASSERT_TRUE(report.Updated({.update = update, .loss = 1.0 / double(update)}).ok());
  }
  const Json history = report.History();
  const Json& lines = history["updates"];
  ASSERT_EQ(lines.size(), kSteps / 16);
  for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i]["update"], 16 * (i + 1));

  TrainReport resumed(&console, {.steps = kSteps, .png = ""});
  resumed.Restore(history);
  EXPECT_EQ(resumed.History(), history);
}

TEST(TrainReportTest, MedianIsOfTheLastTwentyEvaluations) {
  std::vector<EvalReport> evals;
  EXPECT_EQ(MedianOfLast(evals), std::nullopt);
  for (int i = 0; i < 3; ++i) evals.push_back({.accuracy = 0.1 * (i + 1)});
  EXPECT_THAT(MedianOfLast(evals), Optional(::testing::DoubleEq(0.2)));
  evals.assign(10, {.accuracy = 0});
  for (int i = 0; i < 20; ++i) evals.push_back({.accuracy = i < 10 ? 0.25 : 0.75});
  EXPECT_THAT(MedianOfLast(evals), Optional(0.5));
}

}  // namespace
}  // namespace mixfeed
