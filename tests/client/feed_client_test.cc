#include "client/feed_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <utility>

#include "tests/client/fake_server.h"
#include "tests/testing/eventually.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAre;
using testing::Eventually;
using testing::FakeServer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempDir;

class FeedClientTest : public ::testing::Test {
 protected:
  FeedClientTest() {
    options_.server = server_.address();
    Connect();
  }

  void Connect() {
    auto client = FeedClient::Connect(options_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  // A feed whose calls end after so long. Opening it may take a few of them.
  void OpenHasty(int64_t deadline_ms, std::unique_ptr<Feed>* feed) {
    options_.deadline_ms = deadline_ms;
    Connect();
    absl::StatusOr<std::unique_ptr<Feed>> opened;
    ASSERT_TRUE(Eventually([&] {
      opened = client_->OpenFeed(v1::FeedSpec());
      return opened.ok();
    })) << opened.status();
    *feed = *std::move(opened);
  }

  std::unique_ptr<Feed> Open() {
    auto feed = client_->OpenFeed(v1::FeedSpec());
    EXPECT_TRUE(feed.ok()) << feed.status();
    return *std::move(feed);
  }

  FakeServer server_;
  ConnectOptions options_;
  std::unique_ptr<FeedClient> client_;
};

TEST(ConnectTest, UnavailableNamesTheAddressAndTheReason) {
  FakeServer server;
  ConnectOptions options{.server = server.address(), .connect_deadline_ms = 100};
  server.Stop();
  const absl::Status status = FeedClient::Connect(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(server.address() + " within 100 ms"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("onnect"));
}

TEST(ConnectTest, TlsFilesThatCannotBeReadAreNamed) {
  const TempDir dir;
  std::ofstream(dir.File("empty.pem")).close();
  const auto message_of = [](const std::string& ca, const std::string& cert,
                             const std::string& key) {
    ConnectOptions options;
    options.tls.ca = ca;
    options.tls.cert = cert;
    options.tls.key = key;
    const absl::Status status = FeedClient::Connect(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message_of(dir.File("none.pem"), "", ""), HasSubstr("tls.ca: cannot read"));
  EXPECT_THAT(message_of(dir.File("empty.pem"), "", ""), HasSubstr("tls.ca: cannot read"));
  EXPECT_THAT(message_of("", "none.pem", "none.pem"), HasSubstr("tls.cert: cannot read"));
  EXPECT_THAT(message_of("", "a.pem", ""), HasSubstr("give both"));
  EXPECT_THAT(message_of("", "", "a.pem"), HasSubstr("give both"));
}

TEST(ConnectTest, ATlsClientIsNotConnectedToAPlainServer) {
  const FakeServer server;
  ConnectOptions options{.server = server.address(), .connect_deadline_ms = 300};
  options.tls.use_tls = true;
  const absl::Status status = FeedClient::Connect(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

// A self-signed certificate for 127.0.0.1 that is its own authority, from the openssl program.
class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=fake "
        "-addext subjectAltName=IP:127.0.0.1 -keyout " +
        key_ + " -out " + cert_ + " 2>/dev/null";
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the test has one thread here
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "there is no openssl program";
  }

  static absl::Status CallWith(const FakeServer& server, const TlsFiles& tls,
                               int64_t connect_deadline_ms = ConnectOptions().connect_deadline_ms) {
    const auto client = FeedClient::Connect(
        {.server = server.address(), .tls = tls, .connect_deadline_ms = connect_deadline_ms});
    return client.ok() ? (*client)->GetServerInfo().status() : client.status();
  }
  static void ExpectNoConnection(const FakeServer& server, const TlsFiles& tls) {
    const absl::Status status = CallWith(server, tls, /*connect_deadline_ms=*/300);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  }

  TlsFiles Files(const std::string& ca, const std::string& cert, const std::string& key) {
    TlsFiles tls;
    tls.ca = ca;
    tls.cert = cert;
    tls.key = key;
    return tls;
  }

  const TempDir dir_;
  const std::string cert_ = dir_.File("cert.pem");
  const std::string key_ = dir_.File("key.pem");
};

TEST_F(TlsTest, TrustsTheGivenAuthorityOnly) {
  const FakeServer server({.cert = cert_, .key = key_, .client_ca = ""});
  EXPECT_TRUE(CallWith(server, Files(cert_, "", "")).ok());
  TlsFiles system_roots;
  system_roots.use_tls = true;
  ExpectNoConnection(server, system_roots);
  ExpectNoConnection(server, TlsFiles());
}

TEST_F(TlsTest, ShowsItsCertificateToAServerThatAsks) {
  const FakeServer server({.cert = cert_, .key = key_, .client_ca = cert_});
  EXPECT_TRUE(CallWith(server, Files(cert_, cert_, key_)).ok());
  ExpectNoConnection(server, Files(cert_, "", ""));
}

TEST_F(FeedClientTest, OpensAFeed) {
  v1::FeedSpec spec;
  spec.set_batch(17);
  const auto feed = client_->OpenFeed(spec, "my-run");
  ASSERT_TRUE(feed.ok()) << feed.status();
  EXPECT_EQ(server_.last_open().spec().batch(), 17u);
  EXPECT_EQ(server_.last_open().run(), "my-run");
  EXPECT_EQ((*feed)->info().feed_id(), server_.feed().feed_id());
}

TEST_F(FeedClientTest, ARetryOpensTheSameNewRun) {
  server_.Fail("OpenFeed", absl::UnavailableError("the answer was lost"), 1);
  Open();
  ASSERT_EQ(server_.opens().size(), 2u);
  const std::string run = server_.opens()[0].run();
  EXPECT_THAT(run, ::testing::MatchesRegex("[0-9a-f]{16}"));
  EXPECT_EQ(server_.opens()[1].run(), run);
  Open();
  EXPECT_NE(server_.last_open().run(), run);
}

TEST_F(FeedClientTest, GetsOneBatch) {
  v1::PixelFormat format;
  format.set_type(v1::UINT8);
  v1::Share share;
  share.set_rank(1);
  share.set_world(2);
  const auto batch = Open()->GetBatch(41, format, share);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->header().step(), 41u);
  const v1::GetBatchRequest request = server_.last_get();
  EXPECT_EQ(request.feed_id(), server_.feed().feed_id());
  EXPECT_EQ(request.format().type(), v1::UINT8);
  EXPECT_EQ(request.share().rank(), 1u);
  EXPECT_EQ(request.share().world(), 2u);
}

TEST_F(FeedClientTest, WithoutAShareAllRowsAreAskedFor) {
  ASSERT_TRUE(Open()->GetBatch(0, {}).ok());
  EXPECT_FALSE(server_.last_get().has_share());
}

TEST_F(FeedClientTest, GetsAStepsViews) {
  const auto views = Open()->GetViews(41);
  ASSERT_TRUE(views.ok()) << views.status();
  const v1::Views sent = testing::FakeServer::MakeViews(41);
  EXPECT_EQ(views->header().SerializeAsString(), sent.header().SerializeAsString());
  EXPECT_EQ(
      std::string(reinterpret_cast<const char*>(views->pixels().data()), views->pixels().size()),
      sent.pixels());
  EXPECT_EQ(views->targets().size(), 12u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(views->pixels().data()) % 64, 0u);
  EXPECT_NE(views->Digest(), Open()->GetViews(42)->Digest());
}

TEST_F(FeedClientTest, ViewsAreRetriedAndTheirForgottenFeedOpenedAgain) {
  const auto feed = Open();
  server_.Fail("GetViews", absl::UnavailableError("draining"), 2);
  EXPECT_TRUE(feed->GetViews(0).ok());
  EXPECT_EQ(server_.calls("GetViews"), 3);
  server_.ForgetFeed();
  EXPECT_TRUE(feed->GetViews(0).ok());
  EXPECT_EQ(server_.calls("OpenFeed"), 2);
}

TEST_F(FeedClientTest, RetriesUnaryCallsWhileTheServerIsBusyOrAway) {
  const auto feed = Open();
  for (const absl::Status& busy :
       {absl::UnavailableError("draining"), absl::ResourceExhaustedError("too many calls")}) {
    server_.Fail("GetBatch", busy, 2);
    EXPECT_TRUE(feed->GetBatch(0, {}).ok());
  }
  EXPECT_EQ(server_.calls("GetBatch"), 6);
}

TEST_F(FeedClientTest, UnaryCallsSurviveARestart) {
  const auto feed = Open();
  server_.Stop();
  server_.ForgetFeed();
  server_.Start();
  EXPECT_TRUE(feed->GetBatch(3, {}).ok());
  EXPECT_EQ(server_.calls("OpenFeed"), 2);
}

TEST_F(FeedClientTest, EveryCallOfAForgottenFeedOpensItAgain) {
  const auto feed = Open();
  server_.ForgetFeed();
  EXPECT_TRUE(feed->GetPlan(0).ok());
  EXPECT_EQ(server_.calls("OpenFeed"), 2);
}

TEST_F(FeedClientTest, OtherErrorsComeBackAsTheyAre) {
  const auto feed = Open();
  server_.Fail("GetBatch", absl::FailedPreconditionError("no model: mixfeed model register"), 1);
  EXPECT_EQ(feed->GetBatch(0, {}).status(),
            absl::FailedPreconditionError("no model: mixfeed model register"));
  server_.Fail("OpenFeed", absl::InvalidArgumentError("views: 9 given, 1..8 allowed"), 1);
  EXPECT_EQ(client_->OpenFeed(v1::FeedSpec()).status(),
            absl::InvalidArgumentError("views: 9 given, 1..8 allowed"));
}

TEST_F(FeedClientTest, CallsEndAtTheirDeadline) {
  std::unique_ptr<Feed> hasty;
  ASSERT_NO_FATAL_FAILURE(OpenHasty(/*deadline_ms=*/100, &hasty));
  server_.Hang("GetBatch");
  EXPECT_EQ(hasty->GetBatch(0, {}).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(FeedClientTest, RetriesEndAtTheDeadline) {
  std::unique_ptr<Feed> hasty;
  ASSERT_NO_FATAL_FAILURE(OpenHasty(/*deadline_ms=*/500, &hasty));
  server_.Fail("GetBatch", absl::UnavailableError("draining"), 1000);
  EXPECT_EQ(hasty->GetBatch(0, {}).status(), absl::UnavailableError("draining"));
}

TEST_F(FeedClientTest, AMalformedBatchIsDataLoss) {
  server_.EditBatches([](v1::Batch* batch) { batch->mutable_targets()->clear(); });
  EXPECT_EQ(Open()->GetBatch(0, {}).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(server_.calls("GetBatch"), 1);
}

TEST_F(FeedClientTest, ABatchBeyondWhatTheFeedsTakeIsDataLossAndNotTriedAgain) {
  server_.EditBatches([](v1::Batch* batch) { batch->mutable_pixels()->resize(1 << 20); });
  EXPECT_EQ(Open()->GetBatch(0, {}).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(server_.calls("GetBatch"), 1);
}

TEST_F(FeedClientTest, MessagesLimitFollowsTheFeedsSize) {
  v1::OpenFeedResponse large = server_.feed();
  large.set_rows(512);
  large.mutable_image()->set_height(64);
  large.mutable_image()->set_width(64);
  server_.SetFeed(large);
  // 512 rows of 64 x 64 bytes are 2 MiB; as float32, which the client may ask for, 8 MiB. gRPC's
  // own limit is 4 MiB.
  constexpr uint32_t kRows = 512, kClasses = 4, kBytes = 64 * 64;
  server_.EditBatches([](v1::Batch* batch) {
    v1::BatchHeader* header = batch->mutable_header();
    *header = v1::BatchHeader();
    header->set_rows(kRows);
    header->set_classes(kClasses);
    header->mutable_image()->set_channels(1);
    header->mutable_image()->set_height(64);
    header->mutable_image()->set_width(64);
    header->set_type(v1::FLOAT32);
    header->set_layout(v1::NCHW);
    for (uint32_t r = 0; r < kRows; ++r) {
      header->add_row(r);
      header->add_sample(r);
      header->add_pool(v1::LABELLED);
      header->add_view(0);
      header->add_partner(r);
      header->add_lambda(1);
    }
    batch->mutable_pixels()->assign(kRows * kBytes * sizeof(float), 'x');
    batch->mutable_targets()->assign(kRows * kClasses * sizeof(float), '\0');
  });
  const auto batch = Open()->GetBatch(0, {});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->pixels().size(), size_t{8} << 20);
}

TEST_F(FeedClientTest, NothingCanBeAskedOfAClosedFeed) {
  const auto feed = Open();
  EXPECT_TRUE(feed->Close().ok());
  EXPECT_EQ(server_.calls("CloseFeed"), 1);
  EXPECT_EQ(feed->GetBatch(0, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(feed->GetPlan(0).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FeedClientTest, ClosingAFeedThatTheServerHasForgottenIsFine) {
  const auto feed = Open();
  server_.Fail("CloseFeed", absl::NotFoundError("no such feed"), 1);
  EXPECT_TRUE(feed->Close().ok());
}

TEST_F(FeedClientTest, LooksIntoTheServer) {
  EXPECT_EQ(client_->GetServerInfo()->version(), "1.2.3");
  EXPECT_EQ(client_->ListFeeds()->feeds_size(), 1);
  EXPECT_EQ(client_->ListModels()->models(0).name(), "small");
  EXPECT_EQ(client_->GetGuessStats("some-feed", 3)->feed_id(), "some-feed");
  EXPECT_EQ(server_.last_stats().validate(), 3u);
  const auto feed = Open();
  EXPECT_EQ(feed->GetPlan(5)->step(), 5u);
  EXPECT_EQ(feed->RenderContactSheet(5, 7, 2)->width(), 7u);
  EXPECT_EQ(feed->MeasureForward(10)->images_per_second(), 1000);
  EXPECT_THAT(feed->GetSplit()->labelled(), ElementsAre(5, 17));
}

TEST_F(FeedClientTest, SendsAModelInChunksOfOneMebibyte) {
  v1::RegisterModelHeader header;
  header.set_name("mine");
  const std::string archive((size_t{2} << 20) + 5, 'a');
  const auto response = client_->RegisterModel(header, archive);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->model().version(), 3u);
  EXPECT_EQ(server_.last_header().name(), "mine");
  EXPECT_EQ(server_.last_header().archive_bytes(), archive.size());
  EXPECT_THAT(server_.chunks(), ElementsAre(1 << 20, 1 << 20, 5));
}

TEST_F(FeedClientTest, SendsWeightsInChunksWithTheirDigest) {
  v1::PushWeightsHeader header;
  header.set_model("mine");
  header.set_update(7);
  const std::string weights = std::string(size_t{1} << 20, 'a') + "bc";
  const auto response = client_->PushWeights(header, weights);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->model().version(), 3u);
  EXPECT_EQ(server_.last_push().model(), "mine");
  EXPECT_EQ(server_.last_push().update(), 7u);
  EXPECT_EQ(server_.last_push().weights_bytes(), weights.size());
  EXPECT_THAT(server_.chunks(), ElementsAre(1 << 20, 2));
  EXPECT_EQ(server_.last_push().digest().size(), 32u);
  // What `printf abc | xxhsum -H2` prints.
  ASSERT_TRUE(client_->PushWeights(header, "abc").ok());
  EXPECT_EQ(server_.last_push().digest(), "06b05ab6733a618578af5f94892f3950");
}

TEST_F(FeedClientTest, ARefusedPushIsNotSentAgain) {
  for (const absl::Status& refusal :
       {absl::AbortedError("version 5 won"), absl::UnavailableError("draining")}) {
    server_.Fail("PushWeights", refusal, 1);
    EXPECT_EQ(client_->PushWeights({}, std::string(8 << 20, 'a')).status(), refusal);
  }
}

TEST_F(FeedClientTest, SendsABuiltInNetworkWithoutAnArchive) {
  EXPECT_TRUE(client_->RegisterModel(v1::RegisterModelHeader(), "").ok());
  EXPECT_THAT(server_.chunks(), IsEmpty());
}

TEST_F(FeedClientTest, ARefusedModelIsNotSentAgain) {
  server_.Fail("RegisterModel", absl::PermissionDeniedError("registration is off"), 1);
  EXPECT_EQ(client_->RegisterModel(v1::RegisterModelHeader(), std::string(8 << 20, 'a')).status(),
            absl::PermissionDeniedError("registration is off"));
  server_.Fail("RegisterModel", absl::UnavailableError("draining"), 1);
  EXPECT_EQ(client_->RegisterModel(v1::RegisterModelHeader(), "").status(),
            absl::UnavailableError("draining"));
  EXPECT_EQ(server_.calls("RegisterModel"), 2);
}

}  // namespace
}  // namespace mixfeed
