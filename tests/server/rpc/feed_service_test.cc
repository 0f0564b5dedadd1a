#include <set>
#include <string>
#include <vector>

#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;

class FeedServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new TestServer; }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  static TestServer* server_;
  const Stubs stubs_{server_->address()};
};
TestServer* FeedServiceTest::server_ = nullptr;

TEST_F(FeedServiceTest, OpenFeedAnswersWithTheResolvedSpec) {
  const v1::OpenFeedResponse feed = Open(stubs_, TinySpec("mixmatch"), "r1");
  EXPECT_EQ(feed.run(), "r1");
  EXPECT_EQ(feed.feed_id().size(), 32u);
  EXPECT_EQ(feed.spec().dataset(), "tiny");
  EXPECT_EQ(feed.spec().recipe().views(), 2u);
  EXPECT_EQ(feed.rows(), 24u);
  EXPECT_EQ(feed.classes(), 10u);
  EXPECT_EQ(feed.image().height(), 32u);
  EXPECT_FALSE(feed.has_steps());
  EXPECT_EQ(feed.class_names_size(), 10);
  EXPECT_EQ(feed.labelled_images(), 50u);
  EXPECT_EQ(feed.unlabelled_images(), 450u);
  EXPECT_EQ(feed.validation_images(), 0u);
}

TEST_F(FeedServiceTest, SameSpecAndRunIsTheSameFeed) {
  const std::string id = Open(stubs_, TinySpec("mixup"), "r").feed_id();
  EXPECT_EQ(Open(stubs_, TinySpec("mixup"), "r").feed_id(), id);
  EXPECT_NE(Open(stubs_, TinySpec("mixup"), "s").feed_id(), id);
  EXPECT_NE(Open(stubs_, TinySpec("mixup", 16), "r").feed_id(), id);
}

TEST_F(FeedServiceTest, ResolvedSpecOpensTheSameFeed) {
  const v1::OpenFeedResponse feed = Open(stubs_, TinySpec("mixmatch"), "resolved");
  EXPECT_EQ(Open(stubs_, feed.spec(), "resolved").feed_id(), feed.feed_id());
}

TEST_F(FeedServiceTest, EveryOpeningWithoutARunStartsANewOne) {
  std::set<std::string> runs;
  for (int i = 0; i < 5; ++i) {
    const v1::OpenFeedResponse feed = Open(stubs_, TinySpec("mixup"));
    EXPECT_EQ(feed.run().size(), 16u);
    EXPECT_EQ(feed.run().find_first_not_of("0123456789abcdef"), std::string::npos);
    runs.insert(feed.run());
  }
  EXPECT_EQ(runs.size(), 5u);
}

TEST_F(FeedServiceTest, OrderedFeedTellsItsSteps) {
  EXPECT_EQ(Open(stubs_, TinySpec("eval", 8)).steps(), 7u);  // 50 test images
}

