#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "augment/weights/state_dict.h"
#include "tests/augment/guess/archives.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/eventually.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;

constexpr int kClasses = 10;

// Pushes `chunks` in this order to version 0 of the model, as what should be `weights`.
grpc::Status PushChunks(const Stubs& stubs, const std::string& model, const std::string& weights,
                        const std::vector<std::string>& chunks) {
  v1::PushWeightsHeader header;
  header.set_model(model);
  header.set_update(1);
  header.set_weights_bytes(weights.size());
  header.set_digest(DigestOf(weights));
  return Push(stubs, header, chunks);
}

class PushWeightsTest : public ::testing::Test {
 protected:
  // Of the only model.
  int Versions() {
    const auto response =
        Call(stubs_.models.get(), &v1::ModelService::Stub::ListModels, v1::ListModelsRequest());
    return response.models(0).versions_size();
  }

  const TestServer server_{[](ServerOptions* options) { options->max_archive_bytes = 4 << 20; }};
  const Stubs stubs_{server_.address()};
};

TEST_F(PushWeightsTest, PushedChunksThatAreMissingOrInAnotherOrderChangeNothing) {
  const LinearNetwork network = MakeLinearNetwork(kClasses, 3, 1);
  Register(stubs_, ModelHeader("pushed"), LinearArchive(network));
  const std::string weights = LinearWeights(MakeLinearNetwork(kClasses, 3, 2));
  const std::string head = weights.substr(0, 100);
  const std::string middle = weights.substr(100, 100);
  const std::string tail = weights.substr(200);
  const auto push = [&](const std::vector<std::string>& chunks) {
    return PushChunks(stubs_, "pushed", weights, chunks);
  };
  constexpr auto kInvalid = StatusCode::INVALID_ARGUMENT;
  ExpectStatus(push({head, tail, middle}), kInvalid, "header.digest is");
  ExpectStatus(push({head, head, tail}), kInvalid, "header.digest is");
  ExpectStatus(push({head, middle}), kInvalid, "but the chunks have 200 bytes");
  ExpectStatus(push({head, middle, tail, head}), kInvalid, "the chunks have more than");
  ExpectStatus(push({}), kInvalid, "but the chunks have 0 bytes");
  EXPECT_EQ(Versions(), 1);
  const grpc::Status pushed = push({head, middle, tail});
  EXPECT_TRUE(pushed.ok()) << pushed.error_message();
  EXPECT_EQ(Versions(), 2);
}

TEST_F(PushWeightsTest, APushOfMoreBytesThanAllowedIsRefusedByItsHeader) {
  Register(stubs_, ModelHeader("large"), GoodArchive(kClasses));
  ExpectStatus(PushChunks(stubs_, "large", std::string((4 << 20) + 1, 'x'), {}),
               StatusCode::INVALID_ARGUMENT,
               "header.weights_bytes is 4194305; allowed: at most 4194304 (--max-archive-bytes)");
}

TEST_F(PushWeightsTest, OfFivePushesThatAreUnderWayOneIsRefused) {
  constexpr size_t kPushes = 5;
  const std::string weights = LinearWeights(MakeLinearNetwork(kClasses));
  Register(stubs_, ModelHeader("busy"), GoodArchive(kClasses));
  std::array<grpc::ClientContext, kPushes> contexts;
  std::array<grpc::Status, kPushes> ends;
  std::atomic<int> ended = 0;
  std::vector<std::thread> pushes;
  for (size_t i = 0; i < kPushes; ++i) {
    pushes.emplace_back([&, i] {
      SetLimit(&contexts[i]);
      v1::PushWeightsResponse response;
      const auto writer = stubs_.models->PushWeights(&contexts[i], &response);
      v1::PushWeightsRequest request;
      request.mutable_header()->set_model("busy");
      request.mutable_header()->set_weights_bytes(weights.size());
      writer->Write(request);
      ends[i] = writer->Finish();  // the others wait for their chunks
      ++ended;
    });
  }
  EXPECT_TRUE(Eventually([&] { return ended > 0; }));
  for (grpc::ClientContext& context : contexts) context.TryCancel();
  for (std::thread& push : pushes) push.join();
  int refused = 0;
  for (const grpc::Status& end : ends) {
    if (end.error_code() == StatusCode::CANCELLED) continue;
    ExpectStatus(end, StatusCode::RESOURCE_EXHAUSTED, "4 pushes are under way already");
    ++refused;
  }
  EXPECT_EQ(refused, 1);
  // Those that were given up give their places back.
  EXPECT_TRUE(Eventually([&] { return PushChunks(stubs_, "busy", weights, {weights}).ok(); }));
}

// Of a push that ends with its header, which says how often the trainer pushes.
grpc::Status Declare(const Stubs& stubs, uint32_t push_every, const std::string& model) {
  v1::PushWeightsHeader header;
  header.set_model(model);
  header.set_update(1);
  header.set_push_every(push_every);
  return Push(stubs, header, {});
}

TEST(FeedsModelTest, IsTheOneThatHasGuessedWhereTheSpecNamesNone) {
  const TestServer server([](ServerOptions* options) { options->models = {"a=resnet-small"}; });
  const Stubs stubs(server.address());
  v1::FeedSpec spec = TinySpec("mixmatch");
  spec.mutable_recipe()->mutable_guess()->set_policy(v1::Guess::LOCKSTEP);
  const std::string feed = Open(stubs, spec).feed_id();
  EXPECT_EQ(GetBatch(stubs, feed, 0).header().guess().model(), "a");
  Register(stubs, ModelHeader("b", "resnet-small"), "");
  // Also of two models it measures the one that has guessed.
  v1::MeasureForwardRequest measure;
  measure.set_feed_id(feed);
  measure.set_duration_ms(1);
  Call(stubs.inspect.get(), &v1::InspectService::Stub::MeasureForward, measure);
  ExpectStatus(Declare(stubs, 2, "a"), StatusCode::FAILED_PRECONDITION,
               "header.push_every is 2, but feed " + feed);
  ExpectStatus(Declare(stubs, 2, "b"), StatusCode::INVALID_ARGUMENT, "header.digest");
}

TEST(PushIntervalTest, IsNotRefusedForAFeedThatNobodyUsesSinceARestart) {
  TestServer server([](ServerOptions* options) { options->models = {"a=resnet-small"}; });
  v1::FeedSpec spec = TinySpec("mixmatch");
  spec.mutable_recipe()->mutable_guess()->set_policy(v1::Guess::LOCKSTEP);
  const std::string feed = Open(Stubs(server.address()), spec, "run").feed_id();
  const auto expect_refusal = [&] {
    ExpectStatus(Declare(Stubs(server.address()), 2, "a"), StatusCode::FAILED_PRECONDITION,
                 "header.push_every is 2, but feed " + feed);
  };
  const auto expect_no_refusal = [&] {
    ExpectStatus(Declare(Stubs(server.address()), 2, "a"), StatusCode::INVALID_ARGUMENT,
                 "header.digest");
  };
  expect_refusal();
  server.Restart();
  expect_no_refusal();
  Open(Stubs(server.address()), spec, "run");
  expect_refusal();
  server.Restart();
  expect_no_refusal();
  GetBatch(Stubs(server.address()), feed, 0);
  expect_refusal();
}

}  // namespace
}  // namespace mixfeed
