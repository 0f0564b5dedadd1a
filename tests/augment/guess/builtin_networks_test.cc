// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "augment/guess/torch_runtime.h"
#include "tests/augment/guess/reference_network.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::NamedWeights;

ModelSource MakeSource(const std::string& kind, int classes = 10, ImageShape input = {}) {
  ModelSource source;
  source.info.name = "net";
  source.info.kind = kind;
  source.info.input = input;
  source.info.classes = classes;
  return source;
}

std::vector<float> RandomViews(const ImageShape& shape, int rows) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> pixel(-1, 1);
  std::vector<float> views(static_cast<size_t>(rows * shape.pixels()));
  for (float& value : views) value = pixel(random);
  return views;
}

using TensorDict = c10::Dict<std::string, at::Tensor>;

TensorDict ReadArchive(const std::string& archive) {
  const c10::IValue value = torch::jit::pickle_load({archive.begin(), archive.end()});
  TensorDict tensors;
  for (const auto& entry : value.toGenericDict()) {
    tensors.insert(entry.key().toStringRef(), entry.value().toTensor());
  }
  return tensors;
}

std::string WriteArchive(const c10::IValue& value) {
  const std::vector<char> bytes = torch::jit::pickle_save(value);
  return {bytes.begin(), bytes.end()};
}

NamedWeights Plain(const TensorDict& tensors) {
  NamedWeights plain;
  for (const auto& entry : tensors) {
    const at::Tensor flat = entry.value().to(at::kFloat).contiguous().view(-1);
    plain[entry.key()].assign(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  }
  return plain;
}

class BuiltinNetworksTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string MustWrite(const ModelSource& source) {
    absl::StatusOr<std::string> archive = runtime_.InitialWeights(source);
    EXPECT_TRUE(archive.ok()) << archive.status();
    return archive.ok() ? *std::move(archive) : "";
  }

  // Guesses for random views; empty when the source is refused.
  std::vector<float> MustGuess(const ModelSource& source, int rows, bool batch_statistics) {
    const absl::StatusOr<std::shared_ptr<GuessModel>> model = runtime_.Load(source);
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return {};
    std::vector<float> out(static_cast<size_t>(rows * source.info.classes));
    const absl::Status status =
        (*model)->Guess(RandomViews(source.info.input, rows), rows, batch_statistics, out);
    EXPECT_TRUE(status.ok()) << status;
    return out;
  }

  TorchRuntime runtime_{2};
};

