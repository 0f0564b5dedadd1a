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

using Kind = WeightsWish::Kind;

TEST(WishOfTest, IsWhatThePolicySays) {
  struct Case {
    GuessSpec spec;
    int64_t step;
    WeightsWish wish;
  };
  using Policy = WeightsPolicy;
  const Case cases[] = {
      {{}, 0, {Kind::kUpdate, 0}},
      {{}, 7, {Kind::kUpdate, 7}},
      {{.model = "", .batches_per_update = 4}, 7, {Kind::kUpdate, 1}},
      {{.model = "", .batches_per_update = 4}, 8, {Kind::kUpdate, 2}},
      {{.model = "", .policy = Policy::kDelayed, .delay = 3}, 2, {Kind::kUpdate, 0}},
      {{.model = "", .policy = Policy::kDelayed, .delay = 3}, 3, {Kind::kUpdate, 0}},
      {{.model = "", .policy = Policy::kDelayed, .delay = 3}, 10, {Kind::kUpdate, 7}},
      {{.model = "", .policy = Policy::kDelayed, .delay = 3, .batches_per_update = 2},
       10,
       {Kind::kUpdate, 2}},
      {{.model = "", .policy = Policy::kNewest, .delay = 3}, 10, {}},
      {{.model = "", .policy = Policy::kPinned, .version = 5}, 10, {Kind::kVersion, 5}},
  };
  for (const Case& c : cases) {
    const WeightsWish wish = WishOf(c.spec, c.step);
    EXPECT_EQ(wish.kind, c.wish.kind) << c.step;
    EXPECT_EQ(wish.number, c.wish.number) << c.step;
  }
}

TEST_F(GuesserTest, AGuessSaysWhichWeightsMadeIt) {
  model_->mutable_info()->weights = "0123456789abcdef0123456789abcdef";
  const auto guess = MakeGuesser(model_, {.model = "", .batches_per_update = 2})
                         .Guess(MakeRequest(14), RenderIndex);
  ASSERT_TRUE(guess.ok()) << guess.status();
  EXPECT_EQ(guess->model_version, 3);
  EXPECT_EQ(guess->model_update, 4);
  EXPECT_EQ(guess->age, 14 / 2 - 4);
  EXPECT_EQ(guess->weights, "0123456789abcdef0123456789abcdef");
}

TEST(WishOfTest, AsksForTheAverageUnderEveryPolicy) {
  for (const auto policy : {WeightsPolicy::kLockstep, WeightsPolicy::kDelayed,
                            WeightsPolicy::kNewest, WeightsPolicy::kPinned}) {
    EXPECT_TRUE(WishOf({.model = "", .policy = policy, .ema = true}, 3).ema);
    EXPECT_FALSE(WishOf({.model = "", .policy = policy}, 3).ema);
  }
}

// --- several models ---

absl::Status AnswerLastClass(float, std::span<float> probabilities) {
  for (size_t i = 0; i < probabilities.size(); ++i) {
    probabilities[i] = i % kClasses == kClasses - 1 ? 1.0f : 0.0f;
  }
  return absl::OkStatus();
}

class EnsembleTest : public GuesserTest {
 protected:
  EnsembleTest() {
    GuessModelInfo& info = *second_->mutable_info();
    info.name = "second";
    info.version = 8;
    info.update = 2;
    info.weights = "w8";
    info.normalisation.mean[0] = 0.5;
    info.environment = "elsewhere";
  }
  Guesser MakeEnsemble() {
    return Guesser(
        {.model = "fake,second"},
        [this](const std::string& name,
               const WeightsWish&) -> absl::StatusOr<std::shared_ptr<GuessModel>> {
          if (name == "second") return second_;
          EXPECT_EQ(name, "fake");
          return model_;
        },
        journal_.get());
  }

  const std::shared_ptr<FakeModel> second_ = std::make_shared<FakeModel>(AnswerLastClass);
};

TEST_F(EnsembleTest, SharpensTheMeanOverViewsAndModels) {
  const auto guess = MakeEnsemble().Guess(MakeRequest(), RenderIndex);
  ASSERT_TRUE(guess.ok()) << guess.status();
  for (size_t row = 0; row < kRows; ++row) {
    double squares[kClasses], sum = 0;
    for (size_t c = 0; c < kClasses; ++c) {
      const double of_second = c + 1 == kClasses ? 1 : 0;
      const size_t i = row * kClasses + c;
      squares[c] = std::pow((double{kView0[i]} + double{kView1[i]} + 2 * of_second) / 4, 2);
      sum += squares[c];
    }
    for (size_t c = 0; c < kClasses; ++c) {
      EXPECT_NEAR(guess->probabilities[row * kClasses + c], squares[c] / sum, 1e-6);
    }
  }
  EXPECT_EQ(second_->calls(), 2);
}

