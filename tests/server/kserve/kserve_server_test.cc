// A server whose guess model another server runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "augment/weights/state_dict.h"
#include "tests/server/kserve/fake_kserve.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/eventually.h"
#include "tests/testing/test_server.h"

namespace mixfeed::testing {
namespace {

using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;

v1::FeedSpec RemoteSpec() {
  v1::FeedSpec spec = TinySpec("mixmatch");
  spec.mutable_recipe()->mutable_guess()->set_batch_statistics(false);
  return spec;
}

v1::RegisterModelHeader RemoteHeader(const std::string& address) {
  v1::RegisterModelHeader header;
  header.set_name("far");
  header.set_kind("kserve");
  header.set_address(address);
  return header;
}

class KserveServerTest : public ::testing::Test {
 protected:
  // A server that names the model when it starts.
  std::unique_ptr<TestServer> NewServer(const std::function<void(ServerOptions*)>& adjust =
                                            [](ServerOptions*) {}) {
    return std::make_unique<TestServer>([&](ServerOptions* options) {
      options->models = {"far=kserve://" + remote_.address()};
      adjust(options);
    });
  }
  static std::unique_ptr<TestServer> NewServerWithoutModel() {
    return std::make_unique<TestServer>();
  }

  FakeKserve remote_{3, 32, 10};
};

TEST_F(KserveServerTest, AModelNamedAtTheStartGuesses) {
  const auto server = NewServer();
  const Stubs stubs(server->address());
  const std::string feed = Open(stubs, RemoteSpec(), "run").feed_id();
  const v1::GuessOrigin guess = GetBatch(stubs, feed, 0).header().guess();
  EXPECT_EQ(guess.model(), "far");
  EXPECT_EQ(guess.version(), 0u);
  EXPECT_EQ(guess.weights(), "");
  EXPECT_EQ(guess.environment(), "kserve://" + remote_.address() + " version 1 platform fake");
  EXPECT_FALSE(guess.environment_changed());
}

TEST_F(KserveServerTest, AnotherVersionThereIsFlagged) {
  const auto server = NewServer();
  const Stubs stubs(server->address());
  const std::string feed = Open(stubs, RemoteSpec(), "run").feed_id();
  GetBatch(stubs, feed, 0);
  remote_.Change([](auto* behaviour) { behaviour->versions = {"2"}; });
  const v1::GuessOrigin guess = GetBatch(stubs, feed, 1).header().guess();
  EXPECT_THAT(guess.environment(), HasSubstr(" version 2 "));
  EXPECT_TRUE(guess.environment_changed());
}

TEST_F(KserveServerTest, ARegisteredModelIsListedWithItsAddress) {
  const auto server = NewServerWithoutModel();
  const Stubs stubs(server->address());
  const v1::Model model = Register(stubs, RemoteHeader(remote_.address()), "").model();
  EXPECT_EQ(model.kind(), "kserve");
  EXPECT_EQ(model.address(), remote_.address());
  EXPECT_EQ(model.classes(), 10u);
  EXPECT_FALSE(model.batch_statistics());
  const auto listed =
      Call(stubs.models.get(), &v1::ModelService::Stub::ListModels, v1::ListModelsRequest());
  ASSERT_EQ(listed.models_size(), 1);
  EXPECT_EQ(listed.models(0).address(), remote_.address());
}

TEST_F(KserveServerTest, WrongRegistrationsAreRefused) {
  const auto server = NewServerWithoutModel();
  const Stubs stubs(server->address());
  const auto expect = [&](const v1::RegisterModelHeader& header, const std::string& archive,
                          StatusCode code, const std::string& says) {
    grpc::Status status;
    Register(stubs, header, archive, &status);
    EXPECT_EQ(status.error_code(), code) << says;
    EXPECT_THAT(status.error_message(), HasSubstr(says));
  };
  constexpr auto kWrong = StatusCode::INVALID_ARGUMENT;
  expect(RemoteHeader(""), "", kWrong, "header.address is \"\"");
  expect(RemoteHeader("kserve://h:1/m"), "", kWrong, "header.address is \"kserve://h:1/m\"");
  expect(RemoteHeader(remote_.address()), "bytes", kWrong, "header.archive_bytes is 5");
  v1::RegisterModelHeader header = RemoteHeader(remote_.address());
  header.set_batch_statistics(true);
  expect(header, "", kWrong, "header.batch_statistics is true");
  header = RemoteHeader(remote_.address());
  header.set_kind("resnet-small");
  expect(header, "", kWrong, "header.address is");
  header = RemoteHeader(remote_.address());
  header.set_classes(7);
  expect(header, "", StatusCode::FAILED_PRECONDITION, "one output FP32 [-1, 7]");
  expect(RemoteHeader(remote_.address() + "?output=probabilities"), "", StatusCode::DATA_LOSS,
         "without output=probabilities");
  remote_.Stop();
  expect(RemoteHeader(remote_.address()), "", StatusCode::UNAVAILABLE, remote_.address());
  EXPECT_EQ(Call(stubs.models.get(), &v1::ModelService::Stub::ListModels, v1::ListModelsRequest())
                .models_size(),
            0);
}

TEST_F(KserveServerTest, NobodyPushesToIt) {
  const auto server = NewServer();
  const Stubs stubs(server->address());
  const std::string weights = *WriteSafetensors({});
  v1::PushWeightsRequest first;
  first.mutable_header()->set_model("far");
  first.mutable_header()->set_update(1);
  first.mutable_header()->set_weights_bytes(weights.size());
  first.mutable_header()->set_digest(DigestOf(weights));
  v1::PushWeightsRequest second;
  second.set_chunk(weights);
  grpc::ClientContext context;
  SetLimit(&context);
  v1::PushWeightsResponse response;
  const auto call = stubs.models->PushWeights(&context, &response);
  call->Write(first);
  call->Write(second);
  call->WritesDone();
  EXPECT_EQ(call->Finish().error_code(), StatusCode::UNIMPLEMENTED);
}

TEST_F(KserveServerTest, FeedsThatItCannotServeAreNotOpened) {
  const auto server = NewServer();
  const Stubs stubs(server->address());
  grpc::Status status;
  v1::FeedSpec spec = RemoteSpec();
  spec.mutable_recipe()->mutable_guess()->set_batch_statistics(true);
  Open(stubs, spec, "", &status);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("recipe.guess.batch_statistics is true"),
                                            HasSubstr("allowed: false")));
  for (const auto policy : {v1::Guess::LOCKSTEP, v1::Guess::DELAYED}) {
    spec = RemoteSpec();
    spec.mutable_recipe()->mutable_guess()->set_policy(policy);
    spec.mutable_recipe()->mutable_guess()->set_delay(1);
    Open(stubs, spec, "", &status);
    EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(status.error_message(),
                AllOf(HasSubstr("recipe.guess.policy is "), HasSubstr("allowed: newest, pinned")));
  }
  spec = RemoteSpec();
  spec.mutable_recipe()->mutable_guess()->set_policy(v1::Guess::PINNED);
  EXPECT_TRUE(GetBatch(stubs, Open(stubs, spec, "run").feed_id(), 3).has_header());
}

