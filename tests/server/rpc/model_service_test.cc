#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "augment/guess/torch_runtime.h"
#include "tests/augment/guess/archives.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/server/rpc/trial_gate.h"
#include "tests/testing/eventually.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;

constexpr int kClasses = 10;

class ModelServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new TestServer([](ServerOptions* options) { options->max_archive_bytes = 4 << 20; });
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  std::vector<v1::Model> Models() {
    const auto response =
        Call(stubs_.models.get(), &v1::ModelService::Stub::ListModels, v1::ListModelsRequest());
    return {response.models().begin(), response.models().end()};
  }
  const v1::Model* Find(const std::vector<v1::Model>& models, const std::string& name) {
    for (const v1::Model& model : models) {
      if (model.name() == name) return &model;
    }
    return nullptr;
  }

  static TestServer* server_;
  const Stubs stubs_{server_->address()};
};
TestServer* ModelServiceTest::server_ = nullptr;

TEST_F(ModelServiceTest, RegisteredArchiveIsListedWithWhatTheServerFilledIn) {
  const std::string archive = GoodArchive(kClasses);
  v1::RegisterModelHeader header = ModelHeader("good");
  header.set_update(41);
  const v1::Model model = Register(stubs_, header, archive, nullptr, 1000).model();
  EXPECT_EQ(model.name(), "good");
  EXPECT_EQ(model.version(), 0u);
  EXPECT_EQ(model.kind(), "torchscript");
  EXPECT_EQ(model.classes(), 10u);
  EXPECT_EQ(model.image().height(), 32u);
  EXPECT_EQ(model.update(), 41u);
  EXPECT_EQ(model.archive_bytes(), archive.size());
  EXPECT_EQ(model.digest().size(), 32u);
  EXPECT_TRUE(model.batch_statistics());
  const std::vector<v1::Model> models = Models();
  ASSERT_NE(Find(models, "good"), nullptr);
  EXPECT_EQ(Find(models, "good")->digest(), model.digest());
}

TEST_F(ModelServiceTest, VersionsCountRegistrationsUnderTheName) {
  EXPECT_EQ(Register(stubs_, ModelHeader("counted"), GoodArchive(kClasses)).model().version(), 0u);
  EXPECT_EQ(Register(stubs_, ModelHeader("counted"), GoodArchive(kClasses)).model().version(), 1u);
  EXPECT_EQ(Register(stubs_, ModelHeader("other"), GoodArchive(kClasses)).model().version(), 0u);
}

TEST_F(ModelServiceTest, BuiltInNetworkNeedsNoArchive) {
  const v1::Model model = Register(stubs_, ModelHeader("small", "resnet-small"), "").model();
  EXPECT_EQ(model.kind(), "resnet-small");
  EXPECT_EQ(model.archive_bytes(), 0u);
}

TEST_F(ModelServiceTest, RefusedModelLeavesTheNameAsItWas) {
  Register(stubs_, ModelHeader("kept"), GoodArchive(kClasses));
  grpc::Status status;
  Register(stubs_, ModelHeader("kept"), "no archive at all", &status);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(Find(Models(), "kept")->version(), 0u);
}

TEST_F(ModelServiceTest, UnfitArchivesAreRefusedWithTheReason) {
  constexpr auto kWrong = StatusCode::INVALID_ARGUMENT;
  constexpr auto kNotAble = StatusCode::FAILED_PRECONDITION;
  struct Bad {
    std::string archive;
    StatusCode code;
    const char* reason;
  };
  const Bad bad[] = {
      {"PK but no archive", kWrong, "zip"},
      {FrozenArchive(kClasses), kNotAble, "torch.jit.freeze"},
      {EvalTracedArchive(kClasses), kNotAble, "traced in eval mode"},
      {NanArchive(kClasses), kWrong, "not finite"},
      {WrongClassesArchive(kClasses), kWrong, "wanted are floating point logits [6, 10]"},
      {ThrowingArchive(), kWrong, "the model says no"},
  };
  for (const Bad& model : bad) {
    grpc::Status status;
    Register(stubs_, ModelHeader("bad"), model.archive, &status);
    ExpectStatus(status, model.code, model.reason);
  }
  EXPECT_EQ(Find(Models(), "bad"), nullptr);
}

