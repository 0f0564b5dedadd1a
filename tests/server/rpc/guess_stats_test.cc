// GetGuessStats of a real server, to which a trainer pushes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/weights/state_dict.h"
#include "tests/server/rpc/stub_kit.h"
#include "tests/testing/http_get.h"
#include "tests/testing/net_model.h"
#include "tests/testing/test_server.h"

namespace mixfeed {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the kit of these tests
using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kClasses = 10;
constexpr uint32_t kBatch = 40;

// One that takes every image for class 4.
LinearNetwork CollapsedNetwork() {
  LinearNetwork network = MakeLinearNetwork(kClasses);
  std::fill(network.weight.begin(), network.weight.end(), 0.0f);
  std::fill(network.bias.begin(), network.bias.end(), 0.0f);
  network.bias[4] = 20;
  return network;
}

class GuessStatsTest : public ::testing::Test {
 protected:
  GuessStatsTest() { Register(stubs_, ModelHeader("net"), LinearArchive(NetworkOf(0))); }

  void Push(uint64_t update, const LinearNetwork& network) {
    const std::string weights = LinearWeights(network);
    v1::PushWeightsHeader header = PushOf(update);
    header.set_weights_bytes(weights.size());
    header.set_digest(DigestOf(weights));
    const grpc::Status status = testing::Push(stubs_, header, {weights});
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  // Feeds of different runs make the same batches of one step.
  std::string OpenGuessing(const std::string& run, uint32_t validation = 80,
                           v1::Guess::Policy policy = v1::Guess::LOCKSTEP) {
    v1::FeedSpec spec = TinySpec("mixmatch", kBatch);
    spec.mutable_split()->set_validation(validation);
    spec.mutable_recipe()->mutable_guess()->set_policy(policy);
    return Open(stubs_, spec, run).feed_id();
  }

  v1::GetGuessStatsResponse Stats(const std::string& id, uint32_t validate = 0,
                                  grpc::Status* status = nullptr) {
    v1::GetGuessStatsRequest request;
    request.set_feed_id(id);
    request.set_validate(validate);
    return Call(stubs_.inspect.get(), &v1::InspectService::Stub::GetGuessStats, request, status);
  }

  TestServer server_{[](ServerOptions* options) { options->metrics = "127.0.0.1:0"; }};
  const Stubs stubs_{server_.address()};
};

TEST_F(GuessStatsTest, PrometheusReadsTheSame) {
  const std::string id = OpenGuessing("a");
  GetBatch(stubs_, id, 0);
  const v1::GuessSpan span = Stats(id, 1).spans(0);
  const std::string text = HttpGet(server_.server()->metrics_port(), "/metrics");
  const std::string labels = absl::StrCat("{feed=\"", id, "\",run=\"a\",model=\"net\"} ");
  const std::vector<std::pair<std::string, double>> numbers = {
      {"mixfeed_open_feeds ", 1},
      {"mixfeed_batches_made_total ", 1},
      {absl::StrCat("mixfeed_guess_steps", labels), 1},
      {absl::StrCat("mixfeed_guess_confidence", labels), span.confidence()},
      {absl::StrCat("mixfeed_guess_entropy_nats", labels), span.entropy()},
      {absl::StrCat("mixfeed_guess_calibration_error", labels),
       span.validation().calibration_error()}};
  for (const auto& [name, number] : numbers) {
    const size_t at = text.find(absl::StrCat("\n", name));
    ASSERT_NE(at, std::string::npos) << name << " in " << text;
    EXPECT_NEAR(std::stod(text.substr(at + 1 + name.size())), number, 1e-9) << name;
  }
}

TEST_F(GuessStatsTest, AServerWithoutMetricsHasNoPortForThem) {
  EXPECT_EQ(TestServer().server()->metrics_port(), 0);
}

TEST_F(GuessStatsTest, FollowsATrainerThatPushes) {
  const std::string id = OpenGuessing("a");
  for (uint64_t step = 0; step < 4; ++step) {
    if (step > 0) Push(step, NetworkOf(step));
    GetBatch(stubs_, id, step);
  }
  const v1::GetGuessStatsResponse stats = Stats(id, 16);
  EXPECT_EQ(stats.feed_id(), id);
  EXPECT_EQ(stats.run(), "a");
  EXPECT_EQ(stats.class_names_size(), kClasses);
  EXPECT_EQ(stats.temperature(), 0.5);
  EXPECT_EQ(stats.validation_images(), 80u);
  EXPECT_THAT(stats.warning(), IsEmpty());
  // 50 labelled images, five of each class.
  for (const double share : stats.prior()) EXPECT_NEAR(share, 0.1, 1e-12);
  EXPECT_NEAR(stats.prior_classes(), 10, 1e-9);
  ASSERT_EQ(stats.spans_size(), 4);
  for (int i = 0; i < 4; ++i) {
    const v1::GuessSpan& span = stats.spans(i);
    EXPECT_EQ(span.model(), "net");
    EXPECT_EQ(span.first_version(), static_cast<uint64_t>(i));
    EXPECT_EQ(span.version(), static_cast<uint64_t>(i));
    EXPECT_EQ(span.update(), static_cast<uint64_t>(i));
    EXPECT_EQ(span.steps(), 1u);
    EXPECT_EQ(span.images(), kBatch);
    EXPECT_GT(span.confidence(), 0.1);
    EXPECT_GT(span.sharpened_confidence(), span.confidence());
    EXPECT_LT(span.sharpened_confidence(), 1);
    EXPECT_GT(span.entropy(), 0);
    EXPECT_LT(span.entropy(), std::log(kClasses));
    EXPECT_TRUE(span.has_agreement());
    EXPECT_TRUE(span.has_accuracy());
    EXPECT_EQ(span.age(), 0);
    EXPECT_THAT(span.age_histogram(), ElementsAre(1u));
    const auto& histogram = span.confidence_histogram();
    EXPECT_EQ(histogram.size(), 20);
    EXPECT_EQ(std::accumulate(histogram.begin(), histogram.end(), uint64_t{0}), kBatch);
    EXPECT_EQ(std::accumulate(span.class_count().begin(), span.class_count().end(), uint64_t{0}),
              kBatch);
    EXPECT_NEAR(std::accumulate(span.class_mean().begin(), span.class_mean().end(), 0.0), 1, 1e-5);
    ASSERT_TRUE(span.has_validation());
    EXPECT_EQ(span.validation().images(), 80u);
    EXPECT_GT(span.validation().confidence(), 0.1);
    EXPECT_GT(span.validation().calibration_error(), 0);
    EXPECT_EQ(span.validation().has_drift(), i > 0);
    if (i > 0) {
      EXPECT_GT(span.validation().drift(), 0.01);
    }
  }
}

TEST_F(GuessStatsTest, AskingChangesNoBatchAndNoGuess) {
  const std::string asked = OpenGuessing("a");
  const std::string left_alone = OpenGuessing("b");
  for (uint64_t step = 0; step < 3; ++step) {
    if (step > 0) Push(step, NetworkOf(step));
    Stats(asked, 16);
    const v1::Batch one = GetBatch(stubs_, asked, step);
    Stats(asked, 16);
    const v1::Batch other = GetBatch(stubs_, left_alone, step);
    EXPECT_EQ(one.pixels(), other.pixels());
    EXPECT_EQ(one.targets(), other.targets());
    EXPECT_EQ(one.header().guess().confidence(), other.header().guess().confidence());
    EXPECT_EQ(GetBatch(stubs_, asked, step).targets(), one.targets());
  }
}

TEST_F(GuessStatsTest, AReplayAfterARestartIsNotCounted) {
  const std::string id = OpenGuessing("a");
  GetBatch(stubs_, id, 0);
  GetBatch(stubs_, id, 0);
  EXPECT_EQ(Stats(id).spans(0).steps(), 1u);
  server_.Restart();
  const Stubs stubs(server_.address());
  GetBatch(stubs, id, 0);
  v1::GetGuessStatsRequest request;
  request.set_feed_id(id);
  EXPECT_EQ(
      Call(stubs.inspect.get(), &v1::InspectService::Stub::GetGuessStats, request).spans_size(), 0);
}

TEST_F(GuessStatsTest, NothingIsTriedUnlessItIsAskedFor) {
  const std::string id = OpenGuessing("a");
  GetBatch(stubs_, id, 0);
  EXPECT_FALSE(Stats(id).spans(0).has_validation());
  EXPECT_TRUE(Stats(id, 1).spans(0).has_validation());
  EXPECT_TRUE(Stats(id).spans(0).has_validation());
}

TEST_F(GuessStatsTest, WithoutAValidationSliceThereIsNoValidation) {
  const std::string id = OpenGuessing("a", /*validation=*/0);
  GetBatch(stubs_, id, 0);
  const v1::GetGuessStatsResponse stats = Stats(id, 16);
  EXPECT_EQ(stats.validation_images(), 0u);
  EXPECT_FALSE(stats.spans(0).has_validation());
}

TEST_F(GuessStatsTest, WarnsOfGuessesThatCollapse) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "log", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  const std::string id = OpenGuessing("a", 80, v1::Guess::NEWEST);
  Push(1, CollapsedNetwork());
  for (uint64_t step = 0; step < 13; ++step) GetBatch(stubs_, id, step);  // 520 images
  const v1::GetGuessStatsResponse stats = Stats(id);
  spdlog::set_default_logger(before);
  EXPECT_THAT(stats.warning(), HasSubstr("over 1.00 classes, the labelled images over 10.00"));
  EXPECT_THAT(log.str(), HasSubstr(absl::StrCat("feed ", id, " of run \"a\": ", stats.warning())));
  EXPECT_EQ(stats.spans(0).class_count(4), 520u);
  EXPECT_NEAR(stats.spans(0).prior_distance(), 0.9, 1e-4);
  // The dataset's classes are equally frequent.
  EXPECT_NEAR(stats.spans(0).accuracy(), 0.1, 0.05);
}

TEST_F(GuessStatsTest, TheAgeIsThatOfTheWeights) {
  const std::string id = OpenGuessing("a", 80, v1::Guess::NEWEST);
  Push(1, NetworkOf(1));
  for (const uint64_t step : {3u, 5u}) GetBatch(stubs_, id, step);
  const v1::GetGuessStatsResponse stats = Stats(id);
  EXPECT_EQ(stats.spans(0).age(), 3);  // of updates 3 and 5, with the weights of update 1
  EXPECT_EQ(stats.spans(0).max_age(), 4u);
}

TEST_F(GuessStatsTest, AccuracyIsNotToldOfFewImages) {
  v1::FeedSpec spec = TinySpec("mixmatch", 8);
  const std::string id = Open(stubs_, spec, "few").feed_id();
  for (uint64_t step = 0; step < 3; ++step) GetBatch(stubs_, id, step);
  EXPECT_FALSE(Stats(id).spans(0).has_accuracy());  // 24
  GetBatch(stubs_, id, 3);
  EXPECT_TRUE(Stats(id).spans(0).has_accuracy());  // 32
}

TEST_F(GuessStatsTest, RefusesWhatItCannotTell) {
  grpc::Status status;
  Stats("none", 0, &status);
  ExpectStatus(status, StatusCode::NOT_FOUND, "feed_id is \"none\"");
  Stats(Open(stubs_, TinySpec("mixup"), "r").feed_id(), 0, &status);
  ExpectStatus(status, StatusCode::FAILED_PRECONDITION, "does not guess: its recipe is mixup");
  Stats(OpenGuessing("a"), 17, &status);
  ExpectStatus(status, StatusCode::INVALID_ARGUMENT, "validate is 17; allowed: 0..16");
}

}  // namespace
}  // namespace mixfeed