TEST_F(KserveServerTest, FeedsThatWereOpenBeforeTheModelSayWhatToSet) {
  const auto server = NewServerWithoutModel();
  const Stubs stubs(server->address());
  v1::FeedSpec spec = RemoteSpec();
  spec.mutable_recipe()->mutable_guess()->set_policy(v1::Guess::LOCKSTEP);
  const std::string lockstep = Open(stubs, spec, "run").feed_id();
  spec = RemoteSpec();
  spec.mutable_recipe()->mutable_guess()->set_batch_statistics(true);
  const std::string batch = Open(stubs, spec, "run").feed_id();
  Register(stubs, RemoteHeader(remote_.address()), "");
  grpc::Status status;
  GetBatch(stubs, lockstep, 1, &status);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("recipe.guess.policy newest or pinned"));
  GetBatch(stubs, batch, 0, &status);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("recipe.guess.batch_statistics"));
}

TEST_F(KserveServerTest, TheServerStartsWhileTheModelIsAwayAndBatchesComeWhenItIsBack) {
  remote_.Stop();
  const auto server = NewServer();
  const Stubs stubs(server->address());
  const std::string feed = Open(stubs, RemoteSpec(), "run").feed_id();
  StreamCall stream(stubs, StreamOf(feed));
  EXPECT_TRUE(Eventually([&] { return Info(stubs).waiting_batches() > 0; }));
  remote_.Start();
  v1::Batch batch;
  ASSERT_TRUE(stream.Read(&batch));
  EXPECT_EQ(batch.header().guess().model(), "far");
}

