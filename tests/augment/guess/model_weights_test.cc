#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/weights/state_dict.h"
#include "tests/augment/guess/torch_kit.h"
#include "tests/augment/weights/safetensors_bytes.h"

namespace mixfeed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Pointwise;

class WithWeightsTest : public TorchRuntimeTest {
 protected:
  const LinearNetwork first_ = MakeLinearNetwork(kClasses, 3, 1);
  const LinearNetwork second_ = MakeLinearNetwork(kClasses, 3, 2);
  const std::shared_ptr<GuessModel> model_ = MustLoad(MakeSource(LinearArchive(first_)));
  const std::vector<float> views_ = RandomViews(16);

  void ExpectGuessesOf(const LinearNetwork& network, GuessModel* model) {
    for (const bool batch_statistics : {true, false}) {
      EXPECT_THAT(MustGuess(model, views_, 16, batch_statistics),
                  Pointwise(IsAlmost(), ByHand(network, views_, 16, batch_statistics)));
    }
  }
  std::string Refusal(const std::string& bytes, bool whole = true) {
    const absl::Status status = model_->WithWeights(MustParse(bytes), whole, 1, 1).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }
};

TEST_F(WithWeightsTest, GuessesAreThoseOfTheNewWeightsAndOfTheOldOnes) {
  for (const bool wide : {false, true}) {
    const auto changed = model_->WithWeights(MustParse(LinearWeights(second_, wide)), true, 7, 40);
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ((*changed)->info().version, 7);
    EXPECT_EQ((*changed)->info().update, 40);
    EXPECT_EQ((*changed)->info().name, model_->info().name);
    EXPECT_NE((*changed)->info().weights, model_->info().weights);
    ExpectGuessesOf(second_, changed->get());
    ExpectGuessesOf(first_, model_.get());
  }
}

TEST_F(WithWeightsTest, SomeTensorsAloneCanBeReplaced) {
  LinearNetwork mixed = first_;
  mixed.bias = second_.bias;
  const WeightTensor bias{.name = "bias",
                          .type = WeightType::kFloat32,
                          .shape = {kClasses},
                          .data = std::as_bytes(std::span(second_.bias))};
  const std::string bytes = *WriteSafetensors({&bias, 1});
  EXPECT_THAT(Refusal(bytes), HasSubstr("no tensor 'weight'"));
  const auto changed = model_->WithWeights(MustParse(bytes), /*whole=*/false, 1, 1);
  ASSERT_TRUE(changed.ok()) << changed.status();
  ExpectGuessesOf(mixed, changed->get());
}

TEST_F(WithWeightsTest, HalfPrecisionIsConvertedToTheModelsOwnType) {
  struct Case {
    WeightType type;
    std::vector<uint16_t> bits;  // of 0.5, -1.5, 2, 0.25, -0.125
  };
  const Case cases[] = {{WeightType::kBfloat16, {0x3F00, 0xBFC0, 0x4000, 0x3E80, 0xBE00}},
                        {WeightType::kFloat16, {0x3800, 0xBE00, 0x4000, 0x3400, 0xB000}}};
  LinearNetwork expected = first_;
  expected.bias = {0.5f, -1.5f, 2, 0.25f, -0.125f};
  for (const Case& c : cases) {
    const WeightTensor bias{.name = "bias",
                            .type = c.type,
                            .shape = {kClasses},
                            .data = std::as_bytes(std::span(c.bits))};
    const auto changed =
        model_->WithWeights(MustParse(*WriteSafetensors({&bias, 1})), /*whole=*/false, 1, 1);
    ASSERT_TRUE(changed.ok()) << changed.status();
    ExpectGuessesOf(expected, changed->get());
    EXPECT_EQ(MustParse(*(*changed)->Weights()).Find("bias")->type, WeightType::kFloat32);
  }
}

TEST_F(WithWeightsTest, WhatAModelGivesItTakes) {
  for (const char* const kind : {kTorchScriptKind, "resnet-small"}) {
    ModelSource source = MakeSource(LinearArchive(first_));
    source.info.kind = kind;
    if (source.info.kind != kTorchScriptKind) {
      source.archive.clear();
      source.info.input = {.channels = 3, .height = 8, .width = 8};
    }
    const auto model = MustLoad(source);
    const absl::StatusOr<std::string> weights = model->Weights();
    ASSERT_TRUE(weights.ok()) << weights.status();
    EXPECT_EQ(DigestOf(*weights), model->info().weights);
    const auto same = model->WithWeights(MustParse(*weights), true, 1, 1);
    ASSERT_TRUE(same.ok()) << same.status();
    EXPECT_EQ((*same)->info().weights, model->info().weights);
    std::vector<float> views = RandomViews(32);
    const int rows =
        static_cast<int>(views.size() / static_cast<size_t>(source.info.input.pixels()));
    views.resize(static_cast<size_t>(rows * source.info.input.pixels()));
    EXPECT_EQ(MustGuess(same->get(), views, rows, true), MustGuess(model.get(), views, rows, true));
  }
}

