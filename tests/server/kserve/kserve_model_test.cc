#include "server/kserve/kserve_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "augment/guess/not_yet.h"
#include "tests/server/kserve/fake_clock.h"
#include "tests/server/kserve/fake_kserve.h"
#include "tests/testing/eventually.h"

namespace mixfeed {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Eventually;
using testing::FakeClock;
using testing::FakeKserve;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::UnorderedElementsAre;

constexpr int kClasses = 3;
constexpr ImageShape kImage{.channels = 2, .height = 4, .width = 4};

class KserveModelTest : public ::testing::Test {
 protected:
  std::shared_ptr<KserveModel> Model(const std::string& settings = "",
                                     const KserveOptions& options = {}) {
    GuessModelInfo info;
    info.name = "m";
    info.kind = kKserveKind;
    info.input = kImage;
    info.classes = kClasses;
    auto model = KserveModel::Create(info, remote_.address() + settings, options, &clock_,
                                     [this] { ++opened_; });
    EXPECT_TRUE(model.ok()) << model.status();
    return *std::move(model);
  }

  // Row r's pixels have the mean MeanOf(r), and are not all the same.
  static double MeanOf(int row) { return 0.25 * row - 1; }
  static std::vector<float> Views(int rows) {
    std::vector<float> views;
    for (int row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < kImage.pixels(); ++i) {
        views.push_back(static_cast<float>(MeanOf(row) + (i % 2 == 0 ? 0.5 : -0.5)));
      }
    }
    return views;
  }
  static absl::Status Guess(KserveModel& model, int rows, std::vector<float>* probabilities) {
    probabilities->assign(static_cast<size_t>(rows * kClasses), -1);
    return model.Guess(Views(rows), rows, /*batch_statistics=*/false, *probabilities);
  }
  static absl::Status Guess(KserveModel& model, int rows = 2) {
    std::vector<float> probabilities;
    return Guess(model, rows, &probabilities);
  }
  // Guesses and compares with the softmax of what the fake's model gives.
  static void ExpectGoodGuess(KserveModel& model, int rows = 2) {
    std::vector<float> probabilities;
    const absl::Status status = Guess(model, rows, &probabilities);
    ASSERT_TRUE(status.ok()) << status;
    for (int row = 0; row < rows; ++row) {
      double sum = 0;
      for (int c = 1; c <= kClasses; ++c) sum += std::exp(MeanOf(row) * c);
      for (int c = 1; c <= kClasses; ++c) {
        EXPECT_NEAR(probabilities[static_cast<size_t>(row * kClasses + c - 1)],
                    std::exp(MeanOf(row) * c) / sum, 1e-6)
            << "row " << row << ", class " << c;
      }
    }
  }
  void FailWith(grpc::StatusCode code, int times, const std::string& message = "so it says") {
    remote_.Change([&](auto* behaviour) {
      behaviour->failures.assign(static_cast<size_t>(times), grpc::Status(code, message));
    });
  }
  void Spoil(std::function<void(inference::ModelInferResponse*)> spoil) {
    remote_.Change([&](auto* behaviour) { behaviour->spoil = std::move(spoil); });
  }

  FakeKserve remote_{kImage.channels, kImage.height, kClasses};
  FakeClock clock_;
  std::atomic<int> opened_ = 0;
};

TEST_F(KserveModelTest, GuessesAreTheSoftmaxOfTheLogits) {
  const auto model = Model();
  ExpectGoodGuess(*model, 7);
  EXPECT_THAT(remote_.rows(), ElementsAre(7));
  EXPECT_TRUE(model->Ready().ok());
}

TEST_F(KserveModelTest, SeveralPassesGoInOneRequest) {
  const auto model = Model();
  std::vector<float> together(size_t{6} * kClasses), in_turn;
  ASSERT_TRUE(model->GuessPasses(Views(6), 3, 2, /*batch_statistics=*/false, together).ok());
  EXPECT_THAT(remote_.rows(), ElementsAre(6));
  ASSERT_TRUE(Guess(*model, 6, &in_turn).ok());
  EXPECT_EQ(together, in_turn);
}

TEST_F(KserveModelTest, LargeLogitsDoNotOverflow) {
  Spoil([](auto* response) {
    const std::vector<float> logits = {3e38f, -3e38f, 0.0f};
    response->set_raw_output_contents(0, logits.data(), logits.size() * sizeof(float));
  });
  std::vector<float> probabilities;
  ASSERT_TRUE(Guess(*Model(), 1, &probabilities).ok());
  EXPECT_THAT(probabilities, ElementsAre(1, 0, 0));
}

