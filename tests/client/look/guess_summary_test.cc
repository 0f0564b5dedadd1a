#include "client/look/guess_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/client/look/guess_spans.h"

namespace mixfeed {
namespace {

using testing::AddSpan;
using testing::AddValidation;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TwoClassStats;

TEST(GuessSummaryTest, NothingIsKnownWithoutSpans) {
  EXPECT_EQ(SummariseNewest(TwoClassStats()).images, 0u);
  EXPECT_THAT(SummariseEvenly(TwoClassStats()), IsEmpty());
  EXPECT_EQ(PictureOf(TwoClassStats()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(GuessSummaryTest, MeansAreOverImagesAndCountsAreSums) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  v1::GuessSpan* const small = AddSpan(3, 100, &stats);
  small->set_confidence(0.5);
  small->set_agreement(0.4);
  small->set_class_mean(0, 0.35);
  small->set_class_mean(1, 0.65);
  small->set_age(2);
  small->set_max_age(9);
  v1::GuessSpan* const large = AddSpan(4, 300, &stats);
  large->set_agreement(0.8);
  large->set_accuracy(0.6);
  large->set_steps(3);
  const GuessSummary newest = SummariseNewest(stats);
  EXPECT_EQ(newest.model, "net");
  EXPECT_EQ(newest.version, 4u);
  EXPECT_EQ(newest.first_update, 30u);
  EXPECT_EQ(newest.update, 40u);
  EXPECT_EQ(newest.images, 400u);
  EXPECT_NEAR(newest.confidence, (0.5 * 100 + 0.75 * 300) / 400, 1e-12);
  EXPECT_NEAR(newest.agreement.value(), 0.7, 1e-12);
  EXPECT_NEAR(newest.accuracy.value(), 0.6, 1e-12);  // of those that have one
  EXPECT_NEAR(newest.age, 2.0 / 4, 1e-12);
  EXPECT_EQ(newest.max_age, 9u);
  EXPECT_THAT(newest.class_mean, ElementsAre(DoubleNear(0.65, 1e-12), DoubleNear(0.35, 1e-12)));
  EXPECT_NEAR(newest.effective_classes, std::exp(-0.65 * std::log(0.65) - 0.35 * std::log(0.35)),
              1e-12);
  EXPECT_NEAR(newest.prior_distance, 0.15, 1e-12);
  EXPECT_EQ(newest.confidence_histogram.at(15), 1);
  EXPECT_FALSE(newest.validation.has_value());
}

TEST(GuessSummaryTest, TheNewestAreAsManyImagesAsSayEnough) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  for (uint64_t version = 0; version < 10; ++version) AddSpan(version, 300, &stats);
  const GuessSummary newest = SummariseNewest(stats);
  EXPECT_EQ(newest.images, 1200u);
  EXPECT_EQ(newest.first_update, 60u);
}

TEST(GuessSummaryTest, OnlyTheModelThatCameLastCounts) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  AddSpan(1, 500, &stats)->set_model("old");
  AddSpan(2, 100, &stats);
  EXPECT_EQ(SummariseNewest(stats).images, 100u);
  EXPECT_EQ(SummariseEvenly(stats).size(), 1u);
}

TEST(GuessSummaryTest, PartsAreAboutAsLargeAsEachOther) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  for (uint64_t version = 0; version < 3; ++version) AddSpan(version, 1000, &stats);
  for (uint64_t version = 3; version < 20; ++version) AddSpan(version, 100, &stats);
  const auto parts = SummariseEvenly(stats);
  std::vector<uint64_t> images;
  uint64_t last = 0;
  for (const GuessSummary& part : parts) {
    images.push_back(part.images);
    EXPECT_GE(part.update, last);
    last = part.update;
  }
  EXPECT_THAT(images, ElementsAre(1000, 1000, 1200, 500, 500, 500));
}

TEST(GuessSummaryTest, FewImagesAreTakenTogetherEvenWhereNoSpanHasMore) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  for (uint64_t version = 0; version < 9; ++version) AddSpan(version, 64, &stats);
  const auto parts = SummariseEvenly(stats);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].images, 64u);
  EXPECT_EQ(parts[2].images, 256u);
}

TEST(GuessSummaryTest, TheNewestValidationIsKept) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  for (uint64_t version = 0; version < 3; ++version) {
    v1::GuessSpan* const span = AddSpan(version, 64, &stats);
    if (version < 2) AddValidation(span);
  }
  EXPECT_EQ(SummariseNewest(stats).validation->version(), 1u);
}

TEST(GuessSummaryTest, ThePictureHasWhatTheSummariesHave) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  v1::GuessSpan* const span = AddSpan(3, 300, &stats);
  span->set_agreement(0.9);
  AddValidation(span)->set_drift(0.0625);
  stats.set_warning("guesses collapse");
  const auto picture = PictureOf(stats);
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->newest, "300 images, update 30");
  EXPECT_THAT(picture->subtitle, ::testing::HasSubstr("WARNING"));
  EXPECT_THAT(picture->class_names, ElementsAre("cat", "dog"));
  EXPECT_THAT(picture->class_mean, ElementsAre(DoubleNear(0.75, 1e-12), DoubleNear(0.25, 1e-12)));
  EXPECT_THAT(picture->prior, ElementsAre(0.5, 0.5));
  ASSERT_EQ(picture->points.size(), 1u);
  const GuessPoint& point = picture->points[0];
  EXPECT_EQ(point.update, 30);
  EXPECT_NEAR(point.confidence, 0.75, 1e-12);
  EXPECT_NEAR(point.agreement.value(), 0.9, 1e-12);
  EXPECT_FALSE(point.accuracy.has_value());
  EXPECT_EQ(point.validation_accuracy, 0.625);
  EXPECT_EQ(point.calibration_error, 0.125);
  EXPECT_EQ(point.drift, 0.0625);
  EXPECT_NEAR(point.prior_distance, 0.25, 1e-12);
}

TEST(GuessSummaryTest, UpdatesAreNamedAsOneOrAsARange) {
  EXPECT_EQ(UpdatesText(5, 5), "update 5");
  EXPECT_EQ(UpdatesText(5, 20), "updates 5 to 20");
}

}  // namespace
}  // namespace mixfeed