TEST_F(ModelServiceTest, HeaderIsRefusedWithTheField) {
  grpc::Status status;
  Register(stubs_, ModelHeader("a b"), GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "header.name is \"a b\"");
  Register(stubs_, ModelHeader(""), GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "header.name is \"\"");
  Register(stubs_, ModelHeader("n", "vgg"), "", &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT,
               "header.kind is \"vgg\"; allowed: torchscript, ");
  Register(stubs_, ModelHeader("n"), "", &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "header.archive_bytes is 0");
  v1::RegisterModelHeader header = ModelHeader("n");
  header.set_classes(1);
  Register(stubs_, header, GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "header.classes is 1");
  header = ModelHeader("n");
  header.mutable_image()->set_channels(5);
  Register(stubs_, header, GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "header.image.channels is 5");
  header = ModelHeader("n");
  header.mutable_image()->set_channels(3);
  header.mutable_image()->set_height(257);
  Register(stubs_, header, GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "header.image.height is 257; allowed: 1..256");
  header = ModelHeader("n");
  header.set_update(uint64_t{1} << 63);
  Register(stubs_, header, GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "header.update is 9223372036854775808");
  header = ModelHeader("n");
  header.mutable_normalisation()->set_name("cifar");
  Register(stubs_, header, GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "header.normalisation.name");
}

// One call with exactly these messages.
grpc::Status RegisterWith(const Stubs& stubs,
                          const std::vector<v1::RegisterModelRequest>& messages) {
  grpc::ClientContext context;
  SetLimit(&context);
  v1::RegisterModelResponse response;
  const auto writer = stubs.models->RegisterModel(&context, &response);
  for (const v1::RegisterModelRequest& message : messages) {
    if (!writer->Write(message)) break;
  }
  writer->WritesDone();
  return writer->Finish();
}

v1::RegisterModelRequest HeaderMessage(uint64_t archive_bytes) {
  v1::RegisterModelRequest message;
  *message.mutable_header() = ModelHeader("chunks");
  message.mutable_header()->set_archive_bytes(archive_bytes);
  return message;
}

v1::RegisterModelRequest ChunkMessage(size_t bytes) {
  v1::RegisterModelRequest message;
  message.set_chunk(std::string(bytes, 'x'));
  return message;
}

TEST_F(ModelServiceTest, ChunksOutOfOrderAreRefused) {
  constexpr auto kInvalid = StatusCode::INVALID_ARGUMENT;
  ExpectStatus(RegisterWith(stubs_, {}), kInvalid,
               "the call ended without a message; allowed: a header, then");
  ExpectStatus(RegisterWith(stubs_, {ChunkMessage(3)}), kInvalid,
               "kind is chunk; allowed: header, as the first message");
  ExpectStatus(RegisterWith(stubs_, {v1::RegisterModelRequest()}), kInvalid,
               "kind is not set; allowed: header");
  ExpectStatus(RegisterWith(stubs_, {HeaderMessage(3), HeaderMessage(3)}), kInvalid,
               "kind is header; allowed: chunk, after the first message");
  ExpectStatus(RegisterWith(stubs_, {HeaderMessage(3), v1::RegisterModelRequest()}), kInvalid,
               "kind is not set; allowed: chunk");
}