TEST_F(KserveModelTest, PassesGoInRequestsOfABoundedSizeWithSoManyUnderWay) {
  const auto model = Model("", {.most_rows = 3, .requests_at_once = 4});
  remote_.Change([](auto* behaviour) { behaviour->held = true; });
  std::thread pass([&] { ExpectGoodGuess(*model, 20); });
  EXPECT_TRUE(Eventually([&] { return remote_.under_way() == 4; }));
  remote_.Change([](auto* behaviour) { behaviour->held = false; });
  pass.join();
  EXPECT_EQ(remote_.most_under_way(), 4);
  // In any order, since four are under way at a time.
  EXPECT_THAT(remote_.rows(), UnorderedElementsAre(3, 3, 3, 3, 3, 3, 2));
}

TEST_F(KserveModelTest, TheBytesOfARequestAreBoundedToo) {
  constexpr int64_t kRowBytes = kImage.pixels() * static_cast<int64_t>(sizeof(float));
  ExpectGoodGuess(*Model("", {.most_bytes = 2 * kRowBytes, .requests_at_once = 1}), 5);
  EXPECT_THAT(remote_.rows(), ElementsAre(2, 2, 1));
  ExpectGoodGuess(*Model("", {.most_bytes = 1, .requests_at_once = 1}), 2);
  EXPECT_THAT(remote_.rows(), ElementsAre(2, 2, 1, 1, 1));
}

TEST_F(KserveModelTest, RequestsThatAreTooLargeAreHalvedAndTheSizeIsRemembered) {
  const auto model = Model("", {.requests_at_once = 1});
  remote_.Change([](auto* behaviour) { behaviour->most_rows = 3; });
  ExpectGoodGuess(*model, 9);
  EXPECT_THAT(remote_.rows(), ElementsAre(9, 5, 3, 2, 4, 2, 2));
  ExpectGoodGuess(*model, 4);
  EXPECT_THAT(remote_.rows(), ElementsAre(9, 5, 3, 2, 4, 2, 2, 2, 2));
  EXPECT_EQ(opened_, 0);
}

TEST_F(KserveModelTest, WhatIsRefusedOneRowAtATimeIsAnErrorAndNoSizeIsRemembered) {
  const auto model = Model("", {.requests_at_once = 1});
  FailWith(grpc::StatusCode::INVALID_ARGUMENT, 3, "unexpected datatype");
  const absl::Status status = Guess(*model, 4);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("guess model m at kserve://" + remote_.address()),
                    HasSubstr("unexpected datatype")));
  EXPECT_THAT(remote_.rows(), ElementsAre(4, 2, 1));
  ExpectGoodGuess(*model, 4);
  EXPECT_EQ(remote_.rows().back(), 4);
}

TEST_F(KserveModelTest, AModelOfFixedRowsGetsFullRequests) {
  remote_.Change([](auto* behaviour) { behaviour->metadata.mutable_inputs(0)->set_shape(0, 4); });
  ExpectGoodGuess(*Model(), 6);
  EXPECT_THAT(remote_.rows(), ElementsAre(4, 4));
}

TEST_F(KserveModelTest, AModelOfMoreFixedRowsThanFitIsRefused) {
  const auto model =
      Model("", {.most_fixed_bytes = 4 * kImage.pixels() * static_cast<int64_t>(sizeof(float))});
  for (const int64_t rows : {int64_t{5}, int64_t{1} << 40}) {
    remote_.Change(
        [rows](auto* behaviour) { behaviour->metadata.mutable_inputs(0)->set_shape(0, rows); });
    const absl::Status status = Guess(*model);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(absl::StrCat("takes ", rows, " rows in every request (views FP32 [",
                                             rows, ", 2, 4, 4])")),
                      HasSubstr("allowed: -1, or at most 4, 512 bytes of images")));
  }
  remote_.Change([](auto* behaviour) { behaviour->metadata.mutable_inputs(0)->set_shape(0, 4); });
  ExpectGoodGuess(*model);
  EXPECT_THAT(remote_.rows(), ElementsAre(4));
}

TEST_F(KserveModelTest, ProbabilitiesAreTakenAsTheyAre) {
  Spoil([](auto* response) {
    const std::vector<float> row = {0.5f, 0.25f, 0.25f};
    response->set_raw_output_contents(0, row.data(), row.size() * sizeof(float));
  });
  std::vector<float> probabilities;
  ASSERT_TRUE(Guess(*Model("?output=probabilities"), 1, &probabilities).ok());
  EXPECT_THAT(probabilities, ElementsAre(0.5f, 0.25f, 0.25f));
}

