// Losses, gradients and running statistics of a batch against the formulas in double, on the plain
// loops of the reference network; what LibTorch computes is compared with nothing of LibTorch's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "client/train/learner.h"
#include "tests/augment/guess/reference_network.h"
#include "tests/client/train/learner_kit.h"

namespace mixfeed {
namespace {

using testing::BatchKit;
using ::testing::HasSubstr;
using testing::IsStatistic;
using testing::kGroup;
using testing::kPixels;
using testing::kRows;
using testing::kWeight;
using testing::Make;
using testing::MixMatchBatch;
using testing::MustAdd;
using testing::MustStep;
using testing::SmallLearner;
using testing::Tensors;
using testing::ToTensors;

// Probabilities of each row of the wire, `group` rows a pass.
std::vector<double> Probabilities(const Tensors& weights, const std::vector<float>& pixels,
                                  size_t group) {
  std::vector<double> all;
  for (size_t begin = 0; begin < pixels.size(); begin += group * kPixels) {
    const std::vector<float> views(
        pixels.begin() + static_cast<ptrdiff_t>(begin),
        pixels.begin() + static_cast<ptrdiff_t>(begin + group * kPixels));
    const auto p = testing::ReferenceResidualNetwork(
        weights, SmallLearner().image, views, static_cast<int>(group), /*batch_statistics=*/true);
    all.insert(all.end(), p.begin(), p.end());
  }
  return all;
}

struct Losses {
  double labelled = 0, unlabelled = 0;
  double total() const { return labelled + kWeight * unlabelled; }
};

Losses ReferenceLosses(const Tensors& weights, const BatchKit& batch, size_t group = kGroup) {
  const std::vector<double> p = Probabilities(weights, batch.pixels, group);
  Losses losses;
  for (size_t i = 0; i < kRows; ++i) {
    const bool labelled = batch.header.row(static_cast<int>(i)) < kGroup;
    for (size_t c = i * BatchKit::kClasses; c < (i + 1) * BatchKit::kClasses; ++c) {
      if (labelled) {
        losses.labelled -= batch.targets[c] * std::log(p[c]) / kGroup;
      } else {
        losses.unlabelled +=
            std::pow(p[c] - batch.targets[c], 2) / ((kRows - kGroup) * double{BatchKit::kClasses});
      }
    }
  }
  return losses;
}

TEST(LearnerTest, LossPartsAreThoseOfMixMatch) {
  const auto learner = Make(SmallLearner());
  const BatchKit batch = MixMatchBatch();
  const Losses expected = ReferenceLosses(ToTensors(learner->Weights()), batch);
  const BatchLosses losses = MustAdd(*learner, batch);
  EXPECT_NEAR(losses.labelled, expected.labelled, 1e-5 * expected.labelled);
  EXPECT_NEAR(losses.unlabelled, expected.unlabelled, 1e-5 * expected.unlabelled);
  EXPECT_EQ(losses.unlabelled_weight, kWeight);
  EXPECT_NEAR(losses.total(), expected.total(), 1e-5 * expected.total());
}

TEST(LearnerTest, OnePassTakesTheStatisticsOfAllRows) {
  LearnerOptions options = SmallLearner();
  options.variant = *FindVariant("fastai");
  const auto learner = Make(options);
  const BatchKit batch = MixMatchBatch();
  const Tensors weights = ToTensors(learner->Weights());
  const Losses expected = ReferenceLosses(weights, batch, kRows);
  EXPECT_NEAR(MustAdd(*learner, batch).total(), expected.total(), 1e-5 * expected.total());
  EXPECT_GT(std::abs(expected.total() - ReferenceLosses(weights, batch).total()),
            1e-3 * expected.total());
}

// The reference's loss changes by the gradient's share in a small step: one along the gradient,
// with each component stretched at random, so that wrong ones show.
TEST(LearnerTest, TheGradientIsThatOfTheReferencesLoss) {
  const auto learner = Make(SmallLearner());
  const BatchKit batch = MixMatchBatch();
  const Tensors weights = ToTensors(learner->Weights());
  MustAdd(*learner, batch);
  const Tensors gradients = ToTensors(learner->Gradients());
  std::mt19937 random(2);
  std::uniform_real_distribution<double> stretch(0, 2);
  for (const auto& [name, values] : weights) {
    if (IsStatistic(name)) continue;
    ASSERT_EQ(gradients.at(name).size(), values.size()) << name;
  }
  for (int direction = 0; direction < 3; ++direction) {
    Tensors up = weights, down = weights;
    double expected = 0;
    for (const auto& [name, values] : weights) {
      if (IsStatistic(name)) continue;
      for (size_t i = 0; i < values.size(); ++i) {
        const double gradient = gradients.at(name)[i];
        const double step = 1e-4 * stretch(random) * gradient;
        up[name][i] = static_cast<float>(values[i] + step);
        down[name][i] = static_cast<float>(values[i] - step);
        expected += gradient * (double{up[name][i]} - down[name][i]);
      }
    }
    const double change = ReferenceLosses(up, batch).total() - ReferenceLosses(down, batch).total();
    EXPECT_NEAR(change, expected, 1e-3 * expected);
    EXPECT_GT(expected, 1e-4);
  }
}

// running + momentum * (batch - running), with the stem's first norm, whose input is the stem's.
class StatisticsTest : public ::testing::Test {
 protected:
  static constexpr double kMomentum = 0.25;