TEST_F(ModelServiceTest, ArchivesOfAnotherLengthThanDeclaredAreRefused) {
  constexpr auto kInvalid = StatusCode::INVALID_ARGUMENT;
  ExpectStatus(RegisterWith(stubs_, {HeaderMessage(5), ChunkMessage(6)}), kInvalid,
               "more than the 5 bytes");
  ExpectStatus(RegisterWith(stubs_, {HeaderMessage(5), ChunkMessage(4)}), kInvalid,
               "header.archive_bytes is 5, but the chunks have 4 bytes");
  ExpectStatus(RegisterWith(stubs_, {HeaderMessage((4 << 20) + 1)}), kInvalid,
               "--max-archive-bytes");
  ExpectStatus(RegisterWith(stubs_, {HeaderMessage(2 << 20), ChunkMessage((1 << 20) + 1)}),
               kInvalid, "chunk has 1048577 bytes; allowed: at most 1048576");
}

bool HasChildProcess() {
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// Registers nothing, but takes a place for a moment.
StatusCode Probe(const Stubs& stubs) { return RegisterWith(stubs, {ChunkMessage(3)}).error_code(); }

TEST_F(ModelServiceTest, CancelledRegistrationLeavesNothingBehind) {
  for (int i = 0; i < 5; ++i) {
    grpc::ClientContext context;
    v1::RegisterModelResponse response;
    const auto writer = stubs_.models->RegisterModel(&context, &response);
    writer->Write(HeaderMessage(100));
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), StatusCode::CANCELLED);
    // There are two places: of those before at most one is taken then.
    EXPECT_TRUE(Eventually([&] { return Probe(stubs_) == StatusCode::INVALID_ARGUMENT; }));
  }
}

TEST_F(ModelServiceTest, PlaceIsFreeBeforeTheClientHasItsAnswer) {
  const auto register_on_and_on = [] {
    const Stubs stubs(server_->address());
    for (int i = 0; i < 200; ++i) EXPECT_EQ(Probe(stubs), StatusCode::INVALID_ARGUMENT);
  };
  std::thread other(register_on_and_on);
  register_on_and_on();
  other.join();
}

TEST(ModelRegistrationTest, OnlySoManyRegistrationsAtOnce) {
  TrialGate gate;
  TestServer server([&](ServerOptions* options) { gate.Install(options); });
  const Stubs stubs(server.address());
  std::thread first([&] { Register(stubs, ModelHeader("a"), GoodArchive(kClasses)); });
  gate.AwaitTrial();
  // Has the other place sooner or later: a probe may be in its way at first.
  std::thread second([&] {
    grpc::Status status;
    EXPECT_TRUE(Eventually([&] {
      Register(stubs, ModelHeader("b"), GoodArchive(kClasses), &status);
      return status.error_code() != StatusCode::RESOURCE_EXHAUSTED;
    }));
    EXPECT_TRUE(status.ok()) << status.error_message();
  });
  EXPECT_TRUE(Eventually([&] { return Probe(stubs) == StatusCode::RESOURCE_EXHAUSTED; }));
  gate.Open();
  first.join();
  second.join();
  EXPECT_EQ(Probe(stubs), StatusCode::INVALID_ARGUMENT);  // the refused ones took no place
}

TEST(ModelRegistrationTest, ModelWhoseClientCancelledInItsTrialIsNotRegistered) {
  TrialGate gate;
  TestServer server([&](ServerOptions* options) { gate.Install(options); });
  const Stubs stubs(server.address());
  grpc::ClientContext context;
  v1::RegisterModelResponse response;
  const auto writer = stubs.models->RegisterModel(&context, &response);
  v1::RegisterModelRequest message;
  *message.mutable_header() = ModelHeader("gone", "resnet-small");
  writer->Write(message);
  writer->WritesDone();
  gate.AwaitTrial();
  context.TryCancel();
  EXPECT_EQ(writer->Finish().error_code(), StatusCode::CANCELLED);
  EXPECT_TRUE(
      Eventually([] { return !HasChildProcess(); }));  // the trial was ended, not let through
  gate.Open();
  Register(stubs, ModelHeader("later"), GoodArchive(kClasses));  // one at a time: it is over
  const v1::GetServerInfoResponse info = Info(stubs);
  ASSERT_EQ(info.models_size(), 1);
  EXPECT_EQ(info.models(0).name(), "later");
}

