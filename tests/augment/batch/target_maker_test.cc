#include "augment/batch/target_maker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

// Four classes; the images' labels are 0, 1, 2, 3, none. Test images are of class 3.
class TargetMakerTest : public ::testing::Test {
 protected:
  TargetMakerTest() {
    dataset_.class_names = {"a", "b", "c", "d"};
    dataset_.train.labels = {0, 1, 2, 3, kNoLabel};
    dataset_.test.labels = {3};
    recipe_.rows = RowSource::kLabelled;
  }

  // A plan of labelled rows of these images, each mixed with the given row.
  void SetRows(const std::vector<int32_t>& samples, const std::vector<int32_t>& partner,
               const std::vector<float>& lambda) {
    plan_.labelled_rows = static_cast<int>(partner.size());
    for (const int32_t sample : samples) plan_.rows.push_back({.sample = sample});
    plan_.partner = partner;
    plan_.lambda = lambda;
  }

  std::vector<float> Soft(int32_t row) const { return Written(TargetForm::kSoft, row, 4); }
  std::vector<float> Pair(int32_t row) const { return Written(TargetForm::kPairs, row, 3); }

  Dataset dataset_;
  Recipe recipe_;
  Plan plan_;
  StepGuess guess_;

 private:
  std::vector<float> Written(TargetForm form, int32_t row, size_t columns) const {
    std::vector<float> out(columns, -7);
    TargetMaker(recipe_, dataset_, plan_, guess_).Write(form, row, out);
    return out;
  }
};

auto IsNear(const std::vector<float>& values) { return Pointwise(FloatNear(1e-7f), values); }

TEST_F(TargetMakerTest, SoftTargetsWeighTheLabelsOfRowAndPartner) {
  SetRows({0, 2}, {1, 1}, {0.75f, 0.5f});
  EXPECT_THAT(Soft(0), ElementsAre(0.75f, 0, 0.25f, 0));
  EXPECT_THAT(Soft(1), ElementsAre(0, 0, 1, 0));
}

TEST_F(TargetMakerTest, PairsAreTheTwoLabelsAndLambda) {
  SetRows({0, 2}, {1, 1}, {0.75f, 0.5f});
  EXPECT_THAT(Pair(0), ElementsAre(0, 2, 0.75f));
  EXPECT_THAT(Pair(1), ElementsAre(2, 2, 0.5f));
}

// Weights of equal labels add up.
TEST_F(TargetMakerTest, Trap16EqualLabelsKeepTheirWholeWeight) {
  SetRows({1, 1}, {1, 0}, {0.25f, 0.25f});
  EXPECT_THAT(Soft(0), ElementsAre(0, 1, 0, 0));
}

TEST_F(TargetMakerTest, SmoothingComesBeforeMixing) {
  recipe_.mix.label_smoothing = 0.2;
  SetRows({0, 2}, {1, 0}, {0.75f, 1});
  // 1 - s + s/C is 0.85, s/C is 0.05.
  EXPECT_THAT(Soft(0), IsNear({0.65f, 0.05f, 0.25f, 0.05f}));
  EXPECT_THAT(Soft(1), IsNear({0.05f, 0.05f, 0.85f, 0.05f}));
}

TEST_F(TargetMakerTest, OwnTargetsAreTheRowsWhateverItIsMixedWith) {
  recipe_.mix.targets = TargetRule::kOwn;
  SetRows({0, 2}, {1, 0}, {0.25f, 0.25f});
  EXPECT_THAT(Soft(0), ElementsAre(1, 0, 0, 0));
  EXPECT_THAT(Pair(0), ElementsAre(0, 0, 1));
}

TEST_F(TargetMakerTest, TheLabelOfAnUnlabelledPartnerIsNotShown) {
  recipe_.mix.targets = TargetRule::kOwn;
  SetRows({0, 3}, {1}, {0.25f});
  plan_.rows[1].pool = PoolId::kUnlabelled;
  EXPECT_THAT(Pair(0), ElementsAre(0, 0, 1));
  EXPECT_THAT(Soft(0), ElementsAre(1, 0, 0, 0));
}

TEST_F(TargetMakerTest, HiddenAndUnknownLabelsAreMinusOneAndUniform) {
  recipe_.rows = RowSource::kOrdered;
  SetRows({3, 4}, {0, 1}, {1, 1});
  plan_.rows[0].pool = PoolId::kUnlabelled;
  for (const int32_t row : {0, 1}) {
    EXPECT_THAT(Pair(row), ElementsAre(-1, -1, 1));
    EXPECT_THAT(Soft(row), ElementsAre(0.25f, 0.25f, 0.25f, 0.25f));
  }
}