TEST_F(FeedServiceTest, OpenFeedRefusesWithTheField) {
  grpc::Status status;
  v1::FeedSpec spec = TinySpec("mixup", 0);
  Open(stubs_, spec, "", &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "batch is 0");
  spec = TinySpec("mixup");
  spec.set_dataset("huge");
  Open(stubs_, spec, "", &status);
  ExpectStatus(status, StatusCode::NOT_FOUND,
               "dataset \"huge\" is not known; this server has tiny");
  Open(stubs_, TinySpec("mixup"), "bad name", &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "run is \"bad name\"");
  Open(stubs_, TinySpec("mixup"), std::string(129, 'x'), &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "allowed: 1 to 128 characters");
  spec = TinySpec("mixmatch");
  spec.mutable_split()->set_labelled(100'000);
  Open(stubs_, spec, "", &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "labelled");
  spec = TinySpec("eval");
  spec.mutable_recipe()->set_ordered_pool(v1::VALIDATION);
  Open(stubs_, spec, "", &status);
  ExpectStatus(status, StatusCode::FAILED_PRECONDITION, "validation");
}

TEST_F(FeedServiceTest, GetBatchHasWhatTheHeaderSays) {
  const std::string id = Open(stubs_, TinySpec("mixup")).feed_id();
  const v1::Batch batch = GetBatch(stubs_, id, 3);
  EXPECT_EQ(batch.header().feed_id(), id);
  EXPECT_EQ(batch.header().step(), 3u);
  EXPECT_EQ(batch.header().rows(), 8u);
  EXPECT_EQ(batch.header().sample_size(), 8);
  EXPECT_EQ(batch.header().type(), v1::UINT8);
  EXPECT_EQ(batch.header().layout(), v1::NCHW);
  EXPECT_EQ(batch.pixels().size(), 8u * 3 * 32 * 32);
  EXPECT_EQ(batch.targets().size(), 8u * 10 * sizeof(float));
}

TEST_F(FeedServiceTest, EvalBatchIsTheDatasetsOwnBytes) {
  const std::string id = Open(stubs_, TinySpec("eval")).feed_id();
  const v1::Batch batch = GetBatch(stubs_, id, 0);
  const auto& pixels = server_->dataset().test.pixels;
  EXPECT_EQ(batch.pixels(), std::string(pixels.begin(), pixels.begin() + 8 * 3 * 32 * 32));
  for (int r = 0; r < 8; ++r) {
    float target = 0;
    std::memcpy(&target, batch.targets().data() + (r * 10 + r) * 4, sizeof(target));
    EXPECT_EQ(target, 1.0f) << "row " << r;  // labels are 0, 1, 2, ... in turn
  }
}

TEST_F(FeedServiceTest, GetBatchIsIdempotentAndFollowsTheFormat) {
  const std::string id = Open(stubs_, TinySpec("mixup")).feed_id();
  EXPECT_EQ(GetBatch(stubs_, id, 5).SerializeAsString(),
            GetBatch(stubs_, id, 5).SerializeAsString());
  const v1::Batch floats = GetBatch(stubs_, id, 5, nullptr, [](v1::GetBatchRequest* request) {
    request->mutable_format()->set_type(v1::FLOAT32);
    request->mutable_format()->set_layout(v1::NHWC);
  });
  EXPECT_EQ(floats.header().type(), v1::FLOAT32);
  EXPECT_EQ(floats.header().layout(), v1::NHWC);
  EXPECT_EQ(floats.pixels().size(), 8u * 3 * 32 * 32 * 4);
}

TEST_F(FeedServiceTest, SharesAreTheirPartOfTheRows) {
  const std::string id = Open(stubs_, TinySpec("mixup")).feed_id();
  const v1::Batch whole = GetBatch(stubs_, id, 2);
  std::string pixels;
  for (uint32_t rank = 0; rank < 4; ++rank) {
    const v1::Batch part = GetBatch(stubs_, id, 2, nullptr, [rank](v1::GetBatchRequest* request) {
      request->mutable_share()->set_rank(rank);
      request->mutable_share()->set_world(4);
    });
    EXPECT_EQ(part.header().rows(), 2u);
    EXPECT_EQ(part.header().row(0), 2 * rank);
    pixels += part.pixels();
  }
  EXPECT_EQ(pixels, whole.pixels());
}

TEST_F(FeedServiceTest, GetBatchRefusesWithTheField) {
  const std::string id = Open(stubs_, TinySpec("eval")).feed_id();
  grpc::Status status;
  GetBatch(stubs_, "0123", 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND, "feed_id is \"0123\"");
  GetBatch(stubs_, id, 7, &status);
  ExpectStatus(status, StatusCode::OUT_OF_RANGE, "step");
  GetBatch(stubs_, id, ~uint64_t{0}, &status);
  ExpectStatus(status, StatusCode::OUT_OF_RANGE, "step is 18446744073709551615");
  GetBatch(stubs_, id, 0, &status, [](v1::GetBatchRequest* request) {
    request->mutable_format()->mutable_normalisation()->set_name("unit");
  });
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "uint8");
  GetBatch(stubs_, id, 0, &status,
           [](v1::GetBatchRequest* request) { request->mutable_share()->set_world(3); });
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "share.world is 3");
  GetBatch(stubs_, id, 0, &status, [](v1::GetBatchRequest* request) {
    request->mutable_share()->set_rank(2);
    request->mutable_share()->set_world(2);
  });
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "share.rank is 2");
}

TEST_F(FeedServiceTest, GuessWithoutAModelSaysHowToRegisterOne) {
  const std::string id = Open(stubs_, TinySpec("mixmatch")).feed_id();
  grpc::Status status;
  GetBatch(stubs_, id, 0, &status);
  ExpectStatus(status, StatusCode::FAILED_PRECONDITION, "mixfeed model register");
}

v1::Views GetViews(const Stubs& stubs, const std::string& feed_id, uint64_t step,
                   grpc::Status* status = nullptr) {
  v1::GetViewsRequest request;
  request.set_feed_id(feed_id);
  request.set_step(step);
  return Call(stubs.feeds.get(), &v1::FeedService::Stub::GetViews, request, status);
}

