#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/augment/guess/archives.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/server/rpc/trial_gate.h"
#include "tests/testing/cifar_files.h"
#include "tests/testing/eventually.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;

constexpr int kClasses = 10;
constexpr int64_t kLongDrainMs = 60'000;

// Calls a unary method by name with the bytes of a message: for services without stubs here.
std::string CallByName(const Stubs& stubs, const std::string& method, const std::string& request,
                       grpc::Status* status) {
  grpc::GenericStub stub(stubs.channel);
  grpc::ClientContext context;
  SetLimit(&context);
  grpc::CompletionQueue queue;
  const grpc::Slice slice(request);
  const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  call->Finish(&response, status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  grpc::Slice bytes;
  if (!response.Valid() || !response.DumpToSingleSlice(&bytes).ok()) return "";
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

// grpc.health.v1.HealthCheckResponse.status; 1 SERVING, 2 NOT_SERVING.
int Health(const Stubs& stubs) {
  grpc::Status status;
  const std::string response = CallByName(stubs, "/grpc.health.v1.Health/Check", "", &status);
  return status.ok() && response.size() == 2 ? response[1] : -1;
}

TEST(LifecycleTest, HealthIsServing) {
  TestServer server;
  EXPECT_EQ(Health(Stubs(server.address())), 1);
}

TEST(LifecycleTest, ReflectionListsTheServices) {
  TestServer server;
  const Stubs stubs(server.address());
  grpc::GenericStub stub(stubs.channel);
  grpc::ClientContext context;
  SetLimit(&context);
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  const auto call = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  const grpc::Slice list_services(std::string("\x3a\x01*", 3));  // field 7, a string
  call->Write(grpc::ByteBuffer(&list_services, 1), nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::ByteBuffer response;
  call->Read(&response, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::Slice bytes;
  ASSERT_TRUE(response.DumpToSingleSlice(&bytes).ok());
  const std::string names(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  for (const char* name : {"mixfeed.v1.FeedService", "mixfeed.v1.ModelService",
                           "mixfeed.v1.InspectService", "grpc.health.v1.Health"}) {
    EXPECT_THAT(names, ::testing::HasSubstr(name));
  }
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
}

TEST(LifecycleTest, DrainingServerIsNotServingAndRefusesNewWork) {
  TestServer server;
  const Stubs stubs(server.address());
  const std::string id = Open(stubs, TinySpec("mixup")).feed_id();
  StreamCall running(stubs, StreamOf(id, 1));
  v1::Batch batch;
  ASSERT_TRUE(running.Read(&batch));
  std::thread stopping([&] { server.server()->Shutdown(kLongDrainMs); });
  EXPECT_TRUE(Eventually([&] { return Health(stubs) == 2; }));
  EXPECT_TRUE(Eventually([&] {
    grpc::Status status;
    GetBatch(stubs, id, 0, &status);
    return status.error_code() == StatusCode::UNAVAILABLE;
  }));
  StreamCall late(stubs, StreamOf(id, 1));
  EXPECT_EQ(late.Finish().error_code(), StatusCode::UNAVAILABLE);
  // The stream that runs goes on until it is done.
  ASSERT_TRUE(running.Grant(1));
  ASSERT_TRUE(running.Read(&batch));
  EXPECT_EQ(batch.header().step(), 1u);
  running.HalfClose();
  EXPECT_TRUE(running.Finish().ok());
  stopping.join();
}

TEST(LifecycleTest, StreamsLeftAtTheDrainsEndAreToldToComeBack) {
  TestServer server;
  const Stubs stubs(server.address());
  StreamCall stream(stubs, StreamOf(Open(stubs, TinySpec("mixup")).feed_id(), 1));
  v1::Batch batch;
  ASSERT_TRUE(stream.Read(&batch));
  server.server()->Shutdown(1);
  EXPECT_EQ(stream.Finish().error_code(), StatusCode::UNAVAILABLE);
}

TEST(LifecycleTest, CallsThatRunGoOnWhileTheServerDrains) {
  TrialGate gate;
  TestServer server([&](ServerOptions* options) { gate.Install(options); });
  const Stubs stubs(server.address());
  std::thread registering([&] { Register(stubs, ModelHeader("m"), GoodArchive(kClasses)); });
  gate.AwaitTrial();
  std::thread stopping([&] { server.server()->Shutdown(kLongDrainMs); });
  EXPECT_TRUE(Eventually([&] { return Health(stubs) != 1; }));
  gate.Open();
  registering.join();
  stopping.join();
}

TEST(LifecycleTest, ShutdownMayBeRepeated) {
  TestServer server;
  server.server()->Shutdown(0);
  server.server()->Shutdown(0);
}

TEST(LifecycleTest, ServerStopsUnderLoad) {
  TestServer server;
  const std::string id = Open(Stubs(server.address()), TinySpec("mixup")).feed_id();
  std::atomic<int> reading = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      const Stubs stubs(server.address());
      StreamCall stream(stubs, StreamOf(id, 16));
      v1::Batch batch;
      for (bool counted = false; stream.Read(&batch); counted = true) {
        if (!counted) ++reading;
        stream.Grant(1);
      }
      EXPECT_FALSE(stream.Finish().ok());
    });
  }
  EXPECT_TRUE(Eventually([&] { return reading == 4; }));
  server.Stop();
  for (std::thread& client : clients) client.join();
}

TEST(RestartTest, FeedsAreThereAgainWithTheSameBytes) {
  TestServer server;
  std::string id;
  std::string before;
  {
    const Stubs stubs(server.address());
    id = Open(stubs, TinySpec("mixup"), "r").feed_id();
    before = GetBatch(stubs, id, 7).SerializeAsString();
  }
  server.Restart();
  const Stubs stubs(server.address());
  EXPECT_EQ(GetBatch(stubs, id, 7).SerializeAsString(), before);
  const auto feeds =
      Call(stubs.inspect.get(), &v1::InspectService::Stub::ListFeeds, v1::ListFeedsRequest());
  ASSERT_EQ(feeds.feeds_size(), 1);
  EXPECT_EQ(feeds.feeds(0).run(), "r");
}

TEST(RestartTest, ClosedFeedsStayClosed) {
  TestServer server;
  v1::CloseFeedRequest request;
  {
    const Stubs stubs(server.address());
    request.set_feed_id(Open(stubs, TinySpec("mixup")).feed_id());
    Call(stubs.feeds.get(), &v1::FeedService::Stub::CloseFeed, request);
  }
  server.Restart();
  grpc::Status status;
  GetBatch(Stubs(server.address()), request.feed_id(), 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
}

TEST(RestartTest, NoMoreFeedsAreRestoredThanMayBeOpen) {
  TestServer server;
  {
    const Stubs stubs(server.address());
    for (const char* run : {"1", "2", "3"}) Open(stubs, TinySpec("mixup"), run);
  }
  server.options()->max_feeds = 2;
  server.Restart();
  const Stubs stubs(server.address());
  const auto feeds =
      Call(stubs.inspect.get(), &v1::InspectService::Stub::ListFeeds, v1::ListFeedsRequest());
  ASSERT_EQ(feeds.feeds_size(), 2);
  EXPECT_EQ(feeds.feeds(0).run(), "2");
  EXPECT_EQ(feeds.feeds(1).run(), "3");
}

TEST(RestartTest, ModelsAndGuessesAreThereAgain) {
  TestServer server;
  std::string id;
  std::string before;
  {
    const Stubs stubs(server.address());
    Register(stubs, ModelHeader("m"), GoodArchive(kClasses));
    Register(stubs, ModelHeader("m"), GoodArchive(kClasses));
    id = Open(stubs, TinySpec("mixmatch"), "r").feed_id();
    before = GetBatch(stubs, id, 0).SerializeAsString();
  }
  server.options()->guess_threads = 2;  // another environment, which a journalled guess outlives
  server.Restart();
  const Stubs stubs(server.address());
  EXPECT_EQ(GetBatch(stubs, id, 0).SerializeAsString(), before);
  const v1::GetServerInfoResponse info = Info(stubs);
  ASSERT_EQ(info.models_size(), 1);
  EXPECT_EQ(info.models(0).version(), 1u);
  EXPECT_EQ(GetBatch(stubs, id, 1).header().guess().version(), 1u);
  EXPECT_EQ(Register(stubs, ModelHeader("m"), GoodArchive(kClasses)).model().version(), 2u);
}

TEST(RestartTest, FeedWhoseDatasetIsGoneIsSkippedAndComesBackWithIt) {
  TestServer server;
  const std::string id = Open(Stubs(server.address()), TinySpec("mixup")).feed_id();
  const std::vector<std::string> data = server.options()->data;
  server.options()->data = {"other=" + server.data_dir()};
  server.Restart();
  grpc::Status status;
  GetBatch(Stubs(server.address()), id, 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
  server.options()->data = data;
  server.Restart();
  GetBatch(Stubs(server.address()), id, 0);
}

TEST(RestartTest, FeedWhoseDatasetChangedIsSkipped) {
  TestServer server;
  const std::string id = Open(Stubs(server.address()), TinySpec("mixup")).feed_id();
  Dataset changed = server.dataset();
  changed.train.pixels[0] = static_cast<uint8_t>(changed.train.pixels[0] + 1);
  WriteCifar10(server.data_dir(), changed);
  server.Restart();
  grpc::Status status;
  GetBatch(Stubs(server.address()), id, 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
}

ServerOptions OptionsOf(TestServer* server) {
  ServerOptions options = *server->options();
  options.listen = "127.0.0.1:0";
  return options;
}

void ExpectNoStart(const ServerOptions& options, absl::StatusCode code, const std::string& text) {
  const absl::Status status = Server::Start(options).status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(text));
}

TEST(StartTest, WhatCannotWorkIsTold) {
  TestServer running;
  ServerOptions options = OptionsOf(&running);
  ExpectNoStart(options, absl::StatusCode::kFailedPrecondition, "another mixfeed-server uses it");
  options.state_dir = "/proc/no/such";
  ExpectNoStart(options, absl::StatusCode::kFailedPrecondition, "--state-dir /proc/no/such");
  options.state_dir.clear();
  ServerOptions bad = options;
  bad.listen = running.address();
  ExpectNoStart(bad, absl::StatusCode::kFailedPrecondition, "--listen " + running.address());
  bad = options;
  bad.data = {"/no/such"};
  ExpectNoStart(bad, absl::StatusCode::kFailedPrecondition, "no dataset can be used: /no/such");
  bad.data = {};
  ExpectNoStart(bad, absl::StatusCode::kFailedPrecondition, "--data");
  bad = options;
  bad.data.push_back(bad.data[0]);
  ExpectNoStart(bad, absl::StatusCode::kInvalidArgument, "the name \"tiny\" is taken");
  bad = options;
  bad.models = {"m=/no/such.pt"};
  ExpectNoStart(bad, absl::StatusCode::kNotFound, "/no/such.pt");
  bad = options;
  bad.models = {"bad name=resnet-small"};
  ExpectNoStart(bad, absl::StatusCode::kInvalidArgument, "--model bad name=resnet-small: ");
  bad = options;
  bad.store = "redis://127.0.0.1:1";
  ExpectNoStart(bad, absl::StatusCode::kUnavailable, "redis 127.0.0.1:1");
  bad = options;
  bad.device = "tpu";
  ExpectNoStart(bad, absl::StatusCode::kInvalidArgument, "--device is \"tpu\"");
  bad = options;
  bad.threads = -3;
  ExpectNoStart(bad, absl::StatusCode::kInvalidArgument, "--threads is -3");
}

TEST(StartTest, SmallestPrefetchIsEnough) {
  for (const int most : {1, 3}) {
    TestServer server([most](ServerOptions* options) { options->max_prefetch = most; });
    const Stubs stubs(server.address());
    StreamCall stream(stubs, StreamOf(Open(stubs, TinySpec("mixup")).feed_id()));
    v1::Batch batch;
    EXPECT_TRUE(stream.Read(&batch)) << most;
    stream.Cancel();
  }
}

TEST(StartTest, WithoutAStateDirectoryNothingIsKept) {
  TestServer kept;
  ServerOptions options = OptionsOf(&kept);
  options.state_dir.clear();
  std::string id;
  {
    const auto server = Server::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    id = Open(Stubs((*server)->address()), TinySpec("mixup")).feed_id();
  }
  const auto server = Server::Start(options);
  grpc::Status status;
  GetBatch(Stubs((*server)->address()), id, 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
}

TEST(StartTest, AutoDeviceFallsBackToTheCpuAndSaysSo) {
  TestServer server([](ServerOptions* options) { options->device = "auto"; });
  const std::string device = Info(Stubs(server.address())).device();
  EXPECT_THAT(device, ::testing::AnyOf(::testing::StartsWith("cuda:0"),
                                       ::testing::HasSubstr("auto: no usable CUDA device")));
}

}  // namespace
}  // namespace mixfeed
