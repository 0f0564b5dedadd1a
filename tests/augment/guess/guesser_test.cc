#include "augment/guess/guesser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
using ::testing::ElementsAre;
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

// What a guesser hands over at once, pass by pass.
class RecordingModel : public FakeModel {
 public:
  using FakeModel::FakeModel;

  absl::Status GuessPasses(std::span<const float> views, int passes, int rows,
                           bool batch_statistics, std::span<float> probabilities) override {
    passes_.push_back(passes);
    memory_.insert(views.data());
    return FakeModel::GuessPasses(views, passes, rows, batch_statistics, probabilities);
  }

  const std::vector<int>& passes() const { return passes_; }
  const std::set<const float*>& memory() const { return memory_; }

 private:
  std::vector<int> passes_;
  std::set<const float*> memory_;
};

TEST_F(GuesserTest, TheModelGetsTwoViewsTogetherInMemoryThatIsUsedAgain) {
  const auto model = std::make_shared<RecordingModel>([](float pixel, std::span<float> out) {
    std::fill(out.begin(), out.end(), 0.0f);
    for (size_t row = 0; row < kRows; ++row) {
      out[row * kClasses] = 1 - pixel / 8;
      out[row * kClasses + 1] = pixel / 8;
    }
    return absl::OkStatus();
  });
  Guesser guesser = MakeGuesser(model, {.model = "", .temperature = 1});
  const auto odd = guesser.Guess(MakeRequest(10, /*views=*/5), RenderIndex);
  ASSERT_TRUE(odd.ok()) << odd.status();
  EXPECT_THAT(model->passes(), ElementsAre(2, 2, 1));
  EXPECT_FLOAT_EQ(odd->probabilities[1], (0 + 1 + 2 + 3 + 4) / 5.0f / 8);
  EXPECT_TRUE(guesser.Guess(MakeRequest(11), RenderIndex).ok());
  EXPECT_EQ(model->memory().size(), 1u);
}

TEST(GuessModelTest, PassesAreMadeInTurnUntilOneFails) {
  FakeModel model([](float pixel, std::span<float> out) {
    if (pixel == 2) return absl::InternalError("the third");
    std::fill(out.begin(), out.end(), pixel);
    return absl::OkStatus();
  });
  const auto pass_floats = static_cast<size_t>(kRows * kShape.pixels());
  std::vector<float> views(4 * pass_floats);
  for (size_t i = 0; i < views.size(); ++i) views[i] = static_cast<float>(i / pass_floats);
  const std::span<const float> input(views);
  std::vector<float> out(size_t{4} * kRows * kClasses, -1);
  const auto guess_floats = static_cast<ptrdiff_t>(kRows * kClasses);
  EXPECT_EQ(model.GuessPasses(input, 4, kRows, false, out), absl::InternalError("the third"));
  EXPECT_EQ(std::count(out.begin(), out.begin() + guess_floats, 0.0f), guess_floats);
  EXPECT_EQ(std::count(out.begin(), out.end(), 1.0f), guess_floats);
  EXPECT_EQ(std::count(out.begin(), out.end(), -1.0f), 2 * guess_floats);
  EXPECT_EQ(model.calls(), 3);
  EXPECT_EQ(model.GuessPasses(input, 0, kRows, false, out),
            absl::InvalidArgumentError("guess model fake: 0 passes; allowed: at least 1"));
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
