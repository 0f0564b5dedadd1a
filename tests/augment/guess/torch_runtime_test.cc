#include "augment/guess/torch_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "augment/weights/state_dict.h"
#include "tests/augment/guess/torch_kit.h"

namespace mixfeed::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointwise;
using ::testing::StartsWith;

TEST_F(TorchRuntimeTest, GuessesAreThoseComputedByHand) {
  for (const int channels : {3, 1}) {
    const LinearNetwork network = MakeLinearNetwork(kClasses, channels);
    ModelSource source = MakeSource(LinearArchive(network));
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
  ModelSource source = MakeSource(GoodArchive(kClasses));
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
  const auto model = MustLoad(MakeSource(ThrowsBeyondArchive(kClasses, 32)));
  const std::vector<float> views = RandomViews(8);
  const std::vector<float> running = MustGuess(model.get(), views, 8, false);
  std::vector<float> out(size_t{33} * kClasses);
  EXPECT_FALSE(model->Guess(RandomViews(33), 33, true, out).ok());
  EXPECT_EQ(MustGuess(model.get(), views, 8, false), running);
}

TEST_F(TorchRuntimeTest, DropoutStaysOffUnderBatchStatistics) {
  const auto plain = MustLoad(MakeSource(GoodArchive(kClasses)));
  const auto dropout = MustLoad(MakeSource(DropoutBatchNormArchive(kClasses)));
  const std::vector<float> views = RandomViews(16);
  EXPECT_EQ(MustGuess(dropout.get(), views, 16, true), MustGuess(plain.get(), views, 16, true));
}

TEST_F(TorchRuntimeTest, OnlyBatchNormsUseBatchStatistics) {
  const auto plain = MustLoad(MakeSource(GoodArchive(kClasses)));
  const auto other = MustLoad(MakeSource(InstanceNormArchive(kClasses)));
  const std::vector<float> views = RandomViews(16);
  EXPECT_EQ(MustGuess(other.get(), views, 16, true), MustGuess(plain.get(), views, 16, true));
}

TEST_F(TorchRuntimeTest, AnOutputInABufferIsReadBeforeTheBufferIsRestored) {
  const auto plain = MustLoad(MakeSource(GoodArchive(kClasses)));
  const auto other = MustLoad(MakeSource(BufferReturningArchive(kClasses)));
  const std::vector<float> views = RandomViews(16);
  EXPECT_EQ(MustGuess(other.get(), views, 16, true), MustGuess(plain.get(), views, 16, true));
}

TEST_F(TorchRuntimeTest, AModelWhoseStateCannotBeRestoredIsOfNoMoreUse) {
  const auto model = MustLoad(MakeSource(ResizesBeyondArchive(kClasses, 32)));
  MustGuess(model.get(), RandomViews(32), 32, true);
  std::vector<float> out(size_t{33} * kClasses);
  for (const int rows : {33, 2}) {
    const absl::Status status = model->Guess(
        RandomViews(rows), rows, true, std::span(out).first(static_cast<size_t>(rows) * kClasses));
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), HasSubstr("resizes norm.running_mean in place"));
  }
  const auto good = MustLoad(MakeSource(GoodArchive(kClasses)));
  MustGuess(good.get(), RandomViews(4), 4, true);
}

TEST_F(TorchRuntimeTest, AModelTracedInTrainModeServesBatchStatisticsOnly) {
  const std::string archive = TrainTracedArchive(kClasses);
  const absl::Status refused = runtime_.Load(MakeSource(archive, false)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("traced in train mode"));
  const auto model = MustLoad(MakeSource(archive, true));
  const std::vector<float> views = RandomViews(8);
  EXPECT_THAT(MustGuess(model.get(), views, 8, true),
              Pointwise(IsAlmost(), ByHand(MakeLinearNetwork(kClasses), views, 8, true)));
  std::vector<float> out(size_t{8} * kClasses);
  EXPECT_EQ(model->Guess(views, 8, false, out), refused);
}

TEST_F(TorchRuntimeTest, AModelWithoutBatchNormServesRunningStatistics) {
  const auto model = MustLoad(MakeSource(NoNormArchive(kClasses), false));
  MustGuess(model.get(), RandomViews(4), 4, false);
}

TEST_F(TorchRuntimeTest, BuiltInRandomnessIsRefusedUnderEitherStatistics) {
  for (const bool batch_statistics : {true, false}) {
    const absl::Status status =
        runtime_.Load(MakeSource(BakedInDropoutArchive(kClasses), batch_statistics)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("dropout or another random step"));
  }
}

TEST_F(TorchRuntimeTest, AModelThatWritesIntoItsInputDoesNotReachTheCallers) {
  const auto model = MustLoad(MakeSource(InputWritingArchive(kClasses)));
  const std::vector<float> views = RandomViews(4);
  MustGuess(model.get(), views, 4, true);
  EXPECT_EQ(views, RandomViews(4));
}