TEST_F(KserveServerTest, ARestartedServerKnowsTheModelAlsoWhileItIsAway) {
  const auto server = NewServerWithoutModel();
  {
    const Stubs stubs(server->address());
    Register(stubs, RemoteHeader(remote_.address()), "");
  }
  remote_.Stop();
  server->Restart();
  const Stubs stubs(server->address());
  EXPECT_EQ(Call(stubs.models.get(), &v1::ModelService::Stub::ListModels, v1::ListModelsRequest())
                .models(0)
                .address(),
            remote_.address());
  remote_.Start();
  EXPECT_TRUE(GetBatch(stubs, Open(stubs, RemoteSpec(), "run").feed_id(), 0).has_header());
}

TEST_F(KserveServerTest, AStreamOutlivesTheModelsAbsence) {
  const auto server = NewServer();
  const Stubs stubs(server->address());
  const std::string feed = Open(stubs, RemoteSpec(), "run").feed_id();
  StreamCall stream(stubs, StreamOf(feed, 1));
  std::vector<std::string> pixels;
  for (int round = 0; round < 3; ++round) {
    remote_.Stop();
    std::thread returning([&] {
      EXPECT_TRUE(Eventually([&] { return Info(stubs).waiting_batches() > 0; }));
      remote_.Start();
    });
    // More than can have been made ahead.
    for (int more = 0; more < 10; ++more) {
      v1::Batch batch;
      EXPECT_TRUE(stream.Read(&batch));
      EXPECT_TRUE(stream.Grant(1));
      pixels.push_back(batch.pixels());
    }
    returning.join();
  }
  for (size_t step = 0; step < pixels.size(); ++step) {
    EXPECT_TRUE(GetBatch(stubs, feed, step).pixels() == pixels[step]) << step;
  }
}

TEST_F(KserveServerTest, WaitingForItHasTheLimitOfWaitingForWeights) {
  const auto server = NewServer([](ServerOptions* options) { options->weights_wait_ms = 300; });
  const Stubs stubs(server->address());
  const std::string feed = Open(stubs, RemoteSpec(), "run").feed_id();
  remote_.Stop();
  grpc::Status status;
  GetBatch(stubs, feed, 0, &status);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(),
              AllOf(HasSubstr("guess model far does not answer at kserve://" + remote_.address()),
                    HasSubstr("--weights-wait-ms")));
}

TEST_F(KserveServerTest, AModelThatPretendsToBeBackDoesNotHoldAStreamForEver) {
  const auto server = NewServer([](ServerOptions* options) { options->weights_wait_ms = 300; });
  const Stubs stubs(server->address());
  const std::string feed = Open(stubs, RemoteSpec(), "run").feed_id();
  // Every probe finds it well, and every guess fails.
  remote_.Change([](auto* behaviour) {
    behaviour->failures.assign(100'000, grpc::Status(StatusCode::UNAVAILABLE, "overloaded"));
  });
  grpc::Status status;
  GetBatch(stubs, feed, 0, &status);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("UNAVAILABLE: overloaded"));
}

TEST_F(KserveServerTest, AnErrorOfTheModelItselfIsTheConsumers) {
  const auto server = NewServer();
  const Stubs stubs(server->address());
  const std::string feed = Open(stubs, RemoteSpec(), "run").feed_id();
  remote_.Change([](auto* behaviour) {
    behaviour->failures.assign(1, grpc::Status(StatusCode::INTERNAL, "division by zero"));
  });
  grpc::Status status;
  GetBatch(stubs, feed, 0, &status);
  EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("division by zero"));
  EXPECT_TRUE(GetBatch(stubs, feed, 0).has_header());
}

}  // namespace
}  // namespace mixfeed::testing
