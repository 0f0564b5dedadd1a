#include "augment/guess/guesser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "augment/base/mutex.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr ImageShape kShape{.channels = 1, .height = 2, .width = 2};
constexpr int kRows = 2;
constexpr int kClasses = 3;

GuessRequest MakeRequest(int64_t step = 10, int views = 2) {
  return {.feed_id = "feed",
          .step = step,
          .rows = kRows,
          .views = views,
          .shape = kShape,
          .classes = kClasses};
}

// Answers each call with what `answer` gives for the first pixel of the views, and counts calls.
class FakeModel : public GuessModel {
 public:
  using Answer = std::function<absl::Status(float first_pixel, std::span<float> probabilities)>;

  explicit FakeModel(Answer answer) : answer_(std::move(answer)) {
    info_.name = "fake";
    info_.version = 3;
    info_.update = 4;
    info_.input = kShape;
    info_.classes = kClasses;
    info_.normalisation.mean[0] = 0.25;
    info_.environment = "here";
  }

  const GuessModelInfo& info() const override { return info_; }
  GuessModelInfo* mutable_info() { return &info_; }

  absl::Status Guess(std::span<const float> views, int rows, bool batch_statistics,
                     std::span<float> probabilities) override {
    {
      MutexLock lock(&mu_);
      ++calls_;
      batch_statistics_ = batch_statistics;
    }
    EXPECT_EQ(rows, kRows);
    EXPECT_EQ(views.size(), static_cast<size_t>(kRows * kShape.pixels()));
    EXPECT_EQ(probabilities.size(), static_cast<size_t>(kRows * kClasses));
    return answer_(views[0], probabilities);
  }

  int calls() {
    MutexLock lock(&mu_);
    return calls_;
  }
  bool batch_statistics() {
    MutexLock lock(&mu_);
    return batch_statistics_;
  }

 private:
  GuessModelInfo info_;
  const Answer answer_;
  Mutex mu_;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  bool batch_statistics_ ABSL_GUARDED_BY(mu_) = false;
};

// Probabilities of view 0 and of view 1, for two rows.
constexpr float kView0[] = {0.8f, 0.1f, 0.1f, 0.2f, 0.2f, 0.6f};
constexpr float kView1[] = {0.2f, 0.7f, 0.1f, 0.0f, 1.0f, 0.0f};

absl::Status AnswerByView(float first_pixel, std::span<float> probabilities) {
  std::copy_n(first_pixel == 0 ? kView0 : kView1, probabilities.size(), probabilities.begin());
  return absl::OkStatus();
}

absl::Status AnswerUniform(float, std::span<float> probabilities) {
  std::fill(probabilities.begin(), probabilities.end(), 1.0f / kClasses);
  return absl::OkStatus();
}

// Fills view k with the value k.
absl::Status RenderIndex(int k, const Normalisation&, std::span<float> out) {
  std::fill(out.begin(), out.end(), static_cast<float>(k));
  return absl::OkStatus();
}

// The same by the formulas of the paper: mean over views, then p^2 / sum p^2 (T = 0.5).
std::vector<double> ExpectedGuess() {
  std::vector<double> expected;
  for (size_t row = 0; row < kRows; ++row) {
    double sum = 0;
    for (size_t c = 0; c < kClasses; ++c) {
      const size_t i = row * kClasses + c;
      expected.push_back(std::pow((double{kView0[i]} + double{kView1[i]}) / 2, 2));
      sum += expected.back();
    }
    for (size_t c = 0; c < kClasses; ++c) expected[row * kClasses + c] /= sum;
  }
  return expected;
}

class GuesserTest : public ::testing::Test {
 protected:
  GuesserTest() : journal_(*Journal::Open({.path = ":memory:"})) {}

  Guesser MakeGuesser(std::shared_ptr<GuessModel> model, GuessSpec spec = {}) {
    return Guesser(
        std::move(spec), [model](const std::string&) { return model; }, journal_.get());
  }

  // The status of a guess at step 10, after which the journal must not have one.
  absl::Status Failure(Guesser guesser, const RenderGuessView& render = RenderIndex) {
    const absl::Status status = guesser.Guess(MakeRequest(), render).status();
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(*journal_->Find("feed", 10), std::nullopt);
    return status;
  }