// The digest is of what the model gives, whatever was pushed.
TEST_F(WithWeightsTest, TheDigestIsOfTheModelsOwnForm) {
  const std::string own = *model_->Weights();
  const std::string expected = DigestOf(own);
  const StateDict parsed = MustParse(own);
  // The first of the weights comes last, with a header by hand.
  std::string header = "{", data;
  for (size_t i = 1; i <= parsed.tensors().size(); ++i) {
    const WeightTensor& tensor = parsed.tensors()[i % parsed.tensors().size()];
    absl::StrAppend(&header, i == 1 ? "" : ",", "\"", tensor.name, R"(":{"dtype":")",
                    NamesOf(tensor.type)[static_cast<size_t>(tensor.type)], R"(","shape":[)",
                    absl::StrJoin(tensor.shape, ","), R"(],"data_offsets":[)", data.size(), ",",
                    data.size() + tensor.data.size(), "]}");
    data.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  }
  const std::string other_order = SafetensorsOf(header + "}", data);
  ASSERT_NE(other_order, own);
  const struct {
    std::string bytes;
    bool whole;
  } pushes[] = {{own, true},
                {other_order, true},
                {LinearWeights(first_, /*wide=*/true), true},
                {*WriteSafetensors({{parsed.tensors()[0]}}), false},
                {*WriteSafetensors({}), false}};
  for (const auto& [bytes, whole] : pushes) {
    const auto same = model_->WithWeights(MustParse(bytes), whole, 1, 1);
    ASSERT_TRUE(same.ok()) << same.status();
    EXPECT_EQ((*same)->info().weights, expected);
    EXPECT_EQ(DigestOf(*(*same)->Weights()), expected);
  }
}

TEST_F(WithWeightsTest, ABuiltInNetworkGuessesAsOneThatStartsWithTheWeights) {
  ModelSource source = MakeSource("");
  source.info.kind = "resnet-small";
  source.info.input = {.channels = 3, .height = 8, .width = 8};
  const auto one = MustLoad(source);
  source.init_seed = 5;
  const auto other = MustLoad(source);
  const auto changed = one->WithWeights(MustParse(*other->Weights()), true, 1, 1);
  ASSERT_TRUE(changed.ok()) << changed.status();
  std::vector<float> views = RandomViews(32);
  views.resize(static_cast<size_t>(4 * source.info.input.pixels()));
  EXPECT_EQ(MustGuess(changed->get(), views, 4, true), MustGuess(other.get(), views, 4, true));
  EXPECT_NE(MustGuess(one.get(), views, 4, true), MustGuess(other.get(), views, 4, true));
}

TEST_F(WithWeightsTest, UnfitTensorsAreRefusedByName) {
  LinearNetwork bad = second_;
  bad.running_var[1] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Refusal(LinearWeights(bad)), HasSubstr("'norm.running_var': value 1 is inf"));
  LinearNetwork wide = MakeLinearNetwork(kClasses + 1, 3, 2);
  EXPECT_THAT(Refusal(LinearWeights(wide)),
              HasSubstr("weight has shape [6, 3]; the network's has [5, 3]"));
  const int64_t number = 3;
  const auto scalar = [&](const char* name) {
    const WeightTensor tensor{.name = name,
                              .type = WeightType::kInt64,
                              .shape = {},
                              .data = std::as_bytes(std::span(&number, 1))};
    return *WriteSafetensors({&tensor, 1});
  };
  EXPECT_THAT(Refusal(scalar("head.bias"), false), HasSubstr("unknown tensor 'head.bias'"));
  const std::vector<double> large(kClasses, 1e39);  // above float32's largest
  const WeightTensor wide_bias{.name = "bias",
                               .type = WeightType::kFloat64,
                               .shape = {kClasses},
                               .data = std::as_bytes(std::span(large))};
  EXPECT_THAT(Refusal(*WriteSafetensors({&wide_bias, 1}), false),
              HasSubstr("bias has values of Double that are infinite as Float"));
  const std::vector<int64_t> integers(kClasses);
  const WeightTensor tensor{.name = "bias",
                            .type = WeightType::kInt64,
                            .shape = {kClasses},
                            .data = std::as_bytes(std::span(integers))};
  EXPECT_THAT(
      Refusal(*WriteSafetensors({&tensor, 1}), false),
      HasSubstr("bias holds Long; the network's holds Float; allowed: floating point numbers"));
}

