#include "server/core/guess_validator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/augment/batch/feed_kit.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using testing::FeedKit;
using ::testing::IsEmpty;

constexpr size_t kClasses = 10;

bool Never() { return false; }

// One version of a model: what it makes of an image is the softmax of `sharpness` times its first
// ten pixels. Notes the passes that it is given.
class PixelModel final : public GuessModel {
 public:
  PixelModel(const ImageShape& shape, int64_t version, double sharpness) : sharpness_(sharpness) {
    info_.name = "net";
    info_.version = version;
    info_.input = shape;
    info_.normalisation = *FindNormalisation("signed");
  }
  const GuessModelInfo& info() const override { return info_; }

  absl::Status Guess(std::span<const float> views, int rows, bool batch_statistics,
                     std::span<float> probabilities) override {
    passes.push_back(rows);
    statistics = batch_statistics;
    if (!failure.ok()) return failure;
    const auto pixels = static_cast<size_t>(info_.input.pixels());
    for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
      Softmax(views.subspan(row * pixels, kClasses), probabilities.subspan(row * kClasses));
    }
    return absl::OkStatus();
  }

  void Softmax(std::span<const float> logits, std::span<float> probabilities) const {
    double sum = 0;
    for (size_t c = 0; c < kClasses; ++c) sum += std::exp(sharpness_ * logits[c]);
    for (size_t c = 0; c < kClasses; ++c) {
      probabilities[c] = static_cast<float>(std::exp(sharpness_ * logits[c]) / sum);
    }
  }

  std::vector<int> passes;
  bool statistics = false;
  absl::Status failure;

 private:
  GuessModelInfo info_;
  const double sharpness_;
};

class GuessValidatorTest : public ::testing::Test {
 protected:
  explicit GuessValidatorTest(int64_t images = 200)
      : kit_({.shape = {3, 8, 8}, .train = images, .test = 50, .threads = 1}) {
    const ImageSet& train = kit_.dataset->train;
    pool_ = *kit_.renderer->Load(
        *MakePool(kit_.dataset->shape, train.pixels, 4, PadMode::kReflect, &kit_.threads));
  }

  std::unique_ptr<GuessValidator> Make(const std::vector<int32_t>& validation,
                                       bool batch_statistics = true, size_t rows = 8) {
    const auto find = [this](
                          const std::string& name,
                          const WeightsWish& wish) -> absl::StatusOr<std::shared_ptr<GuessModel>> {
      EXPECT_EQ(wish.kind, WeightsWish::Kind::kVersion);
      EXPECT_EQ(wish.ema, ema_);
      const auto found = models_.find(wish.number);
      if (name == "net" && found != models_.end()) return found->second;
      return absl::FailedPreconditionError("no longer kept");
    };
    return std::make_unique<GuessValidator>(
        GuessValidator::Parts{.dataset = kit_.dataset,
                              .pool = pool_,
                              .renderer = kit_.renderer.get(),
                              .find_model = find,
                              .stats = stats_,
                              .batch_statistics = batch_statistics,
                              .rows_of_pass = rows,
                              .ema = ema_},
        validation);
  }

  // A version that has guessed a step.
  PixelModel* AddVersion(int64_t version, double sharpness = 1) {
    const std::vector<float> guess(kClasses, 0.1f);
    StepGuess step;
    step.rows = 1;
    step.classes = kClasses;
    step.probabilities = guess;
    step.model = "net";
    step.model_version = version;
    const std::vector<int16_t> labels = {kNoLabel};
    stats_->Add({.view_probabilities = guess, .averaged = guess, .guess = step}, labels);
    auto model = std::make_shared<PixelModel>(kit_.dataset->shape, version, sharpness);
    models_[version] = model;
    return model.get();
  }

  // By hand: pixels under "signed" normalisation are p / 127.5 - 1.
  std::vector<float> ExpectedGuesses(const PixelModel& model, const std::vector<int32_t>& samples) {
    std::vector<float> guesses(samples.size() * kClasses);
    for (size_t i = 0; i < samples.size(); ++i) {
      const uint8_t* image =
          &kit_.dataset->train
               .pixels[static_cast<size_t>(samples[i] * kit_.dataset->shape.pixels())];
      std::vector<float> logits(kClasses);
      for (size_t c = 0; c < kClasses; ++c) logits[c] = static_cast<float>(image[c] / 127.5 - 1);
      model.Softmax(logits, std::span(guesses).subspan(i * kClasses));
    }
    return guesses;
  }
  Calibration Expected(const std::vector<float>& guesses, const std::vector<int32_t>& samples) {
    std::vector<int16_t> labels;
    for (const int32_t sample : samples) {
      labels.push_back(kit_.dataset->train.labels[static_cast<size_t>(sample)]);
    }
    return CalibrationOf(guesses, labels, kClasses);
  }

