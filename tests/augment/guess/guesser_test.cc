#include "augment/guess/guesser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/guess/not_yet.h"
#include "tests/augment/guess/guesser_kit.h"

namespace mixfeed::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

TEST_F(GuesserTest, AGuessIsTheSharpenedMeanOfProbabilities) {
  const auto guess = MakeGuesser(model_).Guess(MakeRequest(), RenderIndex);
  ASSERT_TRUE(guess.ok()) << guess.status();
  const std::vector<double> expected = ExpectedGuess();
  ASSERT_EQ(guess->probabilities.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(guess->probabilities[i], expected[i], 1e-6) << i;
  }
}

TEST_F(GuesserTest, TemperatureOneLeavesTheMean) {
  const auto guess =
      MakeGuesser(model_, {.model = "", .temperature = 1}).Guess(MakeRequest(), RenderIndex);
  ASSERT_TRUE(guess.ok()) << guess.status();
  EXPECT_FLOAT_EQ(guess->probabilities[0], 0.5f);
  EXPECT_FLOAT_EQ(guess->probabilities[5], 0.3f);
}

TEST_F(GuesserTest, SaysWhereTheGuessComesFrom) {
  const auto guess = MakeGuesser(model_).Guess(MakeRequest(/*step=*/10), RenderIndex);
  ASSERT_TRUE(guess.ok()) << guess.status();
  EXPECT_EQ(guess->rows, kRows);
  EXPECT_EQ(guess->classes, kClasses);
  EXPECT_EQ(guess->model, "fake");
  EXPECT_EQ(guess->model_version, 3);
  EXPECT_EQ(guess->age, 6);
  EXPECT_EQ(guess->environment, "here");
}

TEST_F(GuesserTest, AgeIsNeverNegative) {
  const auto guess = MakeGuesser(model_).Guess(MakeRequest(/*step=*/2), RenderIndex);
  ASSERT_TRUE(guess.ok()) << guess.status();
  EXPECT_EQ(guess->age, 0);
}

TEST_F(GuesserTest, RendersEveryViewOnceAsTheModelNormalises) {
  Mutex mu;
  std::vector<int> views;
  const auto render = [&](int k, const Normalisation& normalisation, std::span<float> out) {
    EXPECT_EQ(normalisation, model_->info().normalisation);
    MutexLock lock(&mu);
    views.push_back(k);
    return RenderIndex(k, normalisation, out);
  };
  EXPECT_TRUE(MakeGuesser(model_).Guess(MakeRequest(10, /*views=*/3), render).ok());
  EXPECT_THAT(views, UnorderedElementsAre(0, 1, 2));
  EXPECT_EQ(model_->calls(), 3);
}

TEST_F(GuesserTest, AtMostTwoViewsAreUnderWayInBuffersThatAreUsedAgain) {
  Mutex mu;
  CondVar came;
  // Time in which a third view would come, if it were let in.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  int under_way = 0;
  int most = 0;
  std::set<const float*> buffers;
  const auto render = [&](int k, const Normalisation& normalisation, std::span<float> out) {
    MutexLock lock(&mu);
    most = std::max(most, ++under_way);
    buffers.insert(out.data());
    came.NotifyAll();
    while (most <= 2 && came.WaitUntil(&mu, deadline)) {
    }
    return RenderIndex(k, normalisation, out);
  };
  const auto model = std::make_shared<FakeModel>([&](float pixel, std::span<float> out) {
    MutexLock lock(&mu);
    --under_way;
    return AnswerUniform(pixel, out);
  });
  EXPECT_TRUE(MakeGuesser(model).Guess(MakeRequest(10, /*views=*/8), render).ok());
  EXPECT_EQ(model->calls(), 8);
  EXPECT_LE(most, 2);
  EXPECT_LE(buffers.size(), 2u);
}

// Forward passes that wait for each other would hang if views were guessed in turn.
TEST_F(GuesserTest, TwoViewsAreUnderWayAtOnce) {
  Mutex mu;
  CondVar came;
  int inside = 0;
  const auto model = std::make_shared<FakeModel>([&](float pixel, std::span<float> out) {
    MutexLock lock(&mu);
    ++inside;
    came.NotifyAll();
    while (inside < 2) came.Wait(&mu);
    return AnswerUniform(pixel, out);
  });
  EXPECT_TRUE(MakeGuesser(model).Guess(MakeRequest(), RenderIndex).ok());
}

TEST_F(GuesserTest, OfSeveralErrorsTheFirstViewsIsReported) {
  const auto render = [](int k, const Normalisation&, std::span<float>) {
    return absl::InternalError(std::to_string(k));
  };
  EXPECT_EQ(Failure(MakeGuesser(model_), render), absl::InternalError("0"));
}