TEST_F(TargetMakerTest, TestRowsHaveTheTestPartitionsLabels) {
  SetRows({0}, {0}, {1});
  plan_.rows[0].pool = PoolId::kTest;
  EXPECT_THAT(Soft(0), ElementsAre(0, 0, 0, 1));
}

// Rows are K-major, so that view k of image i is row B + k B' + i with image i's guess.
TEST_F(TargetMakerTest, Trap34EveryViewHasTheGuessOfItsImage) {
  recipe_.rows = RowSource::kLabelledAndUnlabelled;
  SetRows({0, 1, 2, 3, 1, 2, 3}, {0, 1, 2, 3, 4, 5, 0}, std::vector<float>(7, 1.0f));
  plan_.labelled_rows = 1;
  plan_.unlabelled_rows = 3;
  plan_.views = 2;
  for (size_t row = 1; row < 7; ++row) plan_.rows[row].pool = PoolId::kUnlabelled;
  guess_.probabilities = {0.5f, 0.5f, 0, 0, 0, 0.25f, 0.75f, 0, 0.125f, 0, 0, 0.875f};
  EXPECT_THAT(Soft(0), ElementsAre(1, 0, 0, 0));
  for (const int32_t first : {1, 4}) {
    EXPECT_THAT(Soft(first), ElementsAre(0.5f, 0.5f, 0, 0));
    EXPECT_THAT(Soft(first + 1), ElementsAre(0, 0.25f, 0.75f, 0));
  }
  EXPECT_THAT(Soft(3), ElementsAre(0.125f, 0, 0, 0.875f));
  plan_.lambda[6] = 0.5f;  // mixed with the labelled row
  EXPECT_THAT(Soft(6), ElementsAre(0.5625f, 0, 0, 0.4375f));
}

TEST_F(TargetMakerTest, GuessesAreNotSmoothed) {
  recipe_.rows = RowSource::kLabelledAndUnlabelled;
  recipe_.mix.label_smoothing = 0.2;
  SetRows({0, 1}, {0, 1}, {1, 1});
  plan_.labelled_rows = plan_.unlabelled_rows = plan_.views = 1;
  plan_.rows[1].pool = PoolId::kUnlabelled;
  guess_.probabilities = {0, 1, 0, 0};
  EXPECT_THAT(Soft(0), IsNear({0.85f, 0.05f, 0.05f, 0.05f}));
  EXPECT_THAT(Soft(1), ElementsAre(0, 1, 0, 0));
}

// --- more than two sources ---

TEST_F(TargetMakerTest, EverySourceHasItsWeight) {
  SetRows({0, 1, 2, 3}, {1, 2, 3, 0}, std::vector<float>(4, 0.5f));
  plan_.more_partners = {2, 3, 0, 1, 3, 0, 1, 2};  // the third sources, then the fourth
  plan_.more_weights = {0.125f, 0, 0, 0, 0.25f, 0, 0, 0};
  EXPECT_THAT(Soft(0), ElementsAre(0.5f, 0.125f, 0.125f, 0.25f));
  EXPECT_THAT(Soft(1), ElementsAre(0, 0.5f, 0.5f, 0));
}

// The first permutation's fixed point may be mixed by the second.
TEST_F(TargetMakerTest, ARowWhoseFirstPartnerIsItselfHasItsFurtherSources) {
  SetRows({0, 1}, {0, 1}, {0.5f, 0.5f});
  plan_.more_partners = {1, 0};
  plan_.more_weights = {0.25f, 0.25f};
  EXPECT_THAT(Soft(0), ElementsAre(0.75f, 0.25f, 0, 0));
}

TEST_F(TargetMakerTest, OwnTargetsAreOfOneSourceOfManyToo) {
  recipe_.mix.targets = TargetRule::kOwn;
  SetRows({0, 1}, {1, 0}, {0.5f, 0.5f});
  plan_.more_partners = {1, 0};
  plan_.more_weights = {0.25f, 0.25f};
  EXPECT_THAT(Soft(0), ElementsAre(1, 0, 0, 0));
}

// The trainer mixes a hidden layer's activations; it gets the targets mixed.
TEST_F(TargetMakerTest, TargetsAreMixedForHiddenLayersToo) {
  SetRows({0, 2}, {1, 0}, {0.75f, 0.75f});
  plan_.layer = 2;
  EXPECT_THAT(Soft(0), ElementsAre(0.75f, 0, 0.25f, 0));
}

}  // namespace
}  // namespace mixfeed