INSTANTIATE_TEST_SUITE_P(Networks, BuiltinNetworksTest,
                         ::testing::ValuesIn(BuiltinNetworks().begin(), BuiltinNetworks().end()),
                         [](const auto& kind) {
                           std::string name = kind.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// Random weights in every tensor, running statistics included.
TensorDict Scrambled(const TensorDict& tensors) {
  at::manual_seed(7);
  TensorDict scrambled;
  for (const auto& entry : tensors) {
    const at::Tensor& tensor = entry.value();
    const bool scale = entry.key().ends_with("running_var") || entry.key().find("norm") == 0 ||
                       entry.key().find(".norm") != std::string::npos;
    scrambled.insert(entry.key(), scale ? at::rand_like(tensor) * 0.5 + 0.75
                                        : tensor + 0.05 * at::randn_like(tensor));
  }
  return scrambled;
}

TEST_P(BuiltinNetworksTest, ComputesWhatThePlainLoopsCompute) {
  const ImageShape shape{.channels = 3, .height = 8, .width = 12};
  constexpr int kRows = 3;
  ModelSource source = MakeSource(GetParam(), 4, shape);
  const TensorDict weights = Scrambled(ReadArchive(MustWrite(source)));
  source.archive = WriteArchive(weights);
  for (const bool batch_statistics : {true, false}) {
    const std::vector<float> guess = MustGuess(source, kRows, batch_statistics);
    const std::vector<double> expected = testing::ReferenceResidualNetwork(
        Plain(weights), shape, RandomViews(shape, kRows), kRows, batch_statistics);
    ASSERT_EQ(guess.size(), expected.size());
    for (size_t i = 0; i < guess.size(); ++i) {
      EXPECT_NEAR(guess[i], expected[i], 1e-4) << i << ", batch statistics " << batch_statistics;
    }
  }
}

TEST_P(BuiltinNetworksTest, TakesAnyClassesGreyImagesAndOtherSizes) {
  const ImageShape shapes[] = {{.channels = 1, .height = 28, .width = 28},
                               {.channels = 3, .height = 8, .width = 8},
                               {.channels = 3, .height = 33, .width = 64}};
  for (const ImageShape& shape : shapes) {
    for (const int classes : {1, 2, 100}) {
      const std::vector<float> guess = MustGuess(MakeSource(GetParam(), classes, shape), 2, true);
      EXPECT_EQ(guess.size(), static_cast<size_t>(2 * classes));
    }
  }
}

TEST_P(BuiltinNetworksTest, SameSeedSameWeights) {
  ModelSource one = MakeSource(GetParam()), other = MakeSource(GetParam());
  other.init_seed = 1;
  EXPECT_EQ(MustWrite(one), MustWrite(one));
  EXPECT_NE(MustWrite(one), MustWrite(other));
}

TEST_P(BuiltinNetworksTest, WrittenWeightsGiveTheGuessesOfTheirSeed) {
  ModelSource seeded = MakeSource(GetParam());
  seeded.init_seed = 5;
  ModelSource written = MakeSource(GetParam());
  written.archive = MustWrite(seeded);
  for (const bool batch_statistics : {true, false}) {
    EXPECT_EQ(MustGuess(written, 4, batch_statistics), MustGuess(seeded, 4, batch_statistics));
  }
}

TEST_P(BuiltinNetworksTest, BatchStatisticsLeaveNoTraceInAnyBit) {
  const auto model = runtime_.Load(MakeSource(GetParam()));
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<float> views = RandomViews({}, 4);
  std::vector<float> before(40), batch(40), after(40);
  ASSERT_TRUE((*model)->Guess(views, 4, false, before).ok());
  ASSERT_TRUE((*model)->Guess(views, 4, true, batch).ok());
  ASSERT_TRUE((*model)->Guess(views, 4, false, after).ok());
  EXPECT_NE(before, batch);
  EXPECT_EQ(before, after);
}

TEST_P(BuiltinNetworksTest, InitialisationLeavesTheDefaultGeneratorAlone) {
  at::manual_seed(3);
  const at::Tensor expected = at::rand({8});
  at::manual_seed(3);
  MustWrite(MakeSource(GetParam()));
  EXPECT_TRUE(at::rand({8}).equal(expected));
}

TEST_P(BuiltinNetworksTest, KernelsStartAsInTheOfficialCode) {
  // Normal with variance 2 / (kernel^2 * filters), biases 0 (libml/models.py).
  const TensorDict tensors = ReadArchive(MustWrite(MakeSource(GetParam())));
  int kernels = 0;
  for (const auto& entry : tensors) {
    if (entry.value().dim() != 4) continue;
    const at::Tensor& kernel = entry.value();
    const double variance = 2.0 / static_cast<double>(kernel.size(0) * kernel[0][0].numel());
    const auto count = static_cast<double>(kernel.numel());
    // The variance of n normal values has a relative deviation of sqrt(2 / n).
    EXPECT_NEAR(kernel.square().mean().item<double>() / variance, 1, 5 * std::sqrt(2 / count));
    EXPECT_NEAR(kernel.mean().item<double>(), 0, 5 * std::sqrt(variance / count));
    ++kernels;
  }
  EXPECT_GE(kernels, 9);
  EXPECT_EQ(tensors.at("stem.bias").abs().max().item<float>(), 0);
}

TEST(WideResNetTest, HasTheParametersOfThePublishedPorts) {
  // PyTorch ports of WRN-28-2 (10 classes) have 1,467,610 parameters; their convolutions have no
  // biases, the official code's have.
  TorchRuntime runtime(1);
  int64_t parameters = 0;
  for (const auto& entry : ReadArchive(*runtime.InitialWeights(MakeSource("wrn-28-2")))) {
    const std::string& name = entry.key();
    const bool running = name.find("running_") != std::string::npos;
    const bool conv_bias = name.ends_with(".bias") && name.find("norm") == std::string::npos &&
                           name.find("head") == std::string::npos;
    if (!running && !conv_bias) parameters += entry.value().numel();
  }
  EXPECT_EQ(parameters, 1'467'610);
}

using Change = std::function<void(TensorDict*)>;

class WeightsTest : public BuiltinNetworksTest {
 protected:
  // The status of loading resnet-small with changed weights.
  absl::Status LoadChanged(const Change& change) {
    ModelSource source = MakeSource("resnet-small");
    TensorDict tensors = ReadArchive(MustWrite(source));
    change(&tensors);
    source.archive = WriteArchive(tensors);
    return runtime_.Load(source).status();
  }
};

TEST_F(WeightsTest, WrongWeightsAreNamed) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::tuple<Change, std::string> cases[] = {
      {[](TensorDict* w) { EXPECT_EQ(w->erase("head.bias"), 1u); }, "no tensor 'head.bias'"},
      {[](TensorDict* w) { w->insert("tail.bias", at::zeros({1})); }, "'tail.bias'"},
      {[](TensorDict* w) { w->insert_or_assign("head.bias", at::zeros({7})); },
       "head.bias has shape [7]; the network's has [10]"},
      {[](TensorDict* w) { w->insert_or_assign("head.bias", at::zeros({10}, at::kLong)); },
       "head.bias holds Long"},
      {[&](TensorDict* w) { w->insert_or_assign("head.bias", at::full({10}, nan)); },
       "head.bias has values that are not finite"},
      {[](TensorDict* w) { w->insert_or_assign("head.bias", at::full({10}, 1e39, at::kDouble)); },
       "head.bias has values of Double that are infinite as Float"},
  };
  for (const auto& [change, reason] : cases) {
    const absl::Status status = LoadChanged(change);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("guess model net"), HasSubstr(reason)));
  }
}

