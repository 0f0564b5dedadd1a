#include "augment/guess/guess_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "augment/pool/dataset.h"
#include "augment/target/target.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr size_t kClasses = 3;

// A step's guess and what it was made of, kept together.
struct Step {
  int views = 2;
  std::vector<float> view_probabilities = {};
  std::vector<float> averaged = {};
  StepGuess guess = {};
  std::vector<int16_t> labels = {};

  FreshGuess fresh() const {
    return {.step = 0,
            .views = views,
            .view_probabilities = view_probabilities,
            .averaged = averaged,
            .guess = guess};
  }
};

// Of `probabilities`, [views][rows][classes].
Step MakeStep(int64_t version, int views, const std::vector<float>& probabilities,
              const std::vector<int16_t>& labels, double temperature = 0.5) {
  Step step{.views = views, .view_probabilities = probabilities, .labels = labels};
  step.averaged.resize(probabilities.size() / static_cast<size_t>(views));
  AverageViews(probabilities, views, step.averaged);
  step.guess.rows = static_cast<int>(labels.size());
  step.guess.classes = static_cast<int>(step.averaged.size() / labels.size());
  step.guess.probabilities = step.averaged;
  Sharpen(temperature, step.guess.classes, step.guess.probabilities);
  step.guess.model = "net";
  step.guess.model_version = version;
  step.guess.model_update = 10 * version;
  return step;
}

// `images` images that are all class `c` for certain.
Step Certain(int64_t version, size_t c, size_t images) {
  std::vector<float> probabilities(images * kClasses, 0.0f);
  for (size_t i = 0; i < images; ++i) probabilities[i * kClasses + c] = 1;
  return MakeStep(version, 1, probabilities, std::vector<int16_t>(images, kNoLabel));
}

// As many of each class.
Step Balanced(int64_t version, size_t images) {
  std::vector<float> probabilities(images * kClasses, 0.0f);
  for (size_t i = 0; i < images; ++i) probabilities[i * kClasses + i % kClasses] = 1;
  return MakeStep(version, 1, probabilities, std::vector<int16_t>(images, kNoLabel));
}

Step RandomStep(unsigned seed, size_t rows, int views, int64_t version = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0.01, 1);
  std::vector<float> probabilities;
  for (size_t i = 0; i < rows * static_cast<size_t>(views); ++i) {
    std::vector<double> row(kClasses);
    for (double& p : row) p = std::pow(uniform(random), 3);
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (const double p : row) probabilities.push_back(static_cast<float>(p / sum));
  }
  std::vector<int16_t> labels;
  for (size_t i = 0; i < rows; ++i) {
    labels.push_back(static_cast<int16_t>(static_cast<int>(random() % (kClasses + 1)) - 1));
  }
  return MakeStep(version, views, probabilities, labels);
}

class GuessStatsTest : public ::testing::Test {
 protected:
  void Add(const Step& step) { stats_.Add(step.fresh(), step.labels); }
  GuessSpan Only() const {
    const std::vector<GuessSpan> spans = stats_.Spans();
    EXPECT_THAT(spans, SizeIs(1));
    return spans.at(0);
  }

  std::vector<std::string> warnings_;
  GuessStats stats_{{0.5, 0.25, 0.25},
                    [this](const std::string& warning) { warnings_.push_back(warning); }};
};

TEST_F(GuessStatsTest, NothingIsKnownBeforeTheFirstGuess) {
  EXPECT_THAT(stats_.Spans(), IsEmpty());
  EXPECT_EQ(stats_.Warning(), "");
}