TEST_F(FeedServiceTest, ViewsNeedNoModelAndShowNoHiddenLabel) {
  const v1::OpenFeedResponse feed = Open(stubs_, TinySpec("mixmatch"));
  const v1::Views views = GetViews(stubs_, feed.feed_id(), 3);
  const v1::ViewsHeader& header = views.header();
  EXPECT_EQ(header.batch().step(), 3u);
  EXPECT_EQ(header.batch().rows(), 24u);
  EXPECT_FALSE(header.batch().has_guess());
  EXPECT_EQ(header.images(), 24u);
  EXPECT_EQ(feed.images(), 24u);
  EXPECT_EQ(header.type(), v1::UINT8);
  EXPECT_EQ(header.labelled_rows(), 8u);
  EXPECT_EQ(header.unlabelled_rows(), 8u);
  EXPECT_EQ(header.views(), 2u);
  EXPECT_EQ(header.temperature(), 0.5);
  EXPECT_EQ(views.pixels().size(), 24u * 3 * 32 * 32);
  const size_t hidden = 16 * 10 * sizeof(float);
  ASSERT_EQ(views.targets().size(), hidden + 8 * 10 * sizeof(float));
  EXPECT_EQ(views.targets().substr(views.targets().size() - hidden), std::string(hidden, '\0'));
}

TEST_F(FeedServiceTest, ViewsOfAnOrderedFeedAreTheDatasetsOwnBytes) {
  const v1::Views views = GetViews(stubs_, Open(stubs_, TinySpec("eval")).feed_id(), 0);
  const auto& pixels = server_->dataset().test.pixels;
  EXPECT_EQ(views.pixels(), std::string(pixels.begin(), pixels.begin() + 8 * 3 * 32 * 32));
  EXPECT_EQ(views.header().views(), 0u);
  EXPECT_EQ(views.header().temperature(), 0);
}

TEST_F(FeedServiceTest, ViewsHaveThePartnersFromOutsideOfTheBatch) {
  v1::FeedSpec spec = TinySpec("mixup");
  spec.mutable_recipe()->mutable_mix()->mutable_partner()->set_source(v1::Partner::LABELLED_POOL);
  const v1::OpenFeedResponse feed = Open(stubs_, spec);
  EXPECT_EQ(feed.rows(), 8u);
  EXPECT_EQ(feed.images(), 16u);
  const v1::Views views = GetViews(stubs_, feed.feed_id(), 0);
  EXPECT_EQ(views.header().images(), 16u);
  EXPECT_EQ(views.header().batch().rows(), 8u);
  for (int r = 0; r < 8; ++r) EXPECT_GE(views.header().batch().partner(r), 8u);
}

TEST_F(FeedServiceTest, GetViewsRefusesWithTheField) {
  grpc::Status status;
  GetViews(stubs_, "0123", 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND, "feed_id is \"0123\"");
  const std::string id = Open(stubs_, TinySpec("eval")).feed_id();
  GetViews(stubs_, id, 7, &status);
  ExpectStatus(status, StatusCode::OUT_OF_RANGE, "step");
  GetViews(stubs_, id, ~uint64_t{0}, &status);
  ExpectStatus(status, StatusCode::OUT_OF_RANGE, "step is 18446744073709551615");
}

TEST(FeedLimitsTest, ViewsThatNoSlotHoldsAreRefused) {
  TestServer server([](ServerOptions* options) { options->max_slot_bytes = 1 << 20; });
  const Stubs stubs(server.address());
  // 0.8 MB of batch, and as much again of partners.
  v1::FeedSpec spec = TinySpec("mixup", 256);
  spec.mutable_recipe()->mutable_mix()->mutable_partner()->set_source(v1::Partner::LABELLED_POOL);
  const std::string id = Open(stubs, spec).feed_id();
  EXPECT_EQ(GetBatch(stubs, id, 0).header().rows(), 256u);
  grpc::Status status;
  GetViews(stubs, id, 0, &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "--max-slot-bytes");
}

TEST_F(FeedServiceTest, ASecondForkOfARunIsRefusedWithItsNameAndStep) {
  v1::ForkRunRequest fork;
  fork.set_feed_id(Open(stubs_, TinySpec("mixup"), "trunk").feed_id());
  fork.set_run("branch");
  fork.set_step(3);
  const auto fork_run = [&](grpc::Status* status) {
    Call(stubs_.feeds.get(), &v1::FeedService::Stub::ForkRun, fork, status);
  };
  fork_run(nullptr);
  fork_run(nullptr);
  fork.set_step(4);
  grpc::Status status;
  fork_run(&status);
  ExpectStatus(status, StatusCode::ALREADY_EXISTS, "run is \"branch\" and step 4, but feed ");
  ExpectStatus(status, StatusCode::ALREADY_EXISTS, "allowed: a run without guesses");
}

