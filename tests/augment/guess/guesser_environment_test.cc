// Guesses of models whose environment may change: those that other servers run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/guess/guesser.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;

constexpr ImageShape kPixel{.channels = 1, .height = 1, .width = 1};
constexpr int kTwoClasses = 2;

// Its environment depends on how many passes it has made; in environment 0 it guesses class 0, else
// class 1.
class ChangingModel final : public GuessModel {
 public:
  explicit ChangingModel(std::function<int(int passes)> environment_after)
      : environment_after_(std::move(environment_after)) {
    info_.name = "changing";
    info_.input = kPixel;
    info_.classes = kTwoClasses;
  }
  const GuessModelInfo& info() const override { return info_; }
  std::string environment() const override {
    return absl::StrCat("environment ", environment_after_(passes_));
  }
  absl::Status Guess(std::span<const float>, int, bool, std::span<float> probabilities) override {
    const bool first = environment_after_(++passes_) == 0;
    probabilities[0] = first ? 1 : 0;
    probabilities[1] = first ? 0 : 1;
    return absl::OkStatus();
  }
  int passes() const { return passes_; }

 private:
  const std::function<int(int)> environment_after_;
  GuessModelInfo info_;
  std::atomic<int> passes_ = 0;
};

absl::StatusOr<StepGuess> GuessWith(const std::shared_ptr<ChangingModel>& model) {
  const auto journal = *Journal::Open({.path = ":memory:"});
  Guesser guesser(
      {}, [&](const std::string&, const WeightsWish&) { return model; }, journal.get());
  return guesser.Guess(
      {.feed_id = "feed",
       .step = 0,
       .rows = 1,
       .views = 2,
       .shape = kPixel,
       .classes = kTwoClasses},
      [](int, const Normalisation&, std::span<float>) { return absl::OkStatus(); });
}

TEST(GuesserEnvironmentTest, AStepIsGuessedOnceWhileNothingChanges) {
  const auto model = std::make_shared<ChangingModel>([](int) { return 0; });
  EXPECT_EQ(GuessWith(model)->environment, "environment 0");
  EXPECT_EQ(model->passes(), 2);
}

TEST(GuesserEnvironmentTest, AStepWhoseModelChangedMeanwhileIsGuessedAgain) {
  // Between the two views of the step.
  const auto model = std::make_shared<ChangingModel>([](int passes) { return passes < 2 ? 0 : 1; });
  const auto guess = GuessWith(model);
  ASSERT_TRUE(guess.ok()) << guess.status();
  EXPECT_EQ(guess->environment, "environment 1");
  EXPECT_EQ(guess->probabilities, (std::vector<float>{0, 1}));
  EXPECT_EQ(model->passes(), 4);
}

TEST(GuesserEnvironmentTest, AModelThatNeverStaysTheSameIsAnError) {
  const auto model = std::make_shared<ChangingModel>([](int passes) { return passes; });
  const absl::Status status = GuessWith(model).status();
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("changing changed 3 times"));
  EXPECT_EQ(model->passes(), 6);
}

}  // namespace
}  // namespace mixfeed
