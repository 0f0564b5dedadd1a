#include "augment/target/measures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace mixfeed {
namespace {

TEST(MeasuresTest, EntropyIsInNats) {
  EXPECT_DOUBLE_EQ(EntropyNats(std::vector<double>{0.25, 0.25, 0.25, 0.25}), std::log(4));
  EXPECT_DOUBLE_EQ(EntropyNats(std::vector<float>{0.5f, 0.5f, 0.0f}), std::log(2));
  EXPECT_EQ(EntropyNats(std::vector<float>{0.0f, 1.0f}), 0);
}

TEST(MeasuresTest, EffectiveClassesOfAUniformDistributionAreItsClasses) {
  EXPECT_DOUBLE_EQ(EffectiveClasses(std::vector<double>{0.2, 0.2, 0.2, 0.2, 0.2}), 5);
  EXPECT_DOUBLE_EQ(EffectiveClasses(std::vector<double>{0, 1, 0}), 1);
  // 0.5 ln 2 + 2 * 0.25 ln 4 = 1.5 ln 2.
  EXPECT_NEAR(EffectiveClasses(std::vector<double>{0.5, 0.25, 0.25}), std::pow(2, 1.5), 1e-12);
}

TEST(MeasuresTest, TotalVariationIsOneForWhatSharesNothing) {
  EXPECT_DOUBLE_EQ(TotalVariation(std::vector<double>{1, 0}, std::vector<double>{0, 1}), 1);
  EXPECT_DOUBLE_EQ(TotalVariation(std::vector<double>{0.5, 0.5}, std::vector<double>{0.5, 0.5}), 0);
  EXPECT_DOUBLE_EQ(
      TotalVariation(std::vector<double>{0.5, 0.25, 0.25}, std::vector<double>{0.25, 0.25, 0.5}),
      0.25);
}

TEST(MeasuresTest, MeanTotalVariationIsOverRows) {
  const std::vector<float> a = {1, 0, 0.5f, 0.5f};
  const std::vector<float> b = {0, 1, 0.5f, 0.5f};
  EXPECT_DOUBLE_EQ(MeanTotalVariation(a, b, 2), 0.5);
}

TEST(MeasuresTest, TheFirstOfEquallyLikelyClassesCounts) {
  EXPECT_EQ(MostLikely(std::vector<float>{0.2f, 0.4f, 0.4f}), 1u);
}

TEST(MeasuresTest, CalibrationOfAHandMadeCase) {
  // Bins of 1/15: 0.9 twice in (13/15, 14/15], once right; 0.6 once in (8/15, 9/15]: 0.6 as float32
  // is above 9/15, so in the next bin, alone and right.
  const std::vector<float> guesses = {0.9f, 0.1f, 0.9f, 0.1f, 0.4f, 0.6f};
  const std::vector<int16_t> labels = {0, 1, 1};
  const Calibration calibration = CalibrationOf(guesses, labels, 2);
  EXPECT_EQ(calibration.images, 3u);
  EXPECT_NEAR(calibration.accuracy, 2.0 / 3, 1e-12);
  EXPECT_NEAR(calibration.confidence, 0.8, 1e-7);
  // 2/3 * |1/2 - 0.9| + 1/3 * |1 - 0.6|
  EXPECT_NEAR(calibration.error, 0.4, 1e-7);
}

TEST(MeasuresTest, CertainAndRightIsCalibratedCertainAndWrongIsNot) {
  const std::vector<float> guesses = {1, 0, 1, 0};
  EXPECT_EQ(CalibrationOf(guesses, std::vector<int16_t>{0, 0}, 2).error, 0);
  EXPECT_EQ(CalibrationOf(guesses, std::vector<int16_t>{1, 1}, 2).error, 1);
}

TEST(MeasuresTest, ProbabilitiesOfZeroAreInTheFirstBin) {
  EXPECT_EQ(CalibrationOf(std::vector<float>{0, 0}, std::vector<int16_t>{1}, 2).error, 0);
}

// Against the definition, bin by bin: for each of 15 bins, looks through all images.
TEST(MeasuresTest, CalibrationErrorIsThatOfTheDefinition) {
  constexpr size_t kClasses = 4;
  constexpr size_t kImages = 3000;
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(0.01, 1);
  std::vector<float> guesses;
  std::vector<int16_t> labels;
  for (size_t i = 0; i < kImages; ++i) {
    std::vector<double> row(kClasses);
    for (double& p : row) p = std::pow(uniform(random), 4);
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (const double p : row) guesses.push_back(static_cast<float>(p / sum));
    labels.push_back(static_cast<int16_t>(random() % kClasses));
  }
  double error = 0;
  for (int m = 1; m <= 15; ++m) {
    double count = 0, correct = 0, confidence = 0;
    for (size_t i = 0; i < kImages; ++i) {
      size_t top = 0;
      for (size_t c = 1; c < kClasses; ++c) {
        if (guesses[i * kClasses + c] > guesses[i * kClasses + top]) top = c;
      }
      const double p = guesses[i * kClasses + top];
      if (!((m - 1) / 15.0 < p && p <= m / 15.0)) continue;
      count += 1;
      correct += top == static_cast<size_t>(labels[i]);
      confidence += p;
    }
    if (count > 0) error += count / kImages * std::abs(correct / count - confidence / count);
  }
  const Calibration calibration = CalibrationOf(guesses, labels, kClasses);
  EXPECT_NEAR(calibration.error, error, 1e-12);
  EXPECT_GT(calibration.error, 0.2);  // labels were drawn without regard to the guesses
}

}  // namespace
}  // namespace mixfeed