TEST_F(GuessStatsTest, CountsAStepMadeByHand) {
  // Row 0: views agree on class 0, mean 0.7 0.2 0.1. Row 1: they do not, mean 0.3 0.6 0.1.
  Step step = MakeStep(
      4, 2, {0.8f, 0.1f, 0.1f, 0.5f, 0.4f, 0.1f, 0.6f, 0.3f, 0.1f, 0.1f, 0.8f, 0.1f}, {0, 2});
  step.guess.age = 3;
  Add(step);
  const GuessSpan span = Only();
  EXPECT_EQ(span.model, "net");
  EXPECT_EQ(span.first_version, 4);
  EXPECT_EQ(span.version, 4);
  EXPECT_EQ(span.update, 40);
  EXPECT_EQ(span.steps, 1);
  EXPECT_EQ(span.images, 2);
  EXPECT_NEAR(span.confidence_sum, 0.7 + 0.6, 1e-6);
  // Squares over their sum: 0.49 / 0.54 and 0.36 / 0.46.
  EXPECT_NEAR(span.sharpened_sum, 0.49 / 0.54 + 0.36 / 0.46, 1e-6);
  EXPECT_EQ(span.confidence[13] + span.confidence[14], 1);  // 0.7 is where two bins meet
  EXPECT_EQ(span.confidence[11] + span.confidence[12], 1);
  const auto entropy = [](double a, double b, double c) {
    return -a * std::log(a) - b * std::log(b) - c * std::log(c);
  };
  EXPECT_NEAR(span.entropy_sum, entropy(0.7, 0.2, 0.1) + entropy(0.3, 0.6, 0.1), 1e-6);
  EXPECT_EQ(span.compared, 2);
  EXPECT_EQ(span.agreeing, 1);
  EXPECT_NEAR(span.ClassMean()[0], 0.5, 1e-6);
  EXPECT_NEAR(span.ClassMean()[1], 0.4, 1e-6);
  EXPECT_THAT(span.class_count, ElementsAre(1, 1, 0));
  EXPECT_EQ(span.labelled, 2);
  EXPECT_EQ(span.correct, 1);
  EXPECT_EQ(span.age_sum, 3);
  EXPECT_EQ(span.max_age, 3);
  EXPECT_THAT(span.ages, ElementsAre(0, 0, 1));
}

TEST_F(GuessStatsTest, AgesAreCountedInBinsThatDouble) {
  for (const int64_t age : {5, 0, 1, 0, 3, 2, 4, 7, 8}) {
    Step step = Certain(1, 0, 1);
    step.guess.age = age;
    Add(step);
  }
  EXPECT_THAT(Only().ages, ElementsAre(2, 1, 2, 3, 1));
  EXPECT_EQ(AgeBin(std::numeric_limits<int64_t>::max()), 63u);
}

// Against plain loops over all that was added.
TEST_F(GuessStatsTest, CountsManyStepsAsPlainLoopsDo) {
  constexpr size_t kRows = 50;
  constexpr int kViews = 3;
  double confidence = 0, entropy = 0, class_sum[kClasses] = {};
  int64_t agreeing = 0, labelled = 0, correct = 0;
  std::vector<int64_t> histogram(20);
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Step step = RandomStep(seed, kRows, kViews);
    Add(step);
    for (size_t row = 0; row < kRows; ++row) {
      double mean[kClasses] = {};
      bool votes[kClasses] = {};
      for (size_t k = 0; k < kViews; ++k) {
        const float* view = &step.view_probabilities[(k * kRows + row) * kClasses];
        for (size_t c = 0; c < kClasses; ++c) mean[c] += double{view[c]} / kViews;
        votes[std::max_element(view, view + kClasses) - view] = true;
      }
      agreeing += std::count(votes, votes + kClasses, true) == 1;
      const auto top = std::max_element(mean, mean + kClasses) - mean;
      confidence += mean[top];
      ++histogram[static_cast<size_t>(mean[top] * 20)];
      for (size_t c = 0; c < kClasses; ++c) {
        entropy -= mean[c] * std::log(mean[c]);
        class_sum[c] += mean[c];
      }
      labelled += step.labels[row] != kNoLabel;
      correct += step.labels[row] == top;
    }
  }
  const GuessSpan span = Only();
  EXPECT_EQ(span.steps, 20);
  EXPECT_EQ(span.images, 1000);
  EXPECT_NEAR(span.confidence_sum, confidence, 1e-3);
  EXPECT_NEAR(span.entropy_sum, entropy, 1e-3);
  for (size_t c = 0; c < kClasses; ++c) EXPECT_NEAR(span.class_sum[c], class_sum[c], 1e-3);
  EXPECT_TRUE(std::equal(histogram.begin(), histogram.end(), span.confidence.begin()));
  EXPECT_EQ(span.compared, 1000);
  EXPECT_EQ(span.agreeing, agreeing);
  EXPECT_EQ(span.labelled, labelled);
  EXPECT_EQ(span.correct, correct);
}

TEST_F(GuessStatsTest, TheOrderOfStepsMakesNoDifference) {
  GuessStats backwards(stats_.prior(), nullptr);
  for (unsigned seed = 0; seed < 100; ++seed) {
    Add(RandomStep(seed, 7, 2));
    const Step step = RandomStep(99 - seed, 7, 2);
    backwards.Add(step.fresh(), step.labels);
  }
  const GuessSpan a = Only();
  const GuessSpan b = backwards.Spans().at(0);
  EXPECT_EQ(a.confidence_sum, b.confidence_sum);
  EXPECT_EQ(a.sharpened_sum, b.sharpened_sum);
  EXPECT_EQ(a.entropy_sum, b.entropy_sum);
  EXPECT_EQ(a.class_sum, b.class_sum);
}