TEST_F(FeedServiceTest, ClosedFeedIsUnknownUntilOpenedAgain) {
  const std::string id = Open(stubs_, TinySpec("mixup"), "closing").feed_id();
  v1::CloseFeedRequest request;
  request.set_feed_id(id);
  Call(stubs_.feeds.get(), &v1::FeedService::Stub::CloseFeed, request);
  grpc::Status status;
  GetBatch(stubs_, id, 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
  Call(stubs_.feeds.get(), &v1::FeedService::Stub::CloseFeed, request, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
  EXPECT_EQ(Open(stubs_, TinySpec("mixup"), "closing").feed_id(), id);
  EXPECT_EQ(GetBatch(stubs_, id, 0).header().rows(), 8u);
}

TEST(FeedLimitsTest, BatchThatNoMessageOrSlotHoldsIsRefusedWhenItsFeedIsOpened) {
  TestServer server([](ServerOptions* options) { options->max_slot_bytes = 1 << 20; });
  const Stubs stubs(server.address());
  grpc::Status status;
  v1::FeedSpec large = TinySpec("mixup", 4096);  // 12 MiB in uint8
  large.mutable_recipe()->set_labelled_sampling(v1::TILED);
  Open(stubs, large, "", &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "--max-slot-bytes");
  const std::string id = Open(stubs, TinySpec("mixup", 256)).feed_id();  // 0.8 MiB, 3 in float32
  EXPECT_EQ(GetBatch(stubs, id, 0).header().rows(), 256u);
  GetBatch(stubs, id, 0, &status,
           [](v1::GetBatchRequest* request) { request->mutable_format()->set_type(v1::FLOAT32); });
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "--max-slot-bytes");
}

TEST(FeedLimitsTest, OldestIdleFeedIsClosedAtTheBound) {
  TestServer server([](ServerOptions* options) { options->max_feeds = 2; });
  const Stubs stubs(server.address());
  const std::string first = Open(stubs, TinySpec("mixup"), "1").feed_id();
  const std::string second = Open(stubs, TinySpec("mixup"), "2").feed_id();
  StreamCall stream(stubs, StreamOf(first));
  v1::Batch batch;
  ASSERT_TRUE(stream.Read(&batch));
  Open(stubs, TinySpec("mixup"), "3");
  grpc::Status status;
  GetBatch(stubs, second, 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND);
  GetBatch(stubs, first, 0);  // it has a consumer
  stream.Cancel();
}

TEST(FeedLimitsTest, PoolsBeyondTheirBoundAreRefused) {
  TestServer server([](ServerOptions* options) { options->max_pool_bytes = 4 << 20; });
  const Stubs stubs(server.address());
  v1::FeedSpec spec = TinySpec("supervised");
  const std::string id = Open(stubs, spec).feed_id();  // 500 x 3 x 40 x 40: 2.4 MB
  spec.mutable_recipe()->mutable_view()->set_pad(8);
  grpc::Status status;
  Open(stubs, spec, "", &status);
  ExpectStatus(status, StatusCode::RESOURCE_EXHAUSTED, "recipe.view.pad");
  v1::CloseFeedRequest close;
  close.set_feed_id(id);
  Call(stubs.feeds.get(), &v1::FeedService::Stub::CloseFeed, close);
  Open(stubs, spec);
}

TEST(DatasetsTest, SeveralByNameAndABrokenOneIsReported) {
  TestServer server([](ServerOptions* options) {
    options->data.push_back("again=" + options->data[0].substr(5));
    options->data.push_back("broken=/no/such/folder");
  });
  const Stubs stubs(server.address());
  const v1::GetServerInfoResponse info = Info(stubs);
  ASSERT_EQ(info.datasets_size(), 3);
  EXPECT_EQ(info.datasets(0).name(), "tiny");
  EXPECT_EQ(info.datasets(0).train_images(), 500u);
  EXPECT_EQ(info.datasets(0).test_images(), 50u);
  EXPECT_EQ(info.datasets(0).fingerprint().size(), 16u);
  EXPECT_EQ(info.datasets(0).fingerprint(), info.datasets(1).fingerprint());
  EXPECT_EQ(info.datasets(1).error(), "");
  EXPECT_EQ(info.datasets(2).name(), "broken");
  EXPECT_THAT(info.datasets(2).error(), ::testing::HasSubstr("/no/such/folder"));

  grpc::Status status;
  v1::FeedSpec spec = TinySpec("mixup");
  Open(stubs, spec, "", &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT,
               "dataset is empty; allowed: one of tiny, again");
  spec.set_dataset("broken");
  Open(stubs, spec, "", &status);
  ExpectStatus(status, StatusCode::FAILED_PRECONDITION, "/no/such/folder");
  spec.set_dataset("again");
  EXPECT_EQ(Open(stubs, spec).spec().dataset(), "again");
}

TEST(DatasetsTest, OnlyUsableDatasetNeedsNoName) {
  TestServer server([](ServerOptions* options) { options->data.push_back("broken=/no/such"); });
  EXPECT_EQ(Open(Stubs(server.address()), TinySpec("mixup")).spec().dataset(), "tiny");
}

}  // namespace
}  // namespace mixfeed