TEST(ModelRegistrationTest, ClientThatSendsNothingIsEnded) {
  TestServer server([](ServerOptions* options) { options->idle_limit_ms = 1000; });
  const Stubs stubs(server.address());
  grpc::ClientContext context;
  SetLimit(&context);
  v1::RegisterModelResponse response;
  const auto writer = stubs.models->RegisterModel(&context, &response);
  writer->Write(HeaderMessage(100));
  ExpectStatus(writer->Finish(), StatusCode::DEADLINE_EXCEEDED, "sent nothing for 1000 ms");
}

TEST(ModelRegistrationTest, ArchivesMayBeLargerThanOneMessage) {
  ModelSource source;
  source.info.kind = "wrn-28-2";
  source.info.input = {3, 32, 32};
  const absl::StatusOr<std::string> weights = TorchRuntime(1).InitialWeights(source);
  ASSERT_TRUE(weights.ok()) << weights.status();
  ASSERT_GT(weights->size(), size_t{4} << 20);  // gRPC's limit of a message
  TestServer server;
  const v1::Model model =
      Register(Stubs(server.address()), ModelHeader("wide", "wrn-28-2"), *weights).model();
  EXPECT_EQ(model.archive_bytes(), weights->size());
}

TEST(ModelRegistrationTest, ShutdownStopsATrial) {
  const TempDir dir;
  const std::string program = dir.File("hangs");
  std::ofstream(program) << "#!/bin/sh\nexec sleep 7200\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  TestServer server([&](ServerOptions* options) {
    options->try_model_program = program;
    options->trial_deadline_ms = 7'200'000;
  });
  grpc::Status status;
  std::thread registering(
      [&] { Register(Stubs(server.address()), ModelHeader("m"), GoodArchive(kClasses), &status); });
  EXPECT_TRUE(Eventually(HasChildProcess));
  server.Stop();
  EXPECT_FALSE(HasChildProcess());
  registering.join();
  EXPECT_FALSE(status.ok()) << "registered";
}

TEST(ModelRegistrationTest, TrialsHaveADeadline) {
  TestServer server(TestServerSpec{.real_trial = true, .adjust = [](ServerOptions* options) {
                                     options->trial_deadline_ms = 1;
                                   }});
  grpc::Status status;
  Register(Stubs(server.address()), ModelHeader("m"), GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::DEADLINE_EXCEEDED, "longer than 1 ms");
}

TEST(ModelRegistrationTest, ModelsAreTriedInAChildProcessFirst) {
  TestServer server(TestServerSpec{.real_trial = true});
  const Stubs stubs(server.address());
  grpc::Status status;
  Register(stubs, ModelHeader("bad"), ThrowingArchive(), &status);
  EXPECT_THAT(status.error_message(), ::testing::HasSubstr("the model says no"));
  Register(stubs, ModelHeader("good"), GoodArchive(kClasses));
}

TEST(ModelRegistrationTest, MissingTrialProgramIsTold) {
  TestServer server([](ServerOptions* options) { options->try_model_program = "/no/such"; });
  grpc::Status status;
  Register(Stubs(server.address()), ModelHeader("m"), GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::FAILED_PRECONDITION, "/no/such");
}

TEST(ModelRegistrationTest, IsOffOnAPublicAddressUnlessAllowed) {
  const auto listen_openly = [](ServerOptions* options) {
    options->listen = "0.0.0.0:0";
    options->insecure = true;
  };
  TestServer server(listen_openly);
  const Stubs stubs("127.0.0.1:" + std::to_string(server.server()->port()));
  grpc::Status status;
  Register(stubs, ModelHeader("m"), GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::PERMISSION_DENIED, "--allow-register");

  TestServer open([&](ServerOptions* options) {
    listen_openly(options);
    options->allow_register = true;
  });
  Register(Stubs("127.0.0.1:" + std::to_string(open.server()->port())), ModelHeader("m"),
           GoodArchive(kClasses));
}

