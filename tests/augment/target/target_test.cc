#include "augment/target/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kTolerance = 1e-6;

// Softmax of random logits, computed in double and rounded; `sharpness` scales the logits.
std::vector<float> RandomDistribution(int classes, double sharpness, std::mt19937* random) {
  std::normal_distribution<double> logit(0, sharpness);
  std::vector<double> weights(static_cast<size_t>(classes));
  for (double& weight : weights) weight = std::exp(logit(*random));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<float> row;
  for (const double weight : weights) row.push_back(static_cast<float>(weight / sum));
  return row;
}

double Sum(std::span<const float> row) { return std::accumulate(row.begin(), row.end(), 0.0); }

std::vector<float> Sharpened(std::vector<float> row, double temperature) {
  Sharpen(temperature, static_cast<int>(row.size()), row);
  return row;
}

// Equation 7 of the MixMatch paper through logarithms in long double: another way than the code's.
std::vector<double> SharpenByLogarithms(const std::vector<float>& row, double temperature) {
  std::vector<long double> logs;
  for (const float p : row) {
    logs.push_back(std::log(static_cast<long double>(p)) / static_cast<long double>(temperature));
  }
  const long double top = *std::max_element(logs.begin(), logs.end());
  long double sum = 0;
  for (const long double log : logs) sum += std::exp(log - top);
  std::vector<double> result;
  for (const long double log : logs) {
    result.push_back(static_cast<double>(std::exp(log - top) / sum));
  }
  return result;
}

// --- one-hot ---

TEST(OneHotTest, IsOneAtTheLabelAndZeroElsewhere) {
  std::vector<float> row(4, 7.0f);
  OneHot(2, row);
  EXPECT_THAT(row, ElementsAre(0, 0, 1, 0));
  OneHot(0, row);
  EXPECT_THAT(row, ElementsAre(1, 0, 0, 0));
  OneHot(3, row);
  EXPECT_THAT(row, ElementsAre(0, 0, 0, 1));
}

// --- average ---

TEST(AverageViewsTest, IsTheMeanOverViewsOfEachRowAndClass) {
  // [view][row][class]
  const std::vector<float> views = {1,    0,    0.5f,  0.5f,   //
                                    0,    1,    0.25f, 0.75f,  //
                                    0.5f, 0.5f, 0.75f, 0.25f};
  std::vector<float> mean(4);
  AverageViews(views, 3, mean);
  EXPECT_THAT(mean, ElementsAre(0.5f, 0.5f, 0.5f, 0.5f));
}

TEST(AverageViewsTest, OneViewIsItself) {
  const std::vector<float> views = {0.1f, 0.9f, 0.3f, 0.7f};
  std::vector<float> mean(4);
  AverageViews(views, 1, mean);
  EXPECT_EQ(mean, views);
}

TEST(AverageViewsTest, RandomRowsStayDistributions) {
  std::mt19937 random(1);
  for (const int view_count : {1, 2, 3, 8}) {
    std::vector<float> views;
    for (int i = 0; i < view_count * 16; ++i) {
      const std::vector<float> row = RandomDistribution(10, 3, &random);
      views.insert(views.end(), row.begin(), row.end());
    }
    std::vector<float> mean(160);
    AverageViews(views, view_count, mean);
    for (size_t row = 0; row < 16; ++row) {
      EXPECT_NEAR(Sum(std::span(mean).subspan(row * 10, 10)), 1, kTolerance);
    }
  }
}

// The order is softmax, mean, sharpen. What implementations with another order would give differs
// by far more than a tolerance (trap 6 of the list of known deviations).
TEST(AverageViewsTest, MeanOfProbabilitiesIsNotThatOfLogitsNorOfSharpenedViews) {
  const std::vector<float> views = {0.98f, 0.01f, 0.01f,  //
                                    0.10f, 0.45f, 0.45f};
  std::vector<float> guess(3);
  AverageViews(views, 2, guess);
  Sharpen(0.5, 3, guess);
  // Means 0.54, 0.23, 0.23, squared and normalised.
  EXPECT_NEAR(guess[0], 0.2916 / (0.2916 + 2 * 0.0529), kTolerance);

  const double from_logits = 0.098 / (0.098 + 2 * 0.0045);  // geometric means squared
  const double from_sharpened = (0.9604 / (0.9604 + 0.0002) + 0.01 / (0.01 + 2 * 0.2025)) / 2;
  EXPECT_GT(std::abs(guess[0] - from_logits), 0.1);
  EXPECT_GT(std::abs(guess[0] - from_sharpened), 0.1);
}

// --- sharpen ---

TEST(SharpenTest, EqualsTheFormulaForEveryTemperature) {
  std::mt19937 random(2);
  for (const double temperature : {0.01, 0.1, 0.5, 0.9, 1.0, 2.0, 100.0}) {
    for (const double sharpness : {0.1, 1.0, 10.0}) {
      for (const int classes : {2, 10, 100}) {
        const std::vector<float> row = RandomDistribution(classes, sharpness, &random);
        const std::vector<float> result = Sharpened(row, temperature);
        const std::vector<double> expected = SharpenByLogarithms(row, temperature);
        for (size_t c = 0; c < result.size(); ++c) {
          EXPECT_NEAR(result[c], expected[c], 1e-7) << temperature << " " << sharpness;
        }
        EXPECT_NEAR(Sum(result), 1, kTolerance);
      }
    }
  }
}