TEST_F(KserveModelTest, LogitsAreNotTakenForProbabilities) {
  const absl::Status status = Guess(*Model("?output=probabilities"));
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("without output=probabilities"));
}

TEST_F(KserveModelTest, ValuesMayComeUnpacked) {
  Spoil([](auto* response) {
    std::vector<float> values(2 * kClasses);
    std::memcpy(values.data(), response->raw_output_contents(0).data(),
                values.size() * sizeof(float));
    response->clear_raw_output_contents();
    for (const float value : values) {
      response->mutable_outputs(0)->mutable_contents()->add_fp32_contents(value);
    }
  });
  ExpectGoodGuess(*Model());
}

TEST_F(KserveModelTest, DamagedAnswersAreDataLossAndSayHow) {
  const auto model = Model();
  const std::pair<std::function<void(inference::ModelInferResponse*)>, const char*> cases[] = {
      {[](auto* r) { r->mutable_raw_output_contents(0)->pop_back(); },
       "has 23 bytes; wanted are 24"},
      {[](auto* r) { r->mutable_raw_output_contents(0)->append(8, '\0'); }, "has 32 bytes"},
      {[](auto* r) { r->clear_raw_output_contents(); }, "has 0 bytes"},
      {[](auto* r) { r->mutable_outputs(0)->set_datatype("FP64"); }, "logits FP64 [2, 3]"},
      {[](auto* r) { r->mutable_outputs(0)->set_shape(1, 4); }, "logits FP32 [2, 4]"},
      {[](auto* r) { r->mutable_outputs(0)->set_shape(0, 1); }, "wanted is FP32 [2, 3]"},
      {[](auto* r) { r->mutable_outputs(0)->clear_shape(); }, "logits FP32 []"},
      {[](auto* r) { r->mutable_outputs(0)->set_name("other"); }, "has no output \"logits\""},
      {[](auto* r) { r->Clear(); }, "has no output \"logits\""},
      {[](auto* r) {
         const float nan = std::numeric_limits<float>::quiet_NaN();
         std::memcpy(r->mutable_raw_output_contents(0)->data(), &nan, sizeof(nan));
       },
       "not finite"},
  };
  for (const auto& [spoil, says] : cases) {
    Spoil(spoil);
    const absl::Status status = Guess(*model);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("guess model m at kserve://"), HasSubstr(says)));
  }
  Spoil(nullptr);
  ExpectGoodGuess(*model);
}

TEST_F(KserveModelTest, TensorsThatDoNotFitAreRefusedWithBothShapes) {
  using Metadata = inference::ModelMetadataResponse;
  const std::pair<std::function<void(Metadata*)>, const char*> cases[] = {
      {[](Metadata* m) { m->mutable_inputs(0)->set_shape(2, 5); }, "views FP32 [-1, 2, 5, 4]"},
      {[](Metadata* m) { m->mutable_inputs(0)->set_datatype("UINT8"); }, "views UINT8 "},
      {[](Metadata* m) { m->mutable_inputs(0)->add_shape(1); }, "[-1, 2, 4, 4, 1]"},
      {[](Metadata* m) { m->mutable_inputs(0)->set_shape(0, 0); }, "[0, 2, 4, 4]"},
      {[](Metadata* m) { m->clear_inputs(); }, "takes () and"},
      {[](Metadata* m) { *m->add_inputs() = m->inputs(0); }, "[-1, 2, 4, 4], views"},
      {[](Metadata* m) { m->mutable_outputs(0)->set_shape(1, 10); }, "logits FP32 [-1, 10]"},
      {[](Metadata* m) { m->mutable_outputs(0)->set_datatype("FP16"); }, "logits FP16"},
      {[](Metadata* m) { *m->add_outputs() = m->outputs(0); }, "[-1, 3], logits"},
  };
  const auto model = Model();
  for (const auto& [change, says] : cases) {
    remote_.Change([change = change](auto* behaviour) {
      static const Metadata good = behaviour->metadata;
      behaviour->metadata = good;
      change(&behaviour->metadata);
    });
    for (const absl::Status& status : {model->Probe(), Guess(*model)}) {
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
      EXPECT_THAT(std::string(status.message()),
                  AllOf(HasSubstr("guess model m at kserve://"), HasSubstr(says),
                        HasSubstr("one input FP32 [-1, 2, 4, 4] and one output FP32 [-1, 3]")));
    }
  }
  EXPECT_TRUE(remote_.rows().empty());
  EXPECT_TRUE(model->Ready().ok());  // so that whoever waits is told
}