TEST_F(GuessStatsTest, OneViewHasNothingToAgreeWith) {
  Add(RandomStep(1, 5, /*views=*/1));
  EXPECT_EQ(Only().compared, 0);
  EXPECT_EQ(Only().agreeing, 0);
}

TEST_F(GuessStatsTest, ImagesWithoutALabelAreNeitherRightNorWrong) {
  Add(Certain(1, 0, 5));
  EXPECT_EQ(Only().labelled, 0);
  EXPECT_EQ(Only().correct, 0);
}

TEST_F(GuessStatsTest, CertainGuessesAreInTheLastBin) {
  Add(Certain(1, 0, 5));
  EXPECT_EQ(Only().confidence[19], 5);
}

TEST_F(GuessStatsTest, VersionsAreApartAndInOrderWhateverTheOrderOfTheirSteps) {
  for (const int64_t version : {3, 1, 2, 3, 1}) Add(Balanced(version, 6));
  const std::vector<GuessSpan> spans = stats_.Spans();
  ASSERT_THAT(spans, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(spans[i].version, static_cast<int64_t>(i) + 1);
  EXPECT_EQ(spans[0].steps, 2);
  EXPECT_EQ(spans[1].steps, 1);
}

TEST_F(GuessStatsTest, TheSameVersionOfAnotherModelIsAnother) {
  Step other = Balanced(1, 6);
  other.guess.model = "other";
  Add(Balanced(1, 6));
  Add(other);
  EXPECT_THAT(stats_.Spans(), SizeIs(2));
}

TEST_F(GuessStatsTest, BeyondTheBoundOldVersionsAreMergedEvenlyAndNoneIsLost) {
  constexpr int64_t kVersions = 1000;
  for (int64_t version = 0; version < kVersions; ++version) {
    Step step = Balanced(version, 6);
    step.guess.age = version % 7;
    Add(step);
    ASSERT_LE(stats_.Spans().size(), GuessStats::kMaxSpans);
  }
  const std::vector<GuessSpan> spans = stats_.Spans();
  ASSERT_THAT(spans, SizeIs(GuessStats::kMaxSpans));
  int64_t next = 0, steps = 0, ages = 0, widest = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    const GuessSpan& span = spans[i];
    EXPECT_EQ(span.first_version, next);
    EXPECT_EQ(span.first_update, 10 * span.first_version);
    EXPECT_EQ(span.update, 10 * span.version);
    EXPECT_EQ(span.steps, span.version - span.first_version + 1);
    EXPECT_EQ(span.images, 6 * span.steps);
    next = span.version + 1;
    steps += span.steps;
    ages += span.age_sum;
    if (i >= spans.size() - GuessStats::kExactSpans) {
      EXPECT_EQ(span.steps, 1);
    }
    if (span.steps >= 7) {
      EXPECT_EQ(span.max_age, 6);
    }
    widest = std::max(widest, span.steps);
  }
  EXPECT_EQ(next, kVersions);
  EXPECT_EQ(steps, kVersions);
  int64_t expected_ages = 0;
  for (int64_t version = 0; version < kVersions; ++version) expected_ages += version % 7;
  EXPECT_EQ(ages, expected_ages);
  EXPECT_LE(widest, 48);  // 984 versions in 48 spans are 20.5 each
}

TEST_F(GuessStatsTest, AStepOfAVersionThatWasMergedIsCountedWhereItIs) {
  for (int64_t version = 0; version < 200; ++version) Add(Balanced(version, 6));
  const int64_t before = stats_.Spans()[0].steps;
  ASSERT_GT(before, 1);
  Add(Balanced(1, 6));
  EXPECT_EQ(stats_.Spans()[0].steps, before + 1);
}

TEST_F(GuessStatsTest, WhereNothingCanBeMergedTheOldestGoes) {
  for (int i = 0; i < 70; ++i) {
    Step step = Balanced(1, 6);
    step.guess.model = "net" + std::to_string(i);
    Add(step);
  }
  ASSERT_THAT(stats_.Spans(), SizeIs(GuessStats::kMaxSpans));
  EXPECT_EQ(stats_.Spans()[0].model, "net6");
}