TEST(SharpenTest, HalfTemperatureSquares) {
  EXPECT_THAT(Sharpened({0.5f, 0.25f, 0.25f}, 0.5),
              ElementsAre(0.25f / 0.375f, 0.0625f / 0.375f, 0.0625f / 0.375f));
}

TEST(SharpenTest, TemperatureOneOnlyNormalises) {
  EXPECT_THAT(Sharpened({0.5f, 0.25f, 0.25f}, 1), ElementsAre(0.5f, 0.25f, 0.25f));
  // As far off as CheckProbabilities lets pass.
  EXPECT_NEAR(Sum(Sharpened({0.5005f, 0.25f, 0.2504f}, 1)), 1, kTolerance);
}

TEST(SharpenTest, ZerosStayZeroAndOneHotStaysOneHot) {
  for (const double temperature : {0.01, 0.5, 1.0, 100.0}) {
    EXPECT_THAT(Sharpened({0, 1, 0}, temperature), ElementsAre(0, 1, 0));
    EXPECT_THAT(Sharpened({0.5f, 0, 0.5f}, temperature), ElementsAre(0.5f, 0, 0.5f));
  }
}

TEST(SharpenTest, UniformStaysUniform) {
  const std::vector<float> uniform(10, 0.1f);
  for (const double temperature : {0.01, 0.5, 100.0}) {
    EXPECT_EQ(Sharpened(uniform, temperature), uniform);
  }
}

TEST(SharpenTest, TinyProbabilitiesNeitherOverflowNorVanishWrongly) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_THAT(Sharpened({1, tiny}, 0.01), ElementsAre(1, 0));
  const std::vector<float> flat = Sharpened({1, tiny}, 100);
  const double expected = std::exp(std::log(static_cast<double>(tiny)) / 100);
  EXPECT_NEAR(flat[1], expected / (1 + expected), kTolerance);
}

TEST(SharpenTest, RowsDoNotMix) {
  std::vector<float> rows = {0.5f, 0.25f, 0.25f, 0, 1, 0};
  Sharpen(0.5, 3, rows);
  const std::vector<float> first = Sharpened({0.5f, 0.25f, 0.25f}, 0.5);
  EXPECT_THAT(rows, ElementsAre(first[0], first[1], first[2], 0, 1, 0));
}

// --- checks ---

TEST(CheckProbabilitiesTest, AcceptsDistributions) {
  EXPECT_TRUE(CheckProbabilities(std::vector<float>{0.25f, 0.75f, 1, 0}, 2).ok());
  EXPECT_TRUE(CheckProbabilities(std::vector<float>{0.2505f, 0.75f}, 2).ok());
  EXPECT_TRUE(CheckProbabilities(std::vector<float>{}, 2).ok());
}

TEST(CheckProbabilitiesTest, RefusesTheRestNamingRowAndValue) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  struct Case {
    std::vector<float> probabilities;
    const char* message;
  };
  const Case cases[] = {
      {{1, 0, 0.5f, nan}, "probability of row 1, class 1 is nan"},
      {{infinity, 0}, "probability of row 0, class 0 is inf"},
      {{1.25f, -0.25f}, "probability of row 0, class 1 is -0.25"},
      {{1, 0, 0.5f, 0.25f}, "probabilities of row 1 sum to 0.75"},
      {{0.5f, 0.502f}, "probabilities of row 0 sum to 1.002"},
      {{0, 0}, "probabilities of row 0 sum to 0"},
      {{1, 0, 1}, "there are 3 probabilities; allowed: a multiple of the 2 classes"},
  };
  for (const Case& c : cases) {
    const absl::Status status = CheckProbabilities(c.probabilities, 2);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
  EXPECT_FALSE(CheckProbabilities(std::vector<float>{1}, 0).ok());
}

// --- mix ---

TEST(MixTargetsTest, WeighsTheRowAndItsPartner) {
  std::vector<float> out(3);
  MixTargets(0.75f, std::vector<float>{1, 0, 0}, std::vector<float>{0, 0.5f, 0.5f}, out);
  EXPECT_THAT(out, ElementsAre(0.75f, 0.125f, 0.125f));
}

// Trap 16: where both are of one class, the weights add up.
TEST(MixTargetsTest, EqualLabelsKeepTheirWholeWeight) {
  std::vector<float> out(2);
  for (const float lambda : {0.0f, 0.1f, 0.3f, 0.7f, 1.0f}) {
    MixTargets(lambda, std::vector<float>{0, 1}, std::vector<float>{0, 1}, out);
    EXPECT_EQ(out[0], 0);
    EXPECT_NEAR(out[1], 1, kTolerance);
  }
}