TEST_F(KserveModelTest, SizesThatAreNotKnownFit) {
  remote_.Change([](auto* behaviour) {
    for (int i = 0; i < 4; ++i) behaviour->metadata.mutable_inputs(0)->set_shape(i, -1);
    behaviour->metadata.mutable_outputs(0)->set_shape(1, -1);
  });
  ExpectGoodGuess(*Model());
}

TEST_F(KserveModelTest, AFailureThatMayPassIsTriedAgainAfterAPause) {
  for (const grpc::StatusCode code :
       {grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::RESOURCE_EXHAUSTED,
        grpc::StatusCode::ABORTED, grpc::StatusCode::NOT_FOUND, grpc::StatusCode::DEADLINE_EXCEEDED,
        grpc::StatusCode::CANCELLED}) {
    const size_t slept = clock_.sleeps().size();
    FailWith(code, 2);
    ExpectGoodGuess(*Model());
    const std::vector<milliseconds> sleeps = clock_.sleeps();
    ASSERT_EQ(sleeps.size(), slept + 2);
    EXPECT_THAT(sleeps[slept], AllOf(Ge(milliseconds(25)), Le(milliseconds(50))));
    EXPECT_THAT(sleeps[slept + 1], AllOf(Ge(milliseconds(50)), Le(milliseconds(100))));
  }
  EXPECT_EQ(opened_, 0);
}

TEST_F(KserveModelTest, OtherFailuresAreNotTriedAgain) {
  const auto model = Model();
  FailWith(grpc::StatusCode::INTERNAL, 1, "ValueError: bad view");
  const absl::Status status = Guess(*model);
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("ValueError: bad view"));
  EXPECT_EQ(remote_.rows().size(), 1u);
  EXPECT_TRUE(clock_.sleeps().empty());
  ExpectGoodGuess(*model);
}

TEST_F(KserveModelTest, AfterThreeFailuresInARowNobodyIsAskedUntilAProbe) {
  const auto model = Model();
  ExpectGoodGuess(*model);
  FailWith(grpc::StatusCode::UNAVAILABLE, 3, "going down");
  const auto status = [&] { return Guess(*model); };
  for (const absl::Status& away : {status(), status(), model->Ready()}) {
    EXPECT_TRUE(IsNotYet(away)) << away;
    EXPECT_THAT(std::string(away.message()),
                AllOf(HasSubstr("guess model m does not answer at kserve://" + remote_.address()),
                      HasSubstr("UNAVAILABLE: going down"), HasSubstr("tried again")));
  }
  EXPECT_EQ(remote_.rows().size(), 4u);
  EXPECT_EQ(opened_, 1);
  ASSERT_TRUE(model->probe_at().has_value());
  EXPECT_GT(*model->probe_at(), clock_.Now());

  EXPECT_TRUE(model->Probe().ok());
  EXPECT_FALSE(model->probe_at().has_value());
  ExpectGoodGuess(*model);
}

TEST_F(KserveModelTest, ItStaysAwayUntilTheModelIsReady) {
  const auto model = Model();
  remote_.Change([](auto* behaviour) { behaviour->ready = false; });
  EXPECT_TRUE(IsNotYet(Guess(*model)));
  EXPECT_TRUE(IsNotYet(model->Probe()));
  EXPECT_THAT(std::string(model->Ready().message()), HasSubstr("no model \"net\" that is ready"));
  EXPECT_EQ(opened_, 2);
  remote_.Change([](auto* behaviour) { behaviour->ready = true; });
  EXPECT_TRUE(model->Probe().ok());
  ExpectGoodGuess(*model);
}