  std::vector<int64_t> Validated() const {
    std::vector<int64_t> versions;
    for (const GuessSpan& span : stats_->Spans()) {
      if (span.validation.has_value()) versions.push_back(span.validation->version);
    }
    return versions;
  }

  FeedKit kit_;
  std::shared_ptr<const ResidentPool> pool_;
  const std::shared_ptr<GuessStats> stats_ =
      std::make_shared<GuessStats>(std::vector<double>(kClasses, 0.1), nullptr);
  std::map<int64_t, std::shared_ptr<PixelModel>> models_;
  bool ema_ = false;
};

std::vector<int32_t> From(int32_t first, int32_t count) {
  std::vector<int32_t> samples;
  for (int32_t i = 0; i < count; ++i) samples.push_back(first + i);
  return samples;
}

TEST_F(GuessValidatorTest, TriesAVersionOnTheImagesAsTheyAre) {
  const std::vector<int32_t> samples = From(17, 24);
  PixelModel* const model = AddVersion(3, 2.0);
  const auto validator = Make(samples);
  EXPECT_EQ(validator->images(), 24u);
  ASSERT_TRUE(validator->Validate(1, Never).ok());
  const Calibration expected = Expected(ExpectedGuesses(*model, samples), samples);
  const auto spans = stats_->Spans();
  ASSERT_TRUE(spans.at(0).validation.has_value());
  const GuessValidation& found = *spans[0].validation;
  EXPECT_EQ(found.version, 3);
  EXPECT_EQ(found.calibration.images, 24u);
  EXPECT_NEAR(found.calibration.accuracy, expected.accuracy, 1e-9);
  EXPECT_NEAR(found.calibration.confidence, expected.confidence, 1e-5);
  EXPECT_NEAR(found.calibration.error, expected.error, 1e-5);
  EXPECT_FALSE(found.drift.has_value());
}

TEST_F(GuessValidatorTest, TriesTheAverageWhereTheFeedGuessesWithIt) {
  ema_ = true;
  AddVersion(1);
  const auto validator = Make({1, 2, 3, 4, 5, 6, 7, 8});
  ASSERT_TRUE(validator->Validate(1, [] { return false; }).ok());
  EXPECT_TRUE(stats_->Spans()[0].validation.has_value());
}

TEST_F(GuessValidatorTest, DriftIsFromTheVersionThatWasTriedBefore) {
  const std::vector<int32_t> samples = From(0, 16);
  const PixelModel* const first = AddVersion(3, 1);
  const auto validator = Make(samples);
  ASSERT_TRUE(validator->Validate(4, Never).ok());
  const PixelModel* const second = AddVersion(7, 3);
  ASSERT_TRUE(validator->Validate(4, Never).ok());
  const std::vector<float> a = ExpectedGuesses(*first, samples);
  const std::vector<float> b = ExpectedGuesses(*second, samples);
  double drift = 0;
  for (size_t i = 0; i < a.size(); ++i) drift += std::abs(a[i] - b[i]) / 2 / 16;
  const auto validation = stats_->Spans().at(1).validation;
  ASSERT_TRUE(validation.has_value() && validation->drift.has_value());
  EXPECT_NEAR(*validation->drift, drift, 1e-5);
  EXPECT_EQ(validation->drift_from, 3);
}

TEST_F(GuessValidatorTest, TriesTheNewestVersionsInOrderAndNoneTwice) {
  for (int64_t version = 0; version < 6; ++version) AddVersion(version);
  const auto validator = Make(From(0, 8));
  ASSERT_TRUE(validator->Validate(2, Never).ok());
  EXPECT_THAT(Validated(), ElementsAre(4, 5));
  EXPECT_EQ(stats_->Spans()[5].validation->drift_from, 4);
  ASSERT_TRUE(validator->Validate(2, Never).ok());
  EXPECT_THAT(models_[5]->passes, ElementsAre(8));
  EXPECT_THAT(Validated(), ElementsAre(4, 5));  // what is older than the last one stays as it is
  AddVersion(6);
  ASSERT_TRUE(validator->Validate(2, Never).ok());
  EXPECT_THAT(Validated(), ElementsAre(4, 5, 6));
}