TEST(MixTargetsTest, TheEndsAreExact) {
  const std::vector<float> a = {0.1f, 0.9f};
  const std::vector<float> b = {0.3f, 0.7f};
  std::vector<float> out(2);
  MixTargets(1, a, b, out);
  EXPECT_EQ(out, a);
  MixTargets(0, a, b, out);
  EXPECT_EQ(out, b);
}

TEST(MixTargetsTest, MayWriteOverItsInput) {
  std::vector<float> a = {1, 0};
  MixTargets(0.75f, a, std::vector<float>{0, 1}, a);
  EXPECT_THAT(a, ElementsAre(0.75f, 0.25f));
}

TEST(MixTargetsTest, MixesOfDistributionsSumToOne) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> lambda(0, 1);
  for (int i = 0; i < 1000; ++i) {
    std::vector<float> out(100);
    MixTargets(lambda(random), RandomDistribution(100, 2, &random),
               RandomDistribution(100, 2, &random), out);
    EXPECT_NEAR(Sum(out), 1, kTolerance);
  }
}

// --- smoothing ---

// Szegedy et al. 2016, equation 7, with a uniform prior over four classes.
TEST(SmoothOneHotTest, TheLabelKeepsWhatIsNotSpread) {
  std::vector<float> row(4, -1.0f);
  SmoothOneHot(2, 0.1, row);
  EXPECT_THAT(row, ElementsAre(0.025f, 0.025f, 0.925f, 0.025f));
}

TEST(SmoothOneHotTest, TheEndsAreOneHotAndUniform) {
  std::vector<float> row(4, -1.0f);
  SmoothOneHot(1, 0, row);
  EXPECT_THAT(row, ElementsAre(0, 1, 0, 0));
  SmoothOneHot(1, 1, row);
  EXPECT_THAT(row, ElementsAre(0.25f, 0.25f, 0.25f, 0.25f));
}

TEST(SmoothOneHotTest, RowsSumToOne) {
  for (const size_t classes : {size_t{1}, size_t{2}, size_t{10}, size_t{1000}}) {
    std::vector<float> row(classes);
    for (const double smoothing : {1e-9, 0.1, 0.3, 0.999}) {
      SmoothOneHot(0, smoothing, row);
      EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1, 1e-6) << classes;
    }
  }
}

// --- more than two sources ---

TEST(MixManyTargetsTest, TheSecondSourceHasWhatTheOthersLeave) {
  const std::vector<float> sources = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  std::vector<float> out(3);
  MixManyTargets(std::vector<float>{0.5f, 99, 0.125f}, sources, out);
  EXPECT_THAT(out, ElementsAre(0.5f, 0.375f, 0.125f));
}

TEST(MixManyTargetsTest, OfTwoItIsMixTargets) {
  const std::vector<float> a = {0.25f, 0.75f}, b = {1, 0};
  std::vector<float> two(2), many(2);
  MixTargets(0.75f, a, b, two);
  MixManyTargets(std::vector<float>{0.75f, 0}, std::vector<float>{0.25f, 0.75f, 1, 0}, many);
  EXPECT_EQ(many, two);
}

TEST(MixManyTargetsTest, WeightsOfOneClassAddUp) {
  const std::vector<float> sources = {1, 0, 1, 0, 0, 1, 1, 0};
  std::vector<float> out(2);
  MixManyTargets(std::vector<float>{0.25f, 0, 0.25f, 0.25f}, sources, out);
  EXPECT_THAT(out, ElementsAre(0.75f, 0.25f));
}

// Image i's own target is all in class i.
void WriteOwn(int32_t image, std::span<float> out) { OneHot(image, out); }

TEST(MixRowTargetTest, ARowAloneKeepsItsTarget) {
  std::vector<float> out(3);
  MixRowTarget(std::vector{2}, std::vector{0.25f}, &WriteOwn, out);
  EXPECT_THAT(out, ElementsAre(0, 0, 1));
  // So does one that is its own partner, whatever lambda is.
  MixRowTarget(std::vector{1, 1}, std::vector{0.3f, 1.0f}, &WriteOwn, out);
  EXPECT_THAT(out, ElementsAre(0, 1, 0));
}

TEST(MixRowTargetTest, TwoImagesAreBlendedByLambda) {
  std::vector<float> out(3);
  MixRowTarget(std::vector{2, 0}, std::vector{0.75f, 1.0f}, &WriteOwn, out);
  EXPECT_THAT(out, ElementsAre(0.25f, 0, 0.75f));
}

TEST(MixRowTargetTest, ThePartnersWeightIsWhatTheOthersLeave) {
  std::vector<float> out(4);
  MixRowTarget(std::vector{0, 1, 2, 3}, std::vector{0.5f, 1.0f, 0.125f, 0.125f}, &WriteOwn, out);
  EXPECT_THAT(out, ElementsAre(0.5f, 0.25f, 0.125f, 0.125f));
}

}  // namespace
}  // namespace mixfeed