TEST_F(EnsembleTest, SaysWhichModelsGuessed) {
  const auto guess = MakeEnsemble().Guess(MakeRequest(), RenderIndex);
  ASSERT_TRUE(guess.ok()) << guess.status();
  EXPECT_EQ(guess->model, "fake");
  EXPECT_EQ(guess->model_version, 3);
  EXPECT_EQ(guess->more, (std::vector<GuessSource>{{"second", 8, 2, "w8"}}));
  EXPECT_EQ(guess->age, 10 - 2);  // of the oldest
  EXPECT_EQ(guess->environment, "elsewhere + here");
}

TEST_F(EnsembleTest, EachModelGetsViewsUnderItsOwnNormalisation) {
  std::set<float> means;
  Mutex mu;
  const auto render = [&](int k, const Normalisation& normalisation, std::span<float> out) {
    MutexLock lock(&mu);
    means.insert(static_cast<float>(normalisation.mean[0]));
    return RenderIndex(k, normalisation, out);
  };
  ASSERT_TRUE(MakeEnsemble().Guess(MakeRequest(), render).ok());
  EXPECT_EQ(means, (std::set<float>{0.25f, 0.5f}));
}

TEST_F(EnsembleTest, AModelThatDoesNotFitOrIsUnsoundFailsTheGuess) {
  second_->mutable_info()->classes = 7;
  EXPECT_THAT(std::string(Failure(MakeEnsemble()).message()),
              HasSubstr("guess model second knows 7 classes"));
}

// The weights of one update are there: the fake's.
class WaitingGuesserTest : public GuesserTest {
 protected:
  FindModel Finder() {
    return [this](const std::string&,
                  const WeightsWish& wish) -> absl::StatusOr<std::shared_ptr<GuessModel>> {
      if (wish.kind == Kind::kUpdate && wish.number > pushed_) {
        return NotYetError(absl::StrCat("update ", wish.number, " is missing"));
      }
      return model_;
    };
  }
  RenderGuessView CountingRender() {
    return [this](int k, const Normalisation& normalisation, std::span<float> out) {
      ++renders_;
      return RenderIndex(k, normalisation, out);
    };
  }

  int64_t pushed_ = 0;
  std::atomic<int> renders_ = 0;
};

TEST_F(WaitingGuesserTest, GuessesOnlyWithTheUpdateOfTheStep) {
  Guesser guesser({}, Finder(), journal_.get());
  EXPECT_FALSE(guesser.IsReady("feed", 10));
  const absl::Status status = guesser.Guess(MakeRequest(10), RenderIndex).status();
  EXPECT_TRUE(IsNotYet(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("update 10 is missing"));
  EXPECT_EQ(model_->calls(), 0);
  EXPECT_EQ(*journal_->Find("feed", 10), std::nullopt);
  pushed_ = 10;
  EXPECT_TRUE(guesser.IsReady("feed", 10));
  const auto guess = guesser.Guess(MakeRequest(10), RenderIndex);
  ASSERT_TRUE(guess.ok()) << guess.status();
  const std::vector<double> expected = ExpectedGuess();
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(guess->probabilities[i], expected[i], 1e-6);
  }
}

TEST_F(WaitingGuesserTest, RendersViewsOnceWhileItWaits) {
  Guesser guesser({}, Finder(), journal_.get());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(IsNotYet(guesser.Guess(MakeRequest(10), CountingRender()).status()));
    EXPECT_EQ(renders_, 2);
  }
  pushed_ = 10;
  EXPECT_TRUE(guesser.Guess(MakeRequest(10), CountingRender()).ok());
  EXPECT_EQ(renders_, 2);
}

TEST_F(WaitingGuesserTest, RendersAnewForAModelOfAnotherNormalisation) {
  Guesser guesser({}, Finder(), journal_.get());
  EXPECT_TRUE(IsNotYet(guesser.Guess(MakeRequest(10), CountingRender()).status()));
  pushed_ = 10;
  model_->mutable_info()->normalisation.mean[0] = 0.5;
  EXPECT_TRUE(guesser.Guess(MakeRequest(10), CountingRender()).ok());
  EXPECT_EQ(renders_, 4);
}

TEST_F(WaitingGuesserTest, AFailedRenderIsTriedAgain) {
  Guesser guesser({}, Finder(), journal_.get());
  const auto fail = [](int, const Normalisation&, std::span<float>) {
    return absl::InternalError("no pixels");
  };
  EXPECT_EQ(guesser.Guess(MakeRequest(10), fail).status(), absl::InternalError("no pixels"));
  EXPECT_TRUE(IsNotYet(guesser.Guess(MakeRequest(10), CountingRender()).status()));
  EXPECT_EQ(renders_, 2);
}