TEST_F(TorchRuntimeTest, AnUntrainedHeadOfZerosPasses) {
  const auto model = MustLoad(MakeSource(ZeroHeadArchive(kClasses)));
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
      {"CutShort", GoodArchive(kClasses).substr(0, 800), kWrong, "zip"},
      {"NoForward", NoForwardArchive(), kWrong, "no method 'forward'"},
      {"Throws", ThrowingArchive(), kWrong, "the model says no"},
      {"NotFinite", NanArchive(kClasses), kWrong, "not finite"},
      {"WrongClasses", WrongClassesArchive(kClasses), kWrong,
       "its output is [6, 6]; wanted are floating point logits [6, 5]"},
      {"Tuple", TupleArchive(kClasses), kWrong, "returned Tuple"},
      {"Integers", IntegerArchive(kClasses), kWrong, "floating point logits"},
      {"FixedBatch", FixedBatchArchive(kClasses, 6), kWrong, "should contain 2 elements"},
      {"WrongInput", WrongInputArchive(kClasses), kWrong, "running_mean"},
      {"Frozen", FrozenArchive(kClasses), kNotAble, "torch.jit.freeze"},
      {"EvalTraced", EvalTracedArchive(kClasses), kNotAble, "traced in eval mode"},
      {"ChangesParameters", ParameterChangingArchive(kClasses), kWrong,
       "its forward changes the parameter weight"},
      {"Resizes", ResizesBeyondArchive(kClasses, 0), kWrong, "resizes norm.running_mean in place"},
      {"NoNorm", NoNormArchive(kClasses), kNotAble, "no batch normalisation"},
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
  const auto good = MustLoad(MakeSource(GoodArchive(kClasses)));
  MustGuess(good.get(), RandomViews(4), 4, true);
}

INSTANTIATE_TEST_SUITE_P(Archives, RefusalTest, ::testing::ValuesIn(Refusals()),
                         [](const auto& refusal) { return refusal.param.name; });

TEST_F(TorchRuntimeTest, AFrozenModelServesRunningStatisticsOnly) {
  const auto model = MustLoad(MakeSource(FrozenArchive(kClasses), false));
  const std::vector<float> views = RandomViews(4);
  const LinearNetwork network = MakeLinearNetwork(kClasses);
  EXPECT_THAT(MustGuess(model.get(), views, 4, false),
              Pointwise(IsAlmost(), ByHand(network, views, 4, false)));
  std::vector<float> out(size_t{4} * kClasses);
  EXPECT_EQ(model->Guess(views, 4, true, out).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TorchRuntimeTest, RefusesInfoOutOfRange) {
  ModelSource wrong[] = {MakeSource(GoodArchive(kClasses)), MakeSource(GoodArchive(kClasses)),
                         MakeSource(GoodArchive(kClasses)), MakeSource(GoodArchive(kClasses))};
  wrong[0].info.classes = 0;
  wrong[1].info.input.width = 0;
  wrong[2].info.input.channels = kMaxChannels + 1;
  wrong[3].info.normalisation.std[1] = 0;
  for (const ModelSource& source : wrong) {
    EXPECT_EQ(runtime_.Load(source).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(TorchRuntimeTest, RefusesSizesThatDoNotFit) {
  const auto model = MustLoad(MakeSource(GoodArchive(kClasses)));
  const std::vector<float> views = RandomViews(2);
  std::vector<float> out(size_t{2} * kClasses);
  for (const int rows : {-1, 0, 1, 3}) {
    EXPECT_EQ(model->Guess(views, rows, false, out).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(model->Guess(views, 2, false, std::span(out).first(9)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(TorchRuntimeTest, RefusesSizesOfPassesThatDoNotFit) {
  const auto model = MustLoad(MakeSource(GoodArchive(kClasses)));
  const std::vector<float> views = RandomViews(4);
  std::vector<float> out(size_t{4} * kClasses);
  for (const int passes : {-1, 0, 1, 3}) {
    EXPECT_EQ(model->GuessPasses(views, passes, 2, false, out).code(),
              absl::StatusCode::kInvalidArgument);
  }
}

// Under batch statistics rows of one pass depend on each other, and those of several do not.
TEST_F(TorchRuntimeTest, PassesTogetherGiveWhatPassesInTurnGive) {
  const auto model = MustLoad(MakeSource(LinearArchive(MakeLinearNetwork(kClasses, 3, 1))));
  const std::vector<float> views = RandomViews(15);
  for (const bool batch_statistics : {true, false}) {
    std::vector<float> in_turn;
    for (size_t pass = 0; pass < 3; ++pass) {
      const size_t floats = views.size() / 3;
      const std::vector<float> own(views.begin() + static_cast<ptrdiff_t>(pass * floats),
                                   views.begin() + static_cast<ptrdiff_t>((pass + 1) * floats));
      const std::vector<float> out = MustGuess(model.get(), own, 5, batch_statistics);
      in_turn.insert(in_turn.end(), out.begin(), out.end());
    }
    std::vector<float> together(size_t{15} * kClasses);
    ASSERT_TRUE(model->GuessPasses(views, 3, 5, batch_statistics, together).ok());
    EXPECT_EQ(together, in_turn) << batch_statistics;
  }
}

TEST_F(TorchRuntimeTest, AModelThatThrowsLaterIsAnErrorOfThatCallOnly) {
  const auto model = MustLoad(MakeSource(ThrowsBeyondArchive(kClasses, 32)));
  std::vector<float> out(size_t{33} * kClasses);
  const absl::Status status = model->Guess(RandomViews(33), 33, true, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("guess model teacher: "), HasSubstr("too many for me")));
  MustGuess(model.get(), RandomViews(32), 32, true);
}

TEST_F(TorchRuntimeTest, OutputsThatAreNotFiniteLaterAreDataLoss) {
  const auto model = MustLoad(MakeSource(NanBeyondArchive(kClasses, 32)));
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
    models.push_back(
        *runtime.Load(MakeSource(LinearArchive(MakeLinearNetwork(kClasses, 3, seed)))));
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
}  // namespace mixfeed::testing
