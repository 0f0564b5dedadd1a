// What an update makes of weights, their average and the optimiser's memory, against the formulas
// in double; how a training's state is kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "client/train/learner.h"
#include "tests/augment/guess/reference_network.h"
#include "tests/client/train/learner_kit.h"

namespace mixfeed {
namespace {

using testing::BatchKit;
using ::testing::HasSubstr;
using testing::IsKernel;
using testing::IsStatistic;
using testing::kRows;
using testing::Make;
using testing::MixMatchBatch;
using testing::MustAdd;
using testing::MustStep;
using testing::MustUpdate;
using testing::SmallLearner;
using testing::Tensors;
using testing::ToTensors;

// What the optimisers remember, in double.
struct Moments {
  double first = 0, second = 0;
};

// Kingma and Ba 2015, algorithm 1.
double AdamStep(double gradient, int step, double rate, Moments* m) {
  m->first = 0.9 * m->first + 0.1 * gradient;
  m->second = 0.999 * m->second + 0.001 * gradient * gradient;
  return rate * m->first / (1 - std::pow(0.9, step)) /
         (std::sqrt(m->second / (1 - std::pow(0.999, step))) + 1e-8);
}

// Nesterov's momentum as PyTorch has it.
double SgdStep(double gradient, int step, double rate, Moments* m) {
  m->first = step == 1 ? gradient : 0.9 * m->first + gradient;
  return rate * (gradient + 0.9 * m->first);
}

struct OptimiserCase {
  const char* name;
  bool sgd;
  double (*step)(double gradient, int step, double rate, Moments* moments);
  const char* variant;
  bool (*decays)(const std::string& name);
};

class UpdateTest : public ::testing::TestWithParam<OptimiserCase> {};

// Three updates: each weight moves by the optimiser's formula and decays as the variant says.
TEST_P(UpdateTest, WeightsMoveByTheFormula) {
  LearnerOptions options = SmallLearner();
  options.variant = *FindVariant(GetParam().variant);
  options.sgd = GetParam().sgd;
  options.weight_decay = 0.3;
  options.norm_momentum = 0;
  const bool decoupled = options.variant.decay_form == DecayForm::kDecoupled;
  const auto learner = Make(options);
  std::map<std::string, std::vector<Moments>> moments;
  for (int step = 1; step <= 3; ++step) {
    const double rate = 0.01 / step;
    const Tensors before = ToTensors(learner->Weights());
    MustAdd(*learner, MixMatchBatch(static_cast<unsigned>(step)));
    const Tensors gradients = ToTensors(learner->Gradients());
    MustUpdate(*learner, rate);
    const Tensors after = ToTensors(learner->Weights());
    for (const auto& [name, values] : before) {
      const double decay = GetParam().decays(name) ? options.weight_decay : 0;
      moments[name].resize(values.size());
      for (size_t i = 0; i < values.size(); ++i) {
        double expected = values[i];
        if (!IsStatistic(name)) {
          const double gradient = gradients.at(name)[i] + (decoupled ? 0 : decay * values[i]);
          expected -= GetParam().step(gradient, step, rate, &moments[name][i]);
        }
        if (decoupled) expected *= 1 - rate * decay;
        ASSERT_NEAR(after.at(name)[i], expected, 2e-6) << name << ", update " << step;
      }
    }
  }
  EXPECT_EQ(learner->updates(), 3u);
}

INSTANTIATE_TEST_SUITE_P(
    Optimisers, UpdateTest,
    ::testing::Values(OptimiserCase{"AdamOfficial", false, &AdamStep, "official", &IsKernel},
                      OptimiserCase{"SgdOfficial", true, &SgdStep, "official", &IsKernel},
                      OptimiserCase{"AdamYu1ut", false, &AdamStep, "yu1ut",
                                    [](const std::string&) { return true; }},
                      OptimiserCase{"AdamFastai", false, &AdamStep, "fastai",
                                    [](const std::string& name) { return !IsStatistic(name); }},
                      OptimiserCase{"SgdTorchssl", true, &SgdStep, "torchssl", &IsKernel},
                      OptimiserCase{"AdamUsb", false, &AdamStep, "usb", &IsKernel}),
    [](const auto& tested) { return std::string(tested.param.name); });

// The average after each update, from the weights before they decay.
TEST(LearnerTest, TheAverageIsOfParametersAndOfStatisticsWhereTheVariantSaysSo) {
  for (const char* const variant : {"official", "yu1ut"}) {
    LearnerOptions options = SmallLearner();
    options.variant = *FindVariant(variant);
    options.ema = 0.8;
    options.weight_decay = 0;
    options.norm_momentum = 0.5;
    const auto learner = Make(options);
    Tensors expected = ToTensors(learner->Weights());
    for (unsigned step = 1; step <= 3; ++step) {
      MustStep(*learner, MixMatchBatch(step), 0.01);
      for (const auto& [name, values] : ToTensors(learner->Weights())) {
        for (size_t i = 0; i < values.size(); ++i) {
          float& average = expected[name][i];
          average = static_cast<float>(0.8 * average + 0.2 * values[i]);
        }
      }
    }
    const Tensors average = ToTensors(learner->State(), "average/");
    for (const auto& [name, values] : expected) {
      const bool averaged = !IsStatistic(name) || options.variant.average_statistics;
      ASSERT_EQ(average.contains(name), averaged) << name << ", " << variant;
      for (size_t i = 0; averaged && i < values.size(); ++i) {
        ASSERT_NEAR(average.at(name)[i], values[i], 1e-6) << name;
      }
    }
  }
}

TEST(LearnerTest, EvaluatesTheAverageWithRunningStatistics) {
  LearnerOptions options = SmallLearner();
  options.ema = 0.5;
  options.norm_momentum = 0.5;
  const auto learner = Make(options);
  for (unsigned step = 1; step <= 4; ++step) MustStep(*learner, MixMatchBatch(step), 0.02);
  BatchKit batch(kRows, 77);
  for (size_t i = 0; i < batch.targets.size(); ++i) {
    batch.targets[i] =
        i % BatchKit::kClasses == i / BatchKit::kClasses % BatchKit::kClasses ? 1 : 0;
  }
  Tensors weights = ToTensors(learner->Weights());
  for (const auto& [name, values] : ToTensors(learner->State(), "average/")) weights[name] = values;
  const auto p =
      testing::ReferenceResidualNetwork(weights, options.image, batch.pixels, kRows, false);
  double loss = 0;
  uint64_t correct = 0;
  for (size_t row = 0; row < kRows; ++row) {
    const auto begin = p.begin() + static_cast<ptrdiff_t>(row * BatchKit::kClasses);
    const auto best = std::max_element(begin, begin + BatchKit::kClasses) - begin;
    correct += static_cast<size_t>(best) == row % BatchKit::kClasses ? 1 : 0;
    loss -= std::log(begin[static_cast<ptrdiff_t>(row % BatchKit::kClasses)]);
  }
  const auto counts = learner->Evaluate(batch.Received());
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->images, kRows);
  EXPECT_EQ(counts->correct, correct);
  EXPECT_NEAR(counts->loss, loss, 1e-4 * loss);
}

TEST(LearnerTest, EvaluatesSoftTargetsAlone) {
  BatchKit batch(kRows, 77);
  batch.header.set_targets(v1::PAIRS);
  batch.targets.resize(kRows * 3);
  const auto counts = Make(SmallLearner())->Evaluate(batch.Received());
  EXPECT_EQ(counts.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(counts.status().message()), HasSubstr("targets: pairs given"));
}

TEST(LearnerTest, WithoutAnAverageTheNetworkItselfIsEvaluated) {
  LearnerOptions options = SmallLearner();
  options.ema = 0;
  const auto learner = Make(options);
  MustStep(*learner, MixMatchBatch(), 0.02);
  EXPECT_TRUE(ToTensors(learner->State(), "average/").empty());
  const auto weights = ToTensors(learner->Weights());
  const BatchKit batch(2, 3);
  const auto p = testing::ReferenceResidualNetwork(weights, options.image, batch.pixels, 2, false);
  double loss = 0;
  for (size_t i = 0; i < p.size(); ++i) loss -= batch.targets[i] * std::log(p[i]);
  EXPECT_NEAR(learner->Evaluate(batch.Received())->loss, loss, 1e-4 * loss);
}

TEST(LearnerTest, GoesOnFromItsStateBitForBit) {
  for (const char* const variant : {"official", "yu1ut", "fastai", "torchssl"}) {
    LearnerOptions options = SmallLearner();
    options.variant = *FindVariant(variant);
    options.sgd = options.variant.optimiser == std::string("sgd");
    options.ema = variant == std::string("fastai") ? 0 : 0.9;
    const auto learner = Make(options);
    MustStep(*learner, MixMatchBatch(1), 0.01);
    MustStep(*learner, MixMatchBatch(2), 0.01);
    options.init_seed = 99;
    const auto resumed = Make(options);
    const absl::Status restored = resumed->Restore(*StateDict::Parse(*learner->State()), 2);
    ASSERT_TRUE(restored.ok()) << restored;
    EXPECT_EQ(*resumed->State(), *learner->State());
    for (unsigned step = 3; step < 6; ++step) {
      MustStep(*learner, MixMatchBatch(step), 0.01);
      MustStep(*resumed, MixMatchBatch(step), 0.01);
    }
    EXPECT_EQ(*resumed->State(), *learner->State()) << variant;
    EXPECT_EQ(resumed->updates(), 5u);
  }
}

TEST(LearnerTest, DroppedBatchesLeaveNothing) {
  const auto learner = Make(SmallLearner());
  MustStep(*learner, MixMatchBatch(1), 0.01);
  const std::string before = *learner->State();
  MustAdd(*learner, MixMatchBatch(2));
  learner->Drop();
  EXPECT_EQ(*learner->State(), before);
}

TEST(LearnerTest, AnUpdateWithASumThatIsNotFiniteChangesNothing) {
  const auto learner = Make(SmallLearner());
  MustStep(*learner, MixMatchBatch(1), 0.01);
  const std::string before = *learner->State();
  MustAdd(*learner, MixMatchBatch(2));
  for (const float wrong : {NAN, INFINITY}) {
    std::vector<float> sums = {1, wrong};
    EXPECT_EQ(learner->Update(0.01, nullptr, sums).code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(learner->updates(), 1u);
  EXPECT_EQ(*learner->State(), before);
}

TEST(LearnerTest, StatesOfOthersAreRefusedByTensor) {
  const auto learner = Make(SmallLearner());
  MustStep(*learner, MixMatchBatch(), 0.01);
  const StateDict state = *StateDict::Parse(*learner->State());
  for (const WeightTensor& left_out : state.tensors()) {
    std::vector<WeightTensor> others;
    for (const WeightTensor& tensor : state.tensors()) {
      if (tensor.name != left_out.name) others.push_back(tensor);
    }
    const absl::Status status =
        Make(SmallLearner())->Restore(*StateDict::Parse(*WriteSafetensors(others)), 1);
    const std::string name = left_out.name.substr(left_out.name.find('/') + 1);
    EXPECT_THAT(std::string(status.message()), HasSubstr(name)) << left_out.name;
  }
  LearnerOptions more_classes = SmallLearner();
  more_classes.classes = 5;
  EXPECT_THAT(std::string(Make(more_classes)->Restore(state, 1).message()),
              HasSubstr("head.weight has shape [4, 64]; the network's has [5, 64]"));
}

}  // namespace
}  // namespace mixfeed