// Of the two views of MakeRequest, [rows][C][H][W] each.
constexpr size_t kFloatsOfStep = size_t{2} * kRows * 1 * 2 * 2;

TEST_F(WaitingGuesserTest, ViewsOfAStepThatAnotherProcessGuessedAreNotKept) {
  Guesser guesser({}, Finder(), journal_.get(), kFloatsOfStep);
  EXPECT_TRUE(IsNotYet(guesser.Guess(MakeRequest(10), CountingRender()).status()));
  ASSERT_TRUE(MakeGuesser(model_).Guess(MakeRequest(10), RenderIndex).ok());
  EXPECT_TRUE(guesser.Guess(MakeRequest(10), CountingRender()).ok());
  EXPECT_TRUE(IsNotYet(guesser.Guess(MakeRequest(11), CountingRender()).status()));
  EXPECT_EQ(renders_, 4);
}

TEST_F(WaitingGuesserTest, ViewsOfStepsThatNobodyAskedForAgainAreNotKept) {
  Guesser guesser({}, Finder(), journal_.get(), kFloatsOfStep);
  EXPECT_TRUE(IsNotYet(guesser.Guess(MakeRequest(10), CountingRender()).status()));
  pushed_ = 11;
  EXPECT_TRUE(guesser.Guess(MakeRequest(11), RenderIndex).ok());
  EXPECT_TRUE(IsNotYet(guesser.Guess(MakeRequest(12), CountingRender()).status()));
  EXPECT_EQ(renders_, 4);
}

TEST_F(WaitingGuesserTest, WhereThereIsRoomForOneStepItIsTheLowest) {
  Guesser guesser({}, Finder(), journal_.get(), kFloatsOfStep);
  for (const int64_t step : {11, 12}) {
    EXPECT_TRUE(IsNotYet(guesser.Guess(MakeRequest(step), CountingRender()).status()));
    EXPECT_EQ(renders_, 2);
  }
  EXPECT_TRUE(IsNotYet(guesser.Guess(MakeRequest(10), CountingRender()).status()));
  EXPECT_EQ(renders_, 4);
  pushed_ = 11;
  EXPECT_TRUE(guesser.Guess(MakeRequest(10), CountingRender()).ok());
  EXPECT_EQ(renders_, 4);
  EXPECT_TRUE(guesser.Guess(MakeRequest(11), CountingRender()).ok());
  EXPECT_EQ(renders_, 6);
}

TEST_F(WaitingGuesserTest, AStepInTheJournalWaitsForNothing) {
  pushed_ = 10;
  Guesser guesser({}, Finder(), journal_.get());
  ASSERT_TRUE(guesser.Guess(MakeRequest(10), RenderIndex).ok());
  pushed_ = 0;
  EXPECT_TRUE(guesser.Guess(MakeRequest(10), RenderIndex).ok());
}

TEST(NotYetTest, IsToldFromOtherErrors) {
  EXPECT_TRUE(IsNotYet(NotYetError("update 3 is missing")));
  EXPECT_EQ(NotYetError("update 3 is missing").code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(IsNotYet(absl::UnavailableError("update 3 is missing")));
  EXPECT_FALSE(IsNotYet(absl::OkStatus()));
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
  bool IsAway() const override { return IsNotYet(find_); }
  absl::StatusOr<std::optional<StepGuess>> Find(const std::string&, int64_t) override {
    if (!find_.ok()) return find_;
    return std::nullopt;
  }
  absl::StatusOr<StepGuess> Insert(const std::string&, int64_t, const StepGuess&) override {
    return absl::ResourceExhaustedError("disk full");
  }
  absl::Status Fork(const std::string&, int64_t, const std::string&) override {
    return absl::UnimplementedError("broken");
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
  const auto find = [&](const std::string&, const WeightsWish&) { return model_; };
  EXPECT_EQ(Guesser({}, find, &full).Guess(MakeRequest(), RenderIndex).status(),
            absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(Guesser({}, find, &dropped).Guess(MakeRequest(), RenderIndex).status(),
            absl::FailedPreconditionError("dropped by retention"));
}

TEST_F(GuesserTest, WhileTheJournalIsAwayNoStepIsReady) {
  BrokenJournal away(NotYetError("the store is gone"));
  BrokenJournal there(absl::OkStatus());
  const auto find = [&](const std::string&, const WeightsWish&) { return model_; };
  Guesser waiting({}, find, &away);
  EXPECT_EQ(waiting.Guess(MakeRequest(), RenderIndex).status(), NotYetError("the store is gone"));
  EXPECT_FALSE(waiting.IsReady("feed", 0));
  EXPECT_TRUE(Guesser({}, find, &there).IsReady("feed", 0));
}

}  // namespace
}  // namespace mixfeed::testing