TEST_F(GuesserTest, PassesOnWhichStatisticsToUse) {
  for (const bool batch_statistics : {true, false}) {
    const GuessSpec spec{.model = "", .batch_statistics = batch_statistics};
    EXPECT_TRUE(MakeGuesser(model_, spec).Guess(MakeRequest(batch_statistics), RenderIndex).ok());
    EXPECT_EQ(model_->batch_statistics(), batch_statistics);
  }
}

TEST_F(GuesserTest, AsksForTheModelOfTheSpec) {
  std::string asked;
  const auto find = [&](const std::string& name, const WeightsWish&) {
    asked = name;
    return model_;
  };
  Guesser guesser({.model = "teacher"}, find, journal_.get());
  EXPECT_TRUE(guesser.Guess(MakeRequest(), RenderIndex).ok());
  EXPECT_EQ(asked, "teacher");
}

TEST_F(GuesserTest, AFeedThatNamesNoModelKeepsItsFirst) {
  std::vector<std::string> asked;
  const auto find = [&](const std::string& name, const WeightsWish&) {
    asked.push_back(name);
    return model_;
  };
  for (const int64_t step : {7, 3}) {
    Guesser guesser({}, find, journal_.get());  // another one, as after a restart
    EXPECT_TRUE(guesser.Guess(MakeRequest(step), RenderIndex).ok());
  }
  EXPECT_THAT(asked, ::testing::ElementsAre("", "fake"));
}

TEST_F(GuesserTest, AReplayReadsTheJournalAndNeverRunsTheModel) {
  const auto first = MakeGuesser(model_).Guess(MakeRequest(), RenderIndex);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto no_model = [](const std::string&,
                           const WeightsWish&) -> absl::StatusOr<std::shared_ptr<GuessModel>> {
    ADD_FAILURE() << "looked for a model";
    return absl::InternalError("");
  };
  const auto no_render = [](int, const Normalisation&, std::span<float>) {
    ADD_FAILURE() << "rendered";
    return absl::InternalError("");
  };
  Guesser replay({}, no_model, journal_.get());
  const auto second = replay.Guess(MakeRequest(), no_render);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(*second, *first);
  EXPECT_EQ(model_->calls(), 2);
}

TEST_F(GuesserTest, OfTwoGuessersTheFirstToFinishWins) {
  auto fast = MakeGuesser(model_);
  StepGuess winner;
  // The slow one's model works until the fast one has finished.
  const auto slow_model = std::make_shared<FakeModel>([&](float pixel, std::span<float> out) {
    if (pixel == 1) winner = *fast.Guess(MakeRequest(), RenderIndex);
    return AnswerUniform(pixel, out);
  });
  const auto slow = MakeGuesser(slow_model).Guess(MakeRequest(), RenderIndex);
  ASSERT_TRUE(slow.ok()) << slow.status();
  EXPECT_NE(winner.probabilities[0], winner.probabilities[1]);
  EXPECT_EQ(*slow, winner);
}

TEST_F(GuesserTest, WhileOneCallRunsTheModelAnotherRenders) {
  Mutex mu;
  CondVar rendered;
  bool second_rendered = false;
  const auto patient_model = std::make_shared<FakeModel>([&](float pixel, std::span<float> out) {
    MutexLock lock(&mu);
    while (!second_rendered) rendered.Wait(&mu);
    return AnswerUniform(pixel, out);
  });
  auto guesser = MakeGuesser(patient_model);
  std::thread first([&] { EXPECT_TRUE(guesser.Guess(MakeRequest(/*step=*/1), RenderIndex).ok()); });
  const auto render = [&](int k, const Normalisation& normalisation, std::span<float> out) {
    MutexLock lock(&mu);
    second_rendered = true;
    rendered.NotifyAll();
    return RenderIndex(k, normalisation, out);
  };
  EXPECT_TRUE(guesser.Guess(MakeRequest(/*step=*/2), render).ok());
  first.join();
}

TEST_F(GuesserTest, ErrorsOfTheRegistryPassAsTheyAre) {
  for (const absl::Status& error : {absl::FailedPreconditionError("none is registered; do this"),
                                    absl::UnavailableError("the store is away")}) {
    const auto find = [&](const std::string&,
                          const WeightsWish&) -> absl::StatusOr<std::shared_ptr<GuessModel>> {
      return error;
    };
    EXPECT_EQ(Failure(Guesser({}, find, journal_.get())), error);
  }
}

}  // namespace
}  // namespace mixfeed::testing