  static LearnerOptions Options(const char* variant) {
    LearnerOptions options = SmallLearner();
    options.variant = *FindVariant(variant);
    options.variant.decay_scope = DecayScope::kKernels;  // decay of statistics has its own test
    options.norm_momentum = kMomentum;
    return options;
  }

  // Mean of the stem's output channels over these rows: its input's window sums, in plain loops.
  static std::vector<double> StemMeans(const Tensors& weights, const float* images, size_t rows) {
    const std::vector<float>& kernel = weights.at("stem.weight");
    std::vector<double> means(16);
    constexpr int kSide = BatchKit::kSide;
    for (size_t o = 0; o < 16; ++o) {
      for (size_t n = 0; n < rows; ++n) {
        for (int y = 0; y < kSide; ++y) {
          for (int x = 0; x < kSide; ++x) {
            for (int tap = 0; tap < 27; ++tap) {
              const int c = tap / 9, iy = y + tap / 3 % 3 - 1, ix = x + tap % 3 - 1;
              if (iy < 0 || iy >= kSide || ix < 0 || ix >= kSide) continue;
              const size_t at = n * kPixels + static_cast<size_t>((c * kSide + iy) * kSide + ix);
              means[o] += double{kernel[o * 27 + static_cast<size_t>(tap)]} * images[at];
            }
          }
        }
      }
      means[o] /= static_cast<double>(rows) * kSide * kSide;
    }
    return means;
  }

  static void Move(const std::vector<double>& batch, std::vector<double>* running) {
    for (size_t c = 0; c < batch.size(); ++c) {
      (*running)[c] += kMomentum * (batch[c] - (*running)[c]);
    }
  }