// --- moving averages ---

class AverageTest : public WithWeightsTest {
 protected:
  StateDict MustAverage(GuessModel* model, const std::string& before, double decay) {
    const absl::StatusOr<std::string> average = model->Average(MustParse(before), decay);
    EXPECT_TRUE(average.ok()) << average.status();
    return MustParse(*average);
  }
  std::string Refusal(const std::string& before, double decay) {
    const absl::Status status = model_->Average(MustParse(before), decay).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }
};

// What a float32 tensor holds.
std::vector<float> Values(const StateDict& weights, const char* name) {
  const WeightTensor* const tensor = weights.Find(name);
  EXPECT_NE(tensor, nullptr) << name;
  EXPECT_EQ(tensor->type, WeightType::kFloat32) << name;
  std::vector<float> values(tensor->data.size() / sizeof(float));
  std::memcpy(values.data(), tensor->data.data(), tensor->data.size());
  return values;
}

TEST_F(AverageTest, MovesParametersAndTakesTheNewestStatistics) {
  constexpr double kDecay = 0.9;
  for (const bool wide : {false, true}) {
    const StateDict average = MustAverage(model_.get(), LinearWeights(second_, wide), kDecay);
    const std::vector<float> weight = Values(average, "weight");
    ASSERT_EQ(weight.size(), first_.weight.size());
    for (size_t i = 0; i < weight.size(); ++i) {
      EXPECT_FLOAT_EQ(weight[i], static_cast<float>(kDecay * double{second_.weight[i]} +
                                                    (1 - kDecay) * double{first_.weight[i]}));
    }
    EXPECT_FLOAT_EQ(Values(average, "norm.bias")[0],
                    static_cast<float>(kDecay * double{second_.norm_bias[0]} +
                                       (1 - kDecay) * double{first_.norm_bias[0]}));
    EXPECT_EQ(Values(average, "norm.running_mean"), first_.running_mean);
    EXPECT_EQ(Values(average, "norm.running_var"), first_.running_var);
  }
}

TEST_F(AverageTest, OfABuiltInNetworkDoesSo) {
  ModelSource source = MakeSource("");
  source.info.kind = "resnet-small";
  source.info.input = {.channels = 3, .height = 8, .width = 8};
  const auto one = MustLoad(source);
  source.init_seed = 5;
  const std::string other = *MustLoad(source)->Weights();
  const StateDict own = MustParse(*one->Weights()), before = MustParse(other);
  const StateDict average = MustAverage(one.get(), other, 0.25);
  ASSERT_EQ(average.tensors().size(), own.tensors().size());
  for (const WeightTensor& tensor : own.tensors()) {
    const std::vector<float> now = Values(own, tensor.name.c_str());
    const std::vector<float> then = Values(before, tensor.name.c_str());
    const std::vector<float> mean = Values(average, tensor.name.c_str());
    const bool statistic = tensor.name.find("running_") != std::string::npos;
    for (size_t i = 0; i < now.size(); ++i) {
      const double expected = statistic ? now[i] : 0.25 * double{then[i]} + 0.75 * double{now[i]};
      ASSERT_FLOAT_EQ(mean[i], static_cast<float>(expected)) << tensor.name << " " << i;
    }
  }
}

TEST_F(AverageTest, DecaysOfNoneAndOneAreTheWeightsAndTheAverage) {
  EXPECT_EQ(MustAverage(model_.get(), LinearWeights(second_), 0).bytes(), *model_->Weights());
  EXPECT_EQ(Values(MustAverage(model_.get(), LinearWeights(second_), 1), "weight"), second_.weight);
}

TEST_F(AverageTest, UnfitAveragesAreRefusedByName) {
  EXPECT_THAT(Refusal(*WriteSafetensors({}), 0.5), HasSubstr("no tensor '"));
  EXPECT_THAT(Refusal(LinearWeights(MakeLinearNetwork(kClasses + 1, 3, 2)), 0.5),
              HasSubstr("has shape [6"));
  EXPECT_THAT(Refusal(LinearWeights(second_), 1.5), HasSubstr("decay is 1.5; allowed: 0..1"));
}

}  // namespace
}  // namespace mixfeed::testing