  std::unique_ptr<Journal> journal_;
  std::shared_ptr<FakeModel> model_ = std::make_shared<FakeModel>(AnswerByView);
};

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
  const auto find = [&](const std::string& name) {
    asked = name;
    return model_;
  };
  Guesser guesser({.model = "teacher"}, find, journal_.get());
  EXPECT_TRUE(guesser.Guess(MakeRequest(), RenderIndex).ok());
  EXPECT_EQ(asked, "teacher");
}

TEST_F(GuesserTest, AFeedThatNamesNoModelKeepsItsFirst) {
  std::vector<std::string> asked;
  const auto find = [&](const std::string& name) {
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
  const auto no_model = [](const std::string&) -> absl::StatusOr<std::shared_ptr<GuessModel>> {
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
    const auto find = [&](const std::string&) -> absl::StatusOr<std::shared_ptr<GuessModel>> {
      return error;
    };
    EXPECT_EQ(Failure(Guesser({}, find, journal_.get())), error);
  }
}

TEST_F(GuesserTest, RefusesAModelForOtherImages) {
  model_->mutable_info()->input.height = 3;
  const absl::Status status = Failure(MakeGuesser(model_));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("1x3x2"), HasSubstr("1x2x2")));
}

TEST_F(GuesserTest, RefusesAModelForOtherClasses) {
  model_->mutable_info()->classes = 7;
  const absl::Status status = Failure(MakeGuesser(model_));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("7 classes, but the dataset has 3"));
}

TEST_F(GuesserTest, ErrorsOfTheRendererPass) {
  const auto render = [](int k, const Normalisation&, std::span<float>) {
    return k == 0 ? absl::OkStatus() : absl::InternalError("no pixels");
  };
  EXPECT_EQ(Failure(MakeGuesser(model_), render), absl::InternalError("no pixels"));
}

TEST_F(GuesserTest, ErrorsOfTheModelPass) {
  const auto broken = std::make_shared<FakeModel>(
      [](float, std::span<float>) { return absl::InternalError("it threw"); });
  EXPECT_EQ(Failure(MakeGuesser(broken)), absl::InternalError("it threw"));
}

TEST_F(GuesserTest, ProbabilitiesThatAreNoneAreNotJournalled) {
  const auto broken = std::make_shared<FakeModel>([](float, std::span<float> probabilities) {
    std::fill(probabilities.begin(), probabilities.end(), 0.5f);
    return absl::OkStatus();
  });
  const absl::Status status = Failure(MakeGuesser(broken));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("guess model fake"));
}

TEST_F(GuesserTest, RefusesRequestsOfNothing) {
  GuessRequest wrong[] = {MakeRequest(), MakeRequest(), MakeRequest(), MakeRequest()};
  wrong[0].rows = 0;
  wrong[1].views = 0;
  wrong[2].classes = 0;
  wrong[3].shape.width = 0;
  for (const GuessRequest& request : wrong) {
    EXPECT_EQ(MakeGuesser(model_).Guess(request, RenderIndex).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(GuesserTest, AJournalOfAnotherFeedsSizesIsNoticed) {
  ASSERT_TRUE(MakeGuesser(model_).Guess(MakeRequest(), RenderIndex).ok());
  GuessRequest other = MakeRequest();
  other.rows = kRows + 1;
  EXPECT_EQ(MakeGuesser(model_).Guess(other, RenderIndex).status().code(),
            absl::StatusCode::kDataLoss);
}

// Fails to find or to insert.
class BrokenJournal : public Journal {
 public:
  explicit BrokenJournal(absl::Status find) : find_(std::move(find)) {}
  absl::StatusOr<std::optional<StepGuess>> Find(const std::string&, int64_t) override {
    if (!find_.ok()) return find_;
    return std::nullopt;
  }
  absl::StatusOr<StepGuess> Insert(const std::string&, int64_t, const StepGuess&) override {
    return absl::ResourceExhaustedError("disk full");
  }
  absl::StatusOr<std::optional<std::string>> LastModel(const std::string&) override {
    return std::nullopt;
  }

 private:
  const absl::Status find_;
};

TEST_F(GuesserTest, WhatCannotBeJournalledIsNotGivenOut) {
  BrokenJournal full(absl::OkStatus());
  BrokenJournal dropped(absl::FailedPreconditionError("dropped by retention"));
  const auto find = [&](const std::string&) { return model_; };
  EXPECT_EQ(Guesser({}, find, &full).Guess(MakeRequest(), RenderIndex).status(),
            absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(Guesser({}, find, &dropped).Guess(MakeRequest(), RenderIndex).status(),
            absl::FailedPreconditionError("dropped by retention"));
}

}  // namespace
}  // namespace mixfeed