TEST(ModelRegistrationTest, DatasetsOfDifferentKindsNeedAHeaderThatSaysForWhich) {
  const TempDir photos;  // one 2 x 2 image in each of two folders
  for (const std::string& label : {photos.File("cat"), photos.File("dog")}) {
    std::filesystem::create_directory(label);
    std::ofstream(label + "/1.ppm", std::ios::binary) << "P6 2 2 255\n" << std::string(12, 'x');
  }
  TestServer server([&](ServerOptions* options) {
    options->data.push_back("photos=" + photos.path() + "?size=16");
  });
  const Stubs stubs(server.address());
  grpc::Status status;
  Register(stubs, ModelHeader("m"), GoodArchive(kClasses), &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "classes and image must be set");
  v1::RegisterModelHeader header = ModelHeader("m");
  header.set_classes(kClasses);
  header.mutable_image()->set_channels(3);
  header.mutable_image()->set_height(32);
  header.mutable_image()->set_width(32);
  Register(stubs, header, GoodArchive(kClasses));
}

TEST(GuessingTest, MixMatchBatchesNameTheModelThatGuessed) {
  TestServer server;
  const Stubs stubs(server.address());
  const std::string id = Open(stubs, TinySpec("mixmatch"), "r").feed_id();
  Register(stubs, ModelHeader("good"), GoodArchive(kClasses));
  const v1::Batch batch = GetBatch(stubs, id, 0);
  EXPECT_EQ(batch.header().rows(), 24u);
  EXPECT_EQ(batch.header().guess().model(), "good");
  EXPECT_EQ(batch.header().guess().version(), 0u);
  EXPECT_FALSE(batch.header().guess().environment().empty());
}

TEST(GuessingTest, JournalledStepsStayAsTheyAreWhenANewVersionIsRegistered) {
  TestServer server;
  const Stubs stubs(server.address());
  const std::string id = Open(stubs, TinySpec("mixmatch"), "r").feed_id();
  Register(stubs, ModelHeader("m"), LinearArchive(MakeLinearNetwork(kClasses, 3, 1)));
  const std::string before = GetBatch(stubs, id, 0).SerializeAsString();
  Register(stubs, ModelHeader("m"), LinearArchive(MakeLinearNetwork(kClasses, 3, 2)));
  EXPECT_EQ(GetBatch(stubs, id, 0).SerializeAsString(), before);
  EXPECT_EQ(GetBatch(stubs, id, 1).header().guess().version(), 1u);
}

TEST(GuessingTest, SeveralModelsNeedAName) {
  TestServer server;
  const Stubs stubs(server.address());
  Register(stubs, ModelHeader("a"), GoodArchive(kClasses));
  Register(stubs, ModelHeader("b"), GoodArchive(kClasses));
  v1::FeedSpec spec = TinySpec("mixmatch");
  grpc::Status status;
  GetBatch(stubs, Open(stubs, spec).feed_id(), 0, &status);
  ExpectStatus(status, StatusCode::FAILED_PRECONDITION, "one of a, b");
  spec.mutable_recipe()->mutable_guess()->set_model("c");
  GetBatch(stubs, Open(stubs, spec).feed_id(), 0, &status);
  ExpectStatus(status, StatusCode::FAILED_PRECONDITION,
               "recipe.guess.model is \"c\", which is not registered; allowed: a, b");
  spec.mutable_recipe()->mutable_guess()->set_model("b");
  EXPECT_EQ(GetBatch(stubs, Open(stubs, spec).feed_id(), 0).header().guess().model(), "b");
}

TEST(ModelsAtStartTest, AreThereAndNotRegisteredAgainOnRestart) {
  TestServer server([](ServerOptions* options) { options->models = {"small=resnet-small"}; });
  EXPECT_EQ(Info(Stubs(server.address())).models(0).version(), 0u);
  server.Restart();
  EXPECT_EQ(Info(Stubs(server.address())).models(0).version(), 0u);
  EXPECT_EQ(Info(Stubs(server.address())).models_size(), 1);
}

}  // namespace
}  // namespace mixfeed