// The prior has exp(0.5 ln 2 + 0.5 ln 4) = 2.83 effective classes.
TEST_F(GuessStatsTest, WarnsOnceWhenGuessesCollapse) {
  for (int64_t version = 0; version < 7; ++version) Add(Certain(version, 1, 64));
  EXPECT_EQ(stats_.Warning(), "");  // too few images
  EXPECT_THAT(warnings_, IsEmpty());
  for (int64_t version = 7; version < 20; ++version) Add(Certain(version, 1, 64));
  ASSERT_THAT(warnings_, SizeIs(1));
  EXPECT_THAT(warnings_[0], AllOf(HasSubstr("newest 512 images"), HasSubstr("over 1.00 classes"),
                                  HasSubstr("labelled images over 2.83")));
  EXPECT_THAT(stats_.Warning(), HasSubstr("collapse"));
}

TEST_F(GuessStatsTest, WarnsAgainAfterGuessesHaveRecovered) {
  Add(Certain(1, 1, 600));
  Add(Balanced(2, 600));
  EXPECT_EQ(stats_.Warning(), "");
  Add(Certain(3, 1, 600));
  EXPECT_THAT(warnings_, SizeIs(2));
}

TEST_F(GuessStatsTest, HalfRecoveredGuessesAreNotWarnedOfAgain) {
  // `certain` of 1000 images are class 1, the others half class 0, half class 2.
  const auto mixed = [](int64_t version, size_t certain) {
    std::vector<float> probabilities(1000 * kClasses, 0.0f);
    for (size_t i = 0; i < 1000; ++i) {
      probabilities[i * kClasses + (i < certain ? 1 : i % 2 * 2)] = 1;
    }
    return MakeStep(version, 1, probabilities, std::vector<int16_t>(1000, kNoLabel));
  };
  Add(mixed(1, 1000));
  Add(mixed(2, 850));  // exp(0.4227 + 0.15 ln 2) = 1.69 classes, 0.60 of the prior's
  EXPECT_EQ(stats_.Warning(), "");
  Add(mixed(3, 1000));
  EXPECT_THAT(warnings_, SizeIs(1));
  EXPECT_NE(stats_.Warning(), "");
}

TEST_F(GuessStatsTest, UncertainGuessesAreNoCollapse) {
  std::vector<float> uniform(600 * kClasses, 1.0f / 3);
  Add(MakeStep(1, 1, uniform, std::vector<int16_t>(600, kNoLabel)));
  EXPECT_EQ(stats_.Warning(), "");  // though every image's most likely class is the first
}

TEST_F(GuessStatsTest, AnotherModelsGuessesDoNotHideACollapse) {
  Step other = Balanced(1, 2000);
  other.guess.model = "other";
  Add(Certain(1, 1, 300));
  Add(other);
  Add(Certain(2, 1, 300));
  EXPECT_THAT(warnings_, SizeIs(1));
}

GuessValidation Validated(int64_t version, double accuracy) {
  GuessValidation validation;
  validation.version = version;
  validation.calibration.accuracy = accuracy;
  return validation;
}

TEST_F(GuessStatsTest, AValidationBelongsToTheSpanOfItsVersion) {
  for (int64_t version = 0; version < 3; ++version) Add(Balanced(version, 6));
  stats_.SetValidation("net", Validated(1, 0.5));
  stats_.SetValidation("net", Validated(9, 0.5));
  stats_.SetValidation("other", Validated(2, 0.5));
  const std::vector<GuessSpan> spans = stats_.Spans();
  EXPECT_FALSE(spans[0].validation.has_value());
  ASSERT_TRUE(spans[1].validation.has_value());
  EXPECT_EQ(spans[1].validation->calibration.accuracy, 0.5);
  EXPECT_FALSE(spans[2].validation.has_value());
}

TEST_F(GuessStatsTest, AMergedSpanKeepsTheValidationOfItsNewestVersion) {
  for (int64_t version = 0; version < 64; ++version) {
    Add(Balanced(version, 6));
    stats_.SetValidation("net", Validated(version, 0.01 * static_cast<double>(version)));
  }
  Add(Balanced(64, 6));  // merges versions 0 and 1
  ASSERT_EQ(stats_.Spans()[0].version, 1);
  EXPECT_EQ(stats_.Spans()[0].validation->version, 1);
  stats_.SetValidation("net", Validated(0, 0.9));
  EXPECT_EQ(stats_.Spans()[0].validation->version, 1);
}

TEST_F(GuessStatsTest, StepsOfSeveralThreadsAreAllCounted) {
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int64_t i = 0; i < 50; ++i) Add(Balanced((t + i) % 5, 6));
    });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t steps = 0;
  for (const GuessSpan& span : stats_.Spans()) steps += span.steps;
  EXPECT_EQ(steps, 200);
}

}  // namespace
}  // namespace mixfeed
