#include "augment/guess/torch_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "tests/augment/guess/archives.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::LinearNetwork;
using ::testing::Not;
using ::testing::Pointwise;
using ::testing::StartsWith;

constexpr int kClasses = 5;
constexpr ImageShape kShape{.channels = 3, .height = 4, .width = 6};

ModelSource MakeSource(std::string archive, bool batch_statistics = true) {
  ModelSource source;
  source.info.name = "teacher";
  source.info.kind = kTorchScriptKind;
  source.info.input = kShape;
  source.info.classes = kClasses;
  source.archive = std::move(archive);
  source.batch_statistics = batch_statistics;
  return source;
}

std::vector<float> RandomViews(int rows, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> pixel(0.2f, 0.7f);
  std::vector<float> views(static_cast<size_t>(rows * kShape.pixels()));
  for (float& value : views) value = pixel(random);
  return views;
}

// LinearNetwork's definition, in double precision: softmax(norm(mean over pixels) W^T + b).
std::vector<float> ByHand(const LinearNetwork& network, const std::vector<float>& views, int rows,
                          bool batch_statistics) {
  const auto C = static_cast<size_t>(network.channels), N = static_cast<size_t>(rows);
  const auto K = static_cast<size_t>(network.classes), P = views.size() / (N * C);
  std::vector<double> means(N * C);
  for (size_t i = 0; i < views.size(); ++i) means[i / P] += double{views[i]} / double(P);
  std::vector<double> normed(N * C);
  for (size_t c = 0; c < C; ++c) {
    double mean = network.running_mean[c], variance = network.running_var[c];
    if (batch_statistics) {
      mean = variance = 0;
      for (size_t n = 0; n < N; ++n) mean += means[n * C + c] / double(N);
      for (size_t n = 0; n < N; ++n) variance += std::pow(means[n * C + c] - mean, 2) / double(N);
    }
    for (size_t n = 0; n < N; ++n) {
      normed[n * C + c] = (means[n * C + c] - mean) /
                              std::sqrt(variance + testing::kLinearNetworkEpsilon) *
                              network.norm_weight[c] +
                          network.norm_bias[c];
    }
  }
  std::vector<float> probabilities;
  for (size_t n = 0; n < N; ++n) {
    std::vector<double> exps(K);
    double sum = 0;
    for (size_t k = 0; k < K; ++k) {
      double logit = network.bias[k];
      for (size_t c = 0; c < C; ++c) logit += normed[n * C + c] * network.weight[k * C + c];
      sum += exps[k] = std::exp(logit);
    }
    for (const double value : exps) probabilities.push_back(static_cast<float>(value / sum));
  }
  return probabilities;
}

MATCHER(IsAlmost, "") { return std::abs(std::get<0>(arg) - std::get<1>(arg)) < 1e-5f; }