TEST_F(WeightsTest, PythonsExtrasArePassedOver) {
  EXPECT_TRUE(LoadChanged([](TensorDict* weights) {
                weights->insert("norm.num_batches_tracked", at::zeros({}, at::kLong));
                weights->insert_or_assign("head.bias", at::zeros({10}, at::kHalf));
              }).ok());
}

TEST_F(WeightsTest, FilesThatAreNoWeightsAreRefused) {
  c10::Dict<int64_t, at::Tensor> numbered;
  numbered.insert(1, at::zeros({1}));
  const std::tuple<std::string, std::string> cases[] = {
      {std::string(500, 'x'), "zip"},
      {WriteArchive(at::zeros({3})), "no dictionary of tensors"},
      {WriteArchive(numbered), "no tensor 'stem.weight'"},
  };
  for (const auto& [archive, reason] : cases) {
    ModelSource source = MakeSource("resnet-small");
    source.archive = archive;
    const absl::Status status = runtime_.Load(source).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
  }
}

TEST_F(WeightsTest, AnUnknownNetworkIsAnsweredWithTheNames) {
  const ModelSource source = MakeSource("alexnet");
  for (const absl::Status& status :
       {runtime_.Load(source).status(), runtime_.InitialWeights(source).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("alexnet"), HasSubstr("wrn-28-2, resnet-small, torchscript")));
  }
}

TEST_F(WeightsTest, RefusesImagesAndClassesOutOfRange) {
  for (const ModelSource& source :
       {MakeSource("resnet-small", 10, {.channels = 2}),
        MakeSource("resnet-small", 10, {.height = 7}), MakeSource("resnet-small", 0)}) {
    EXPECT_EQ(runtime_.Load(source).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace mixfeed