  static void ExpectMeans(const Learner& learner, const std::vector<double>& expected) {
    const std::vector<float> means = ToTensors(learner.Weights()).at("blocks.0.norm1.running_mean");
    ASSERT_EQ(means.size(), expected.size());
    for (size_t c = 0; c < means.size(); ++c) {
      EXPECT_NEAR(means[c], expected[c], 1e-5 * std::abs(expected[c]) + 1e-7) << c;
    }
  }
};

TEST_F(StatisticsTest, OnlyTheFirstGroupMovesTheRunningOnesOfTheOfficialTrainer) {
  const auto learner = Make(Options("official"));
  const BatchKit batch = MixMatchBatch();
  std::vector<double> expected(16);
  Move(StemMeans(ToTensors(learner->Weights()), batch.pixels.data(), kGroup), &expected);
  MustStep(*learner, batch, 0.001);
  ExpectMeans(*learner, expected);
}

TEST_F(StatisticsTest, EveryGroupAndTheGuessMoveThemUnderYu1ut) {
  const auto learner = Make(Options("yu1ut"));
  const BatchKit batch = MixMatchBatch(), views = MixMatchBatch(9);
  const Tensors weights = ToTensors(learner->Weights());
  std::vector<double> expected(16);
  const size_t half = kRows / 2;
  for (size_t view = 0; view < 2; ++view) {
    Move(StemMeans(weights, views.pixels.data() + view * half * kPixels, half), &expected);
  }
  for (size_t group = 0; group < 3; ++group) {
    Move(StemMeans(weights, batch.pixels.data() + group * kGroup * kPixels, kGroup), &expected);
  }
  ASSERT_TRUE(learner->AddGuessPasses(views.pixels, 2).ok());
  MustStep(*learner, batch, 0.001);
  ExpectMeans(*learner, expected);
}

TEST_F(StatisticsTest, OnePassMovesThemByAllRowsUnderFastai) {
  const auto learner = Make(Options("fastai"));
  const BatchKit batch = MixMatchBatch();
  std::vector<double> expected(16);
  Move(StemMeans(ToTensors(learner->Weights()), batch.pixels.data(), kRows), &expected);
  MustStep(*learner, batch, 0.001);
  ExpectMeans(*learner, expected);
}

TEST_F(StatisticsTest, TheBatchesOfAnUpdateEachMoveTheFirstOnes) {
  LearnerOptions options = Options("official");
  options.accumulate = 2;
  const auto learner = Make(options);
  const BatchKit a = MixMatchBatch(1), b = MixMatchBatch(2);
  const Tensors weights = ToTensors(learner->Weights());
  std::vector<double> of_a(16), of_b(16), expected(16);
  Move(StemMeans(weights, a.pixels.data(), kGroup), &of_a);
  Move(StemMeans(weights, b.pixels.data(), kGroup), &of_b);
  for (size_t c = 0; c < 16; ++c) expected[c] = (of_a[c] + of_b[c]) / 2;
  MustAdd(*learner, a);
  MustStep(*learner, b, 0.001);
  ExpectMeans(*learner, expected);
}

TEST(LearnerTest, AccumulatedGradientsAreTheMeanOfTheBatches) {
  const BatchKit a = MixMatchBatch(1), b = MixMatchBatch(2);
  const auto one = Make(SmallLearner()), other = Make(SmallLearner());
  LearnerOptions both = SmallLearner();
  both.accumulate = 2;
  const auto learner = Make(both);
  MustAdd(*one, a);
  MustAdd(*other, b);
  MustAdd(*learner, a);
  MustAdd(*learner, b);
  const Tensors of_a = ToTensors(one->Gradients()), of_b = ToTensors(other->Gradients());
  for (const auto& [name, values] : ToTensors(learner->Gradients())) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double mean = (double{of_a.at(name)[i]} + of_b.at(name)[i]) / 2;
      ASSERT_NEAR(values[i], mean, 1e-5 * std::abs(mean) + 1e-6) << name;
    }
  }
}

// A hidden layer whose weights are all 1 is no mixing at all; of half and half, row and partner
// come out alike where they are each other's.
TEST(LearnerTest, HiddenLayersAreMixedByPartnerAndLambda) {
  LearnerOptions options = SmallLearner();
  options.labelled_rows = 0;
  BatchKit batch(2, 4);
  const auto loss_with = [&](uint32_t layer, float lambda) {
    batch.header.set_layer(layer);
    for (float& value : *batch.header.mutable_lambda()) value = lambda;
    return MustAdd(*Make(options), batch).labelled;
  };
  const double unmixed = loss_with(0, 1);
  for (uint32_t layer = 1; layer <= 3; ++layer) {
    EXPECT_NEAR(loss_with(layer, 1), unmixed, 1e-5 * unmixed);
    // With lambda 0 each row is its partner: the loss of exchanged targets.
    std::swap_ranges(batch.targets.begin(), batch.targets.begin() + BatchKit::kClasses,
                     batch.targets.begin() + BatchKit::kClasses);
    const double exchanged = loss_with(layer, 0);
    std::swap_ranges(batch.targets.begin(), batch.targets.begin() + BatchKit::kClasses,
                     batch.targets.begin() + BatchKit::kClasses);
    EXPECT_NEAR(exchanged, unmixed, 1e-5 * unmixed);
    EXPECT_GT(std::abs(loss_with(layer, 0.5F) - unmixed), 1e-4);
  }
  // A second partner takes its share: all of it, here, is the row itself again.
  for (const float weight : {1.0F, 1.0F}) batch.header.add_more_weight(weight);
  for (const uint32_t row : {0u, 1u}) batch.header.add_more_partner(row);
  EXPECT_NEAR(loss_with(2, 0), unmixed, 1e-5 * unmixed);
}