std::vector<float> MustGuess(GuessModel* model, const std::vector<float>& views, int rows,
                             bool batch_statistics) {
  std::vector<float> out(static_cast<size_t>(rows * kClasses));
  const absl::Status status = model->Guess(views, rows, batch_statistics, out);
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

class TorchRuntimeTest : public ::testing::Test {
 protected:
  std::shared_ptr<GuessModel> MustLoad(const ModelSource& source) {
    absl::StatusOr<std::shared_ptr<GuessModel>> model = runtime_.Load(source);
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? *model : nullptr;
  }

  // One worker, so that a guess runs on the network that the one before it ran on.
  TorchRuntime runtime_{1};
};

TEST_F(TorchRuntimeTest, GuessesAreThoseComputedByHand) {
  for (const int channels : {3, 1}) {
    const LinearNetwork network = testing::MakeLinearNetwork(kClasses, channels);
    ModelSource source = MakeSource(testing::LinearArchive(network));
    source.info.input.channels = channels;
    const auto model = MustLoad(source);
    for (const int rows : {2, 64}) {
      std::vector<float> views = RandomViews(rows);
      views.resize(static_cast<size_t>(rows * source.info.input.pixels()));
      for (const bool batch_statistics : {true, false}) {
        EXPECT_THAT(MustGuess(model.get(), views, rows, batch_statistics),
                    Pointwise(IsAlmost(), ByHand(network, views, rows, batch_statistics)))
            << channels << " channels, " << rows << " rows, " << batch_statistics;
      }
    }
  }
}

TEST_F(TorchRuntimeTest, InfoIsWhatWasGivenAndTheEnvironment) {
  ModelSource source = MakeSource(testing::GoodArchive(kClasses));
  source.info.version = 4;
  source.info.update = 99;
  const auto model = MustLoad(source);
  EXPECT_EQ(model->info().name, "teacher");
  EXPECT_EQ(model->info().version, 4);
  EXPECT_EQ(model->info().update, 99);
  EXPECT_EQ(model->info().input, kShape);
  EXPECT_EQ(model->info().environment, runtime_.environment());
}

TEST_F(TorchRuntimeTest, EnvironmentNamesWhatAGuessDependsOn) {
  EXPECT_THAT(runtime_.environment(),
              AllOf(StartsWith("mixfeed " MIXFEED_VERSION ", cpu, libtorch "), HasSubstr("oneDNN "),
                    HasSubstr("compiler "), HasSubstr(", 1 threads an operator"),
                    Not(HasSubstr("unknown"))));
  EXPECT_EQ(TorchRuntime(0).environment(), runtime_.environment());
  EXPECT_THAT(TorchRuntime(5).environment(), HasSubstr(", 2 threads an operator"));
}

// Archives whose state would show in the next output if it were not restored.
class RestoresStateTest : public TorchRuntimeTest,
                          public ::testing::WithParamInterface<std::string (*)(int classes)> {};

TEST_P(RestoresStateTest, BatchStatisticsLeaveNoTraceInAnyBit) {
  const auto model = MustLoad(MakeSource(GetParam()(kClasses)));
  const std::vector<float> views = RandomViews(8);
  const std::vector<float> running = MustGuess(model.get(), views, 8, false);
  const std::vector<float> batch = MustGuess(model.get(), views, 8, true);
  EXPECT_NE(running, batch);
  MustGuess(model.get(), RandomViews(8, /*seed=*/2), 8, true);
  EXPECT_EQ(MustGuess(model.get(), views, 8, false), running);
  EXPECT_EQ(MustGuess(model.get(), views, 8, true), batch);
}

INSTANTIATE_TEST_SUITE_P(Archives, RestoresStateTest,
                         ::testing::Values(&testing::CountingArchive, &testing::RebindingArchive,
                                           &testing::AttributeChangingArchive));

TEST_F(TorchRuntimeTest, AThrowingPassLeavesNoTraceEither) {
  const auto model = MustLoad(MakeSource(testing::ThrowsBeyondArchive(kClasses, 32)));
  const std::vector<float> views = RandomViews(8);
  const std::vector<float> running = MustGuess(model.get(), views, 8, false);
  std::vector<float> out(size_t{33} * kClasses);
  EXPECT_FALSE(model->Guess(RandomViews(33), 33, true, out).ok());
  EXPECT_EQ(MustGuess(model.get(), views, 8, false), running);
}

TEST_F(TorchRuntimeTest, DropoutStaysOffUnderBatchStatistics) {
  const auto plain = MustLoad(MakeSource(testing::GoodArchive(kClasses)));
  const auto dropout = MustLoad(MakeSource(testing::DropoutBatchNormArchive(kClasses)));
  const std::vector<float> views = RandomViews(16);
  EXPECT_EQ(MustGuess(dropout.get(), views, 16, true), MustGuess(plain.get(), views, 16, true));
}

TEST_F(TorchRuntimeTest, OnlyBatchNormsUseBatchStatistics) {
  const auto plain = MustLoad(MakeSource(testing::GoodArchive(kClasses)));
  const auto other = MustLoad(MakeSource(testing::InstanceNormArchive(kClasses)));
  const std::vector<float> views = RandomViews(16);
  EXPECT_EQ(MustGuess(other.get(), views, 16, true), MustGuess(plain.get(), views, 16, true));
}

TEST_F(TorchRuntimeTest, AnOutputInABufferIsReadBeforeTheBufferIsRestored) {
  const auto plain = MustLoad(MakeSource(testing::GoodArchive(kClasses)));
  const auto other = MustLoad(MakeSource(testing::BufferReturningArchive(kClasses)));
  const std::vector<float> views = RandomViews(16);
  EXPECT_EQ(MustGuess(other.get(), views, 16, true), MustGuess(plain.get(), views, 16, true));
}

TEST_F(TorchRuntimeTest, AModelWhoseStateCannotBeRestoredIsOfNoMoreUse) {
  const auto model = MustLoad(MakeSource(testing::ResizesBeyondArchive(kClasses, 32)));
  MustGuess(model.get(), RandomViews(32), 32, true);
  std::vector<float> out(size_t{33} * kClasses);
  for (const int rows : {33, 2}) {
    const absl::Status status = model->Guess(
        RandomViews(rows), rows, true, std::span(out).first(static_cast<size_t>(rows) * kClasses));
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), HasSubstr("resizes norm.running_mean in place"));
  }
  const auto good = MustLoad(MakeSource(testing::GoodArchive(kClasses)));
  MustGuess(good.get(), RandomViews(4), 4, true);
}

