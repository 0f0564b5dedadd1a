// What batch makers tell of the guesses that they make, and that telling changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "augment/guess/guess_stats.h"
#include "augment/recipe/presets.h"
#include "tests/augment/batch/feed_kit.h"

namespace mixfeed {
namespace {

using testing::ContentsOf;
using testing::FeedKit;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kBatch = 8;

// A journal to which another process always writes first: a guess of its own, uniform.
class JournalOfAnother final : public Journal {
 public:
  absl::StatusOr<std::optional<StepGuess>> Find(const std::string&, int64_t) override {
    return std::nullopt;
  }
  absl::StatusOr<StepGuess> Insert(const std::string&, int64_t, const StepGuess& guess) override {
    StepGuess other = guess;
    std::fill(other.probabilities.begin(), other.probabilities.end(),
              1.0f / static_cast<float>(guess.classes));
    return other;
  }
  absl::StatusOr<std::optional<std::string>> LastModel(const std::string&) override {
    return std::nullopt;
  }
  absl::Status Fork(const std::string&, int64_t, const std::string&) override {
    return absl::UnimplementedError("not needed");
  }
};

class FreshGuessTest : public ::testing::Test {
 protected:
  std::unique_ptr<BatchMaker> Maker(const std::string& feed_id,
                                    const std::shared_ptr<GuessStats>& stats) {
    BatchMakerOptions options = kit_.MakerOptions(spec_, feed_id);
    options.guess_stats = stats;
    return *BatchMaker::Create(std::move(options));
  }
  std::string Contents(const BatchMaker& maker, int64_t step) {
    const auto batch = maker.Make(step, {}, {});
    EXPECT_TRUE(batch.ok()) << batch.status();
    return ContentsOf(**batch);
  }

  FeedKit kit_;
  const FeedSpec spec_ = kit_.Spec("mixmatch", kBatch);
  const std::shared_ptr<GuessStats> stats_ =
      std::make_shared<GuessStats>(std::vector<double>(10, 0.1), [](const std::string&) {});
};

TEST_F(FreshGuessTest, CountingGuessesChangesNoBatchAndNoPlan) {
  const auto counted = Maker("counted", stats_);
  const auto plain = Maker("plain", nullptr);
  for (int64_t step = 0; step < 4; ++step) {
    EXPECT_EQ(Contents(*counted, step), Contents(*plain, step));
    EXPECT_EQ(*counted->MakePlan(step), *plain->MakePlan(step));
    EXPECT_EQ(kit_.journal->Find("counted", step)->value(),
              kit_.journal->Find("plain", step)->value());
  }
  EXPECT_EQ(stats_->Spans().at(0).steps, 4);
}

TEST_F(FreshGuessTest, AReplayIsNotCountedAgain) {
  const auto first = Maker("feed", stats_);
  Contents(*first, 0);
  Contents(*first, 0);
  const auto second = Maker("feed", stats_);  // as after a restart: the journal knows step 0
  Contents(*second, 0);
  ASSERT_THAT(stats_->Spans(), SizeIs(1));
  EXPECT_EQ(stats_->Spans()[0].steps, 1);
  EXPECT_EQ(stats_->Spans()[0].images, kBatch);
}

TEST_F(FreshGuessTest, AGuessThatAnotherProcessWroteFirstIsNotCounted) {
  JournalOfAnother journal;
  BatchMakerOptions options = kit_.MakerOptions(spec_);
  options.guess_stats = stats_;
  options.guesser = std::make_unique<Guesser>(
      spec_.recipe.guess, [this](const std::string&, const WeightsWish&) { return kit_.model; },
      &journal);
  const auto maker = *BatchMaker::Create(std::move(options));
  EXPECT_TRUE(maker->Make(0, {}, {}).ok());
  EXPECT_THAT(stats_->Spans(), IsEmpty());
}

// Guesses again, view by view, and looks up the labels of the images that the plan names.
TEST_F(FreshGuessTest, GuessesAreComparedWithTheHiddenLabelsOfTheirImages) {
  constexpr int64_t kSteps = 10;
  constexpr size_t kClasses = 10;
  const auto maker = Maker("feed", stats_);
  int64_t correct = 0;
  double confidence = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    Contents(*maker, step);
    const Plan plan = *maker->MakePlan(step);
    std::vector<double> sum(kBatch * kClasses);
    for (int k = 0; k < plan.views; ++k) {
      std::vector<float> views(static_cast<size_t>(kBatch * kit_.dataset->shape.pixels()));
      std::vector<float> guesses(kBatch * kClasses);
      ASSERT_TRUE(maker->RenderGuessView(plan, k, kit_.model->info().normalisation, views).ok());
      ASSERT_TRUE(kit_.model->Guess(views, kBatch, true, guesses).ok());
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += guesses[i];
    }
    for (size_t row = 0; row < kBatch; ++row) {
      const auto begin = sum.begin() + static_cast<std::ptrdiff_t>(row * kClasses);
      const auto top = std::max_element(begin, begin + kClasses);
      confidence += *top / plan.views;
      const auto sample =
          static_cast<size_t>(plan.rows[static_cast<size_t>(plan.labelled_rows) + row].sample);
      correct += kit_.dataset->train.labels[sample] == top - begin;
    }
  }
  const GuessSpan span = stats_->Spans().at(0);
  EXPECT_EQ(span.labelled, kSteps * kBatch);
  EXPECT_EQ(span.correct, correct);
  EXPECT_NEAR(span.confidence_sum, confidence, 1e-4);
  EXPECT_EQ(span.compared, kSteps * kBatch);
}

TEST_F(FreshGuessTest, ImagesWhoseLabelNobodyKnowsAreNotCompared) {
  std::fill(kit_.dataset->train.labels.begin() + 100, kit_.dataset->train.labels.end(), kNoLabel);
  const auto maker = Maker("feed", stats_);
  int64_t known = 0;
  for (int64_t step = 0; step < 5; ++step) {
    Contents(*maker, step);
    const Plan plan = *maker->MakePlan(step);
    for (size_t row = 0; row < kBatch; ++row) {
      known += plan.rows[static_cast<size_t>(plan.labelled_rows) + row].sample < 100;
    }
  }
  EXPECT_EQ(stats_->Spans().at(0).labelled, known);
  EXPECT_LT(known, 5 * kBatch);
}

}  // namespace
}  // namespace mixfeed