TEST(LearnerTest, PairsOfOneHotLabelsAreTheirSoftTargets) {
  LearnerOptions options = SmallLearner();
  options.labelled_rows = 0;
  BatchKit soft(2, 4), pairs(2, 4);
  soft.targets = {0.25F, 0, 0.75F, 0, 0, 1, 0, 0};
  pairs.targets = {0, 2, 0.25F, 1, 1, 0.5F};
  pairs.header.set_targets(v1::PAIRS);
  const double expected = MustAdd(*Make(options), soft).labelled;
  EXPECT_NEAR(MustAdd(*Make(options), pairs).labelled, expected, 1e-5 * expected);
}

// Each says what is wrong with the batch.
TEST(LearnerTest, BatchesThatDoNotFitAreRefused) {
  struct Case {
    const char* what;
    void (*change)(BatchKit*);
  };
  const Case cases[] = {
      {"UINT8 NCHW images", [](BatchKit* b) { b->header.set_type(v1::UINT8); }},
      {"FLOAT32 NHWC images", [](BatchKit* b) { b->header.set_layout(v1::NHWC); }},
      {"with 7 classes", [](BatchKit* b) { b->header.set_classes(7); }},
      {"images of 3x16x8", [](BatchKit* b) { b->header.mutable_image()->set_height(16); }},
      {"rows are not those of a whole step", [](BatchKit* b) { b->header.set_row(0, 1); }},
      {"rows are not those of a whole step", [](BatchKit* b) { b->header.set_row(0, 12); }},
      {"rows are not those of a whole step", [](BatchKit* b) { b->header.clear_row(); }},
      {"rows are not those of a whole step",
       [](BatchKit* b) {
         b->header.clear_row();
         b->header.set_rows(0);
         b->header.set_layer(1);
       }},
      {"hidden layers of labelled and unlabelled rows",
       [](BatchKit* b) { b->header.set_layer(1); }},
      {"layer 4, the network has the layers 0..3", [](BatchKit* b) { b->header.set_layer(4); }},
      {"targets: pairs given", [](BatchKit* b) { b->header.set_targets(v1::PAIRS); }},
  };
  const auto learner = Make(SmallLearner());
  for (const Case& wrong : cases) {
    BatchKit batch = MixMatchBatch();
    wrong.change(&batch);
    const absl::Status status = learner->Add(batch.Received()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong.what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(wrong.what));
  }
  EXPECT_THAT(std::string(learner->Add(BatchKit(10, 1).Received()).status().message()),
              HasSubstr("10 rows are no groups of 4"));
  EXPECT_THAT(std::string(learner->Add(BatchKit(4, 1).Received()).status().message()),
              HasSubstr("4 rows are no groups of 4"));
  EXPECT_THAT(std::string(learner->AddGuessPasses(std::vector<float>(100), 2).message()),
              HasSubstr("guess passes: 100 floats of 2 views"));
  EXPECT_FALSE(learner->AddGuessPasses({}, 0).ok());
  BatchKit grey = MixMatchBatch();
  grey.header.mutable_image()->set_channels(1);
  EXPECT_FALSE(learner->Evaluate(grey.Received()).ok());
}

TEST(LearnerTest, NetworksThatThereAreNotAreRefused) {
  LearnerOptions options = SmallLearner();
  options.network = "resnet-50";
  EXPECT_THAT(std::string(Learner::Create(options).status().message()),
              HasSubstr("no model kind 'resnet-50'; allowed: wrn-28-2, resnet-small"));
  options = SmallLearner();
  options.image.height = 7;
  EXPECT_THAT(std::string(Learner::Create(options).status().message()), HasSubstr("3x7x8"));
}

}  // namespace
}  // namespace mixfeed