TEST_F(TorchRuntimeTest, AModelTracedInTrainModeServesBatchStatisticsOnly) {
  const std::string archive = testing::TrainTracedArchive(kClasses);
  const absl::Status refused = runtime_.Load(MakeSource(archive, false)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("traced in train mode"));
  const auto model = MustLoad(MakeSource(archive, true));
  const std::vector<float> views = RandomViews(8);
  EXPECT_THAT(MustGuess(model.get(), views, 8, true),
              Pointwise(IsAlmost(), ByHand(testing::MakeLinearNetwork(kClasses), views, 8, true)));
  std::vector<float> out(size_t{8} * kClasses);
  EXPECT_EQ(model->Guess(views, 8, false, out), refused);
}

TEST_F(TorchRuntimeTest, AModelWithoutBatchNormServesRunningStatistics) {
  const auto model = MustLoad(MakeSource(testing::NoNormArchive(kClasses), false));
  MustGuess(model.get(), RandomViews(4), 4, false);
}

TEST_F(TorchRuntimeTest, BuiltInRandomnessIsRefusedUnderEitherStatistics) {
  for (const bool batch_statistics : {true, false}) {
    const absl::Status status =
        runtime_.Load(MakeSource(testing::BakedInDropoutArchive(kClasses), batch_statistics))
            .status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("dropout or another random step"));
  }
}

TEST_F(TorchRuntimeTest, AModelThatWritesIntoItsInputDoesNotReachTheCallers) {
  const auto model = MustLoad(MakeSource(testing::InputWritingArchive(kClasses)));
  const std::vector<float> views = RandomViews(4);
  MustGuess(model.get(), views, 4, true);
  EXPECT_EQ(views, RandomViews(4));
}

TEST_F(TorchRuntimeTest, AnUntrainedHeadOfZerosPasses) {
  const auto model = MustLoad(MakeSource(testing::ZeroHeadArchive(kClasses)));
  EXPECT_EQ(MustGuess(model.get(), RandomViews(2), 2, true),
            std::vector<float>(size_t{2} * kClasses, 1.0f / kClasses));
}

struct Refusal {
  std::string name;
  std::string archive;
  absl::StatusCode code;
  std::string reason;
};

std::vector<Refusal> Refusals() {
  constexpr auto kWrong = absl::StatusCode::kInvalidArgument;
  constexpr auto kNotAble = absl::StatusCode::kFailedPrecondition;
  return {
      {"Empty", "", kWrong, "archive is empty"},
      {"NoArchive", std::string(1000, 'x'), kWrong, "zip"},
      {"CutShort", testing::GoodArchive(kClasses).substr(0, 800), kWrong, "zip"},
      {"NoForward", testing::NoForwardArchive(), kWrong, "no method 'forward'"},
      {"Throws", testing::ThrowingArchive(), kWrong, "the model says no"},
      {"NotFinite", testing::NanArchive(kClasses), kWrong, "not finite"},
      {"WrongClasses", testing::WrongClassesArchive(kClasses), kWrong,
       "its output is [6, 6]; wanted are floating point logits [6, 5]"},
      {"Tuple", testing::TupleArchive(kClasses), kWrong, "returned Tuple"},
      {"Integers", testing::IntegerArchive(kClasses), kWrong, "floating point logits"},
      {"FixedBatch", testing::FixedBatchArchive(kClasses, 6), kWrong, "should contain 2 elements"},
      {"WrongInput", testing::WrongInputArchive(kClasses), kWrong, "running_mean"},
      {"Frozen", testing::FrozenArchive(kClasses), kNotAble, "torch.jit.freeze"},
      {"EvalTraced", testing::EvalTracedArchive(kClasses), kNotAble, "traced in eval mode"},
      {"ChangesParameters", testing::ParameterChangingArchive(kClasses), kWrong,
       "its forward changes the parameter weight"},
      {"Resizes", testing::ResizesBeyondArchive(kClasses, 0), kWrong,
       "resizes norm.running_mean in place"},
      {"NoNorm", testing::NoNormArchive(kClasses), kNotAble, "no batch normalisation"},
  };
}

class RefusalTest : public TorchRuntimeTest, public ::testing::WithParamInterface<Refusal> {};

TEST_P(RefusalTest, IsRefusedWithTheReasonAndTheRuntimeGoesOn) {
  const absl::Status status = runtime_.Load(MakeSource(GetParam().archive)).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("guess model teacher: "), HasSubstr(GetParam().reason),
                    Not(HasSubstr("frame #"))));
  EXPECT_LT(status.message().size(), 600u);
  const auto good = MustLoad(MakeSource(testing::GoodArchive(kClasses)));
  MustGuess(good.get(), RandomViews(4), 4, true);
}