TEST_F(GuessValidatorTest, AVersionThatIsNoLongerKeptIsPassedOver) {
  for (int64_t version = 0; version < 3; ++version) AddVersion(version);
  models_.erase(1);
  ASSERT_TRUE(Make(From(0, 8))->Validate(3, Never).ok());
  EXPECT_THAT(Validated(), ElementsAre(0, 2));
}

TEST_F(GuessValidatorTest, WithBatchStatisticsAllPassesHaveTheRowsOfAGuess) {
  PixelModel* const model = AddVersion(1);
  const auto validator = Make(From(0, 30), /*batch_statistics=*/true, /*rows=*/8);
  EXPECT_EQ(validator->images(), 24u);
  ASSERT_TRUE(validator->Validate(1, Never).ok());
  EXPECT_THAT(model->passes, ElementsAre(8, 8, 8));
  EXPECT_TRUE(model->statistics);
}

TEST_F(GuessValidatorTest, FewerImagesThanAGuessHasAreOnePass) {
  PixelModel* const model = AddVersion(1);
  ASSERT_TRUE(Make(From(0, 5), /*batch_statistics=*/true, /*rows=*/8)->Validate(1, Never).ok());
  EXPECT_THAT(model->passes, ElementsAre(5));
}

TEST_F(GuessValidatorTest, WithRunningStatisticsNoImageIsLeftOver) {
  PixelModel* const model = AddVersion(1);
  const auto validator = Make(From(0, 70), /*batch_statistics=*/false, /*rows=*/100);
  EXPECT_EQ(validator->images(), 70u);
  ASSERT_TRUE(validator->Validate(1, Never).ok());
  EXPECT_THAT(model->passes, ElementsAre(64, 6));
  EXPECT_FALSE(model->statistics);
}

TEST_F(GuessValidatorTest, APassHasNoMoreRowsThanOneOfAGuess) {
  PixelModel* const model = AddVersion(1);
  ASSERT_TRUE(Make(From(0, 20), /*batch_statistics=*/false, /*rows=*/8)->Validate(1, Never).ok());
  EXPECT_THAT(model->passes, ElementsAre(8, 8, 4));
}

TEST_F(GuessValidatorTest, WithoutValidationImagesNothingHappens) {
  PixelModel* const model = AddVersion(1);
  const auto validator = Make({});
  EXPECT_EQ(validator->images(), 0u);
  EXPECT_TRUE(validator->Validate(4, Never).ok());
  EXPECT_THAT(model->passes, IsEmpty());
}

TEST_F(GuessValidatorTest, ImagesWithoutALabelAreLeftOut) {
  for (int i = 0; i < 10; i += 2) kit_.dataset->train.labels[static_cast<size_t>(i)] = kNoLabel;
  EXPECT_EQ(Make(From(0, 10), /*batch_statistics=*/false)->images(), 5u);
}

TEST_F(GuessValidatorTest, EndsWhenItIsToldTo) {
  PixelModel* const model = AddVersion(1);
  int asked = 0;
  const absl::Status status = Make(From(0, 24))->Validate(1, [&asked] { return ++asked > 2; });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(model->passes, ElementsAre(8, 8));
  EXPECT_THAT(Validated(), IsEmpty());
}

TEST_F(GuessValidatorTest, TellsWhatTheModelSays) {
  AddVersion(1)->failure = absl::InternalError("it threw");
  EXPECT_EQ(Make(From(0, 8))->Validate(1, Never), absl::InternalError("it threw"));
}

class ManyImagesTest : public GuessValidatorTest {
 protected:
  ManyImagesTest() : GuessValidatorTest(1000) {}
};

TEST_F(ManyImagesTest, TheSliceIsBoundedAndSpreadEvenly) {
  const PixelModel* const model = AddVersion(1);
  const auto validator = Make(From(0, 1000), true, 256);
  EXPECT_EQ(validator->images(), GuessValidator::kMaxImages);
  ASSERT_TRUE(validator->Validate(1, Never).ok());
  std::vector<int32_t> samples;
  for (int32_t i = 0; i < 256; ++i) samples.push_back(i * 1000 / 256);
  const Calibration expected = Expected(ExpectedGuesses(*model, samples), samples);
  EXPECT_NEAR(stats_->Spans()[0].validation->calibration.error, expected.error, 1e-5);
}

}  // namespace
}  // namespace mixfeed
