#ifndef MIXFEED_TESTS_AUGMENT_GUESS_GUESSER_KIT_H_
#define MIXFEED_TESTS_AUGMENT_GUESS_GUESSER_KIT_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "augment/base/mutex.h"
#include "augment/guess/guesser.h"

namespace mixfeed::testing {

inline constexpr ImageShape kShape{.channels = 1, .height = 2, .width = 2};
inline constexpr int kRows = 2;
inline constexpr int kClasses = 3;

inline GuessRequest MakeRequest(int64_t step = 10, int views = 2) {
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
inline constexpr float kView0[] = {0.8f, 0.1f, 0.1f, 0.2f, 0.2f, 0.6f};
inline constexpr float kView1[] = {0.2f, 0.7f, 0.1f, 0.0f, 1.0f, 0.0f};

inline absl::Status AnswerByView(float first_pixel, std::span<float> probabilities) {
  std::copy_n(first_pixel == 0 ? kView0 : kView1, probabilities.size(), probabilities.begin());
  return absl::OkStatus();
}

inline absl::Status AnswerUniform(float, std::span<float> probabilities) {
  std::fill(probabilities.begin(), probabilities.end(), 1.0f / kClasses);
  return absl::OkStatus();
}

// Fills view k with the value k.
inline absl::Status RenderIndex(int k, const Normalisation&, std::span<float> out) {
  std::fill(out.begin(), out.end(), static_cast<float>(k));
  return absl::OkStatus();
}

// The same by the formulas of the paper: mean over views, then p^2 / sum p^2 (T = 0.5).
inline std::vector<double> ExpectedGuess() {
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
        std::move(spec), [model](const std::string&, const WeightsWish&) { return model; },
        journal_.get());
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

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_GUESS_GUESSER_KIT_H_