INSTANTIATE_TEST_SUITE_P(Archives, RefusalTest, ::testing::ValuesIn(Refusals()),
                         [](const auto& refusal) { return refusal.param.name; });

TEST_F(TorchRuntimeTest, AFrozenModelServesRunningStatisticsOnly) {
  const auto model = MustLoad(MakeSource(testing::FrozenArchive(kClasses), false));
  const std::vector<float> views = RandomViews(4);
  const LinearNetwork network = testing::MakeLinearNetwork(kClasses);
  EXPECT_THAT(MustGuess(model.get(), views, 4, false),
              Pointwise(IsAlmost(), ByHand(network, views, 4, false)));
  std::vector<float> out(size_t{4} * kClasses);
  EXPECT_EQ(model->Guess(views, 4, true, out).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TorchRuntimeTest, RefusesInfoOutOfRange) {
  ModelSource wrong[] = {
      MakeSource(testing::GoodArchive(kClasses)), MakeSource(testing::GoodArchive(kClasses)),
      MakeSource(testing::GoodArchive(kClasses)), MakeSource(testing::GoodArchive(kClasses))};
  wrong[0].info.classes = 0;
  wrong[1].info.input.width = 0;
  wrong[2].info.input.channels = kMaxChannels + 1;
  wrong[3].info.normalisation.std[1] = 0;
  for (const ModelSource& source : wrong) {
    EXPECT_EQ(runtime_.Load(source).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(TorchRuntimeTest, RefusesSizesThatDoNotFit) {
  const auto model = MustLoad(MakeSource(testing::GoodArchive(kClasses)));
  const std::vector<float> views = RandomViews(2);
  std::vector<float> out(size_t{2} * kClasses);
  for (const int rows : {-1, 0, 1, 3}) {
    EXPECT_EQ(model->Guess(views, rows, false, out).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(model->Guess(views, 2, false, std::span(out).first(9)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(TorchRuntimeTest, AModelThatThrowsLaterIsAnErrorOfThatCallOnly) {
  const auto model = MustLoad(MakeSource(testing::ThrowsBeyondArchive(kClasses, 32)));
  std::vector<float> out(size_t{33} * kClasses);
  const absl::Status status = model->Guess(RandomViews(33), 33, true, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("guess model teacher: "), HasSubstr("too many for me")));
  MustGuess(model.get(), RandomViews(32), 32, true);
}

TEST_F(TorchRuntimeTest, OutputsThatAreNotFiniteLaterAreDataLoss) {
  const auto model = MustLoad(MakeSource(testing::NanBeyondArchive(kClasses, 32)));
  std::vector<float> out(size_t{33} * kClasses);
  EXPECT_EQ(model->Guess(RandomViews(33), 33, true, out).code(), absl::StatusCode::kDataLoss);
  MustGuess(model.get(), RandomViews(32), 32, true);
}

TEST(TorchRuntimeThreadsTest, UpToThreeGuessThreadsGiveTheSameBits) {
  ModelSource source = MakeSource("");
  source.info.kind = "resnet-small";
  source.info.input = {.channels = 3, .height = 16, .width = 16};
  std::mt19937 random(3);
  std::vector<float> views(static_cast<size_t>(32 * source.info.input.pixels()));
  for (float& value : views) value = std::normal_distribution<float>()(random);
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    TorchRuntime runtime(threads);
    const auto model = runtime.Load(source);
    ASSERT_TRUE(model.ok()) << model.status();
    // Several, so that each worker gets some.
    for (int pass = 0; pass < 4; ++pass) {
      std::vector<float> out(size_t{32} * kClasses);
      ASSERT_TRUE((*model)->Guess(views, 32, true, out).ok());
      if (first.empty()) first = out;
      EXPECT_EQ(out, first) << threads << " threads, pass " << pass;
    }
  }
}

TEST(TorchRuntimeThreadsTest, ConcurrentCallsGiveWhatCallsInTurnGive) {
  TorchRuntime runtime(2);
  std::vector<std::shared_ptr<GuessModel>> models;
  for (const unsigned seed : {1u, 2u}) {
    models.push_back(*runtime.Load(
        MakeSource(testing::LinearArchive(testing::MakeLinearNetwork(kClasses, 3, seed)))));
  }
  const auto guess = [&](size_t caller) {
    return MustGuess(models[caller % 2].get(), RandomViews(8, static_cast<unsigned>(caller)), 8,
                     caller < 2);
  };
  std::vector<std::vector<float>> in_turn, at_once(4);
  for (size_t caller = 0; caller < 4; ++caller) in_turn.push_back(guess(caller));
  std::vector<std::thread> callers;
  for (size_t caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 5; ++round) at_once[caller] = guess(caller);
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(at_once, in_turn);
}

}  // namespace
}  // namespace mixfeed