TEST_F(KserveModelTest, AServerThatIsGoneAndComesBackIsUsedAgain) {
  const auto model = Model();
  ExpectGoodGuess(*model);
  remote_.Stop();
  const absl::Status status = Guess(*model);
  EXPECT_TRUE(IsNotYet(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("UNAVAILABLE"));
  EXPECT_TRUE(IsNotYet(model->Probe()));
  remote_.Start();
  EXPECT_TRUE(Eventually([&] { return model->Probe().ok(); }));
  ExpectGoodGuess(*model);
}

TEST_F(KserveModelTest, AServerThatComesBackAsAnotherModelIsRefused) {
  const auto model = Model();
  ExpectGoodGuess(*model);
  FailWith(grpc::StatusCode::UNAVAILABLE, 3);
  EXPECT_TRUE(IsNotYet(Guess(*model)));
  remote_.Change(
      [](auto* behaviour) { behaviour->metadata.mutable_outputs(0)->set_shape(1, 100); });
  EXPECT_TRUE(absl::IsFailedPrecondition(model->Probe()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Guess(*model)));
}

TEST_F(KserveModelTest, ARequestHasADeadline) {
  const auto model = Model("?deadline_ms=20");
  ASSERT_TRUE(model->Probe().ok());
  remote_.Change([](auto* behaviour) { behaviour->held = true; });
  const absl::Status status = Guess(*model);
  EXPECT_TRUE(IsNotYet(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("DEADLINE_EXCEEDED"));
  remote_.Change([](auto* behaviour) { behaviour->held = false; });
}

TEST_F(KserveModelTest, APassThatTakesTooLongIsGivenUp) {
  KserveOptions options;
  options.breaker.failures_to_open = 1000;
  const auto model = Model("?deadline_ms=1000", options);
  ASSERT_TRUE(model->Probe().ok());
  FailWith(grpc::StatusCode::UNAVAILABLE, 1000);
  EXPECT_TRUE(IsNotYet(Guess(*model)));
  milliseconds slept(0);
  for (const milliseconds sleep : clock_.sleeps()) slept += sleep;
  // Three deadlines, and the pause that went beyond them.
  EXPECT_THAT(slept, AllOf(Ge(milliseconds(3000)), Le(milliseconds(4000))));
}

TEST_F(KserveModelTest, BatchStatisticsCannotBeAskedFor) {
  const auto model = Model();
  std::vector<float> probabilities(2 * kClasses);
  const absl::Status status = model->Guess(Views(2), 2, /*batch_statistics=*/true, probabilities);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("recipe.guess.batch_statistics"), HasSubstr("--statistics running")));
}

TEST_F(KserveModelTest, WrongSizesAreRefused) {
  const auto model = Model();
  std::vector<float> probabilities(2 * kClasses);
  EXPECT_TRUE(absl::IsInvalidArgument(model->Guess(Views(1), 2, false, probabilities)));
  EXPECT_TRUE(absl::IsInvalidArgument(model->Guess(Views(1), 1, false, probabilities)));
  EXPECT_TRUE(absl::IsInvalidArgument(model->Guess({}, 0, false, {})));
}

TEST_F(KserveModelTest, TheEnvironmentIsThatOfTheLastAnswer) {
  const auto model = Model();
  const std::string url = "kserve://" + remote_.address();
  EXPECT_EQ(model->environment(), url + " version unknown platform unknown");
  ASSERT_TRUE(model->Probe().ok());
  EXPECT_EQ(model->environment(), url + " version 1 platform fake");
  remote_.Change([](auto* behaviour) { behaviour->versions = {"2"}; });
  ExpectGoodGuess(*model);
  EXPECT_EQ(model->environment(), url + " version 2 platform fake");
}

TEST_F(KserveModelTest, APassIsOfOneVersion) {
  const auto model = Model("", {.most_rows = 1, .requests_at_once = 1});
  remote_.Change([](auto* behaviour) { behaviour->versions = {"1", "2", "2"}; });
  // The first pass sees 1 and 2, the second 2 and 1, the third 2 and 2.
  ExpectGoodGuess(*model, 2);
  EXPECT_EQ(remote_.rows().size(), 6u);
  remote_.Change([](auto* behaviour) { behaviour->versions = {"1", "2"}; });
  const absl::Status status = Guess(*model, 2);
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("versions 1 and 2 answer in turn"));
}

TEST_F(KserveModelTest, ItTakesNoWeightsAndHasNone) {
  const auto model = Model();
  const StateDict weights = *StateDict::Parse(*WriteSafetensors({}));
  EXPECT_TRUE(absl::IsUnimplemented(model->WithWeights(weights, true, 1, 1).status()));
  EXPECT_TRUE(absl::IsUnimplemented(model->Weights().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(model->Features(Views(1), 1).status()));
}

TEST_F(KserveModelTest, ManyThreadsMayGuessAtOnce) {
  const auto model = Model("", {.most_rows = 2});
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int pass = 0; pass < 10; ++pass) ExpectGoodGuess(*model, 9);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace mixfeed
