#include "client/train/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "augment/weights/state_dict.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kInitial[] = "initial weights";

// A server's models in memory. Pushes may fail, having arrived or not.
class FakeModels : public FeedClient {
 public:
  struct Fault {
    absl::Status status;
    bool arrives = false;
    std::string other = {};  // weights that another trainer has pushed before
  };

  absl::StatusOr<std::unique_ptr<Feed>> OpenFeed(const v1::FeedSpec&, const std::string&) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<v1::OpenFeedResponse> ForkRun(const std::string&, uint64_t, const std::string&,
                                               const std::string&) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<v1::GetServerInfoResponse> GetServerInfo() override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<v1::ListFeedsResponse> ListFeeds() override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<v1::GetSplitResponse> GetSplit(const std::string&) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<v1::GetGuessStatsResponse> GetGuessStats(const std::string&, uint32_t) override {
    return absl::UnimplementedError("");
  }

  absl::StatusOr<v1::ListModelsResponse> ListModels() override {
    v1::ListModelsResponse response;
    if (model_.has_versions) *response.add_models() = model_.model;
    return response;
  }

  absl::StatusOr<v1::RegisterModelResponse> RegisterModel(v1::RegisterModelHeader header,
                                                          const std::string&) override {
    registered = header;
    model_.model.set_name(header.name());
    model_.model.set_kind(header.kind());
    model_.model.set_classes(header.classes());
    *model_.model.mutable_image() = header.image();
    *model_.model.mutable_normalisation() = header.normalisation();
    model_.model.set_ema_decay(header.ema_decay());
    model_.has_versions = true;
    Add(0, kInitial);
    v1::RegisterModelResponse response;
    *response.mutable_model() = model_.model;
    return response;
  }

  absl::StatusOr<v1::PushWeightsResponse> PushWeights(v1::PushWeightsHeader header,
                                                      const std::string& weights) override {
    pushes.push_back(header);
    Fault fault{absl::OkStatus(), true};
    if (!faults.empty()) {
      fault = faults.front();
      faults.pop_front();
    }
    if (!fault.other.empty()) Add(header.update(), fault.other);
    if (fault.arrives) Add(header.update(), weights);
    if (!fault.status.ok()) return fault.status;
    v1::PushWeightsResponse response;
    *response.mutable_model() = model_.model;
    return response;
  }

  std::vector<uint64_t> PushedUpdates() const {
    std::vector<uint64_t> updates;
    for (const auto& push : pushes) updates.push_back(push.update());
    return updates;
  }

  v1::RegisterModelHeader registered;
  std::vector<v1::PushWeightsHeader> pushes;
  std::deque<Fault> faults;

 private:
  void Add(uint64_t update, const std::string& weights) {
    v1::ModelVersion* const version = model_.model.add_versions();
    version->set_version(next_);
    version->set_update(update);
    version->set_weights(DigestOf(weights));
    model_.model.set_version(next_++);
    model_.model.set_update(update);
    model_.model.set_weights(DigestOf(weights));
  }

  struct {
    v1::Model model;
    bool has_versions = false;
  } model_;
  uint64_t next_ = 0;
};

PublisherOptions Options() {
  PublisherOptions options;
  options.model = "m";
  options.network = "resnet-small";
  options.image.set_channels(3);
  options.image.set_height(32);
  options.image.set_width(32);
  options.normalisation = "cifar10";
  options.init_seed = 7;
  return options;
}

std::unique_ptr<Publisher> MustAttach(FakeModels* server, uint64_t update,
                                      const std::string& weights,
                                      const PublisherOptions& options = Options()) {
  auto publisher = Publisher::Attach(server, options, weights, update);
  EXPECT_TRUE(publisher.ok()) << publisher.status();
  return *std::move(publisher);
}

std::string WeightsOf(uint64_t update) { return "weights " + std::to_string(update); }

TEST(PublisherTest, RegistersWhatIsNotThereAndPushesEveryUpdate) {
  FakeModels server;
  PublisherOptions options = Options();
  options.ema_decay = 0.5;
  const auto publisher = MustAttach(&server, 0, kInitial, options);
  EXPECT_EQ(server.registered.name(), "m");
  EXPECT_EQ(server.registered.kind(), "resnet-small");
  EXPECT_EQ(server.registered.classes(), 10u);
  EXPECT_EQ(server.registered.image().width(), 32u);
  EXPECT_EQ(server.registered.normalisation().name(), "cifar10");
  EXPECT_EQ(server.registered.init_seed(), 7u);
  EXPECT_EQ(server.registered.ema_decay(), 0.5);
  for (uint64_t update = 1; update <= 3; ++update) {
    ASSERT_TRUE(publisher->Push(WeightsOf(update), update).ok());
    EXPECT_EQ(server.pushes.back().replaces(), update - 1);
    EXPECT_FALSE(server.pushes.back().rewind());
  }
  EXPECT_EQ(publisher->pushed(), 3u);
  EXPECT_EQ(publisher->version(), 3u);
}

TEST(PublisherTest, PushesAsOftenAsItIsToldAndDeclaresIt) {
  FakeModels server;
  PublisherOptions options = Options();
  options.push_every = 3;
  const auto publisher = MustAttach(&server, 0, kInitial, options);
  for (uint64_t update = 1; update <= 7; ++update) {
    ASSERT_TRUE(publisher->Push(WeightsOf(update), update).ok());
  }
  EXPECT_THAT(server.PushedUpdates(), ElementsAre(3, 6));
  EXPECT_EQ(server.pushes.back().push_every(), 3u);
}

// A training of 5 updates, and what goes on from its second.
class ResumedPublisherTest : public ::testing::Test {
 protected:
  ResumedPublisherTest() {
    const auto publisher = MustAttach(&server_, 0, kInitial);
    for (uint64_t update = 1; update <= 5; ++update) {
      EXPECT_TRUE(publisher->Push(WeightsOf(update), update).ok());
    }
    server_.pushes.clear();
  }

  FakeModels server_;
};

TEST_F(ResumedPublisherTest, PushesNothingThatTheServerHas) {
  const auto publisher = MustAttach(&server_, 2, WeightsOf(2));
  for (uint64_t update = 3; update <= 6; ++update) {
    ASSERT_TRUE(publisher->Push(WeightsOf(update), update).ok());
  }
  EXPECT_THAT(server_.PushedUpdates(), ElementsAre(6));
  EXPECT_FALSE(server_.pushes[0].rewind());
  EXPECT_EQ(publisher->rewound(), 0u);
}

TEST_F(ResumedPublisherTest, RewindsOnceWhereTheWeightsAreOthers) {
  const auto publisher = MustAttach(&server_, 2, WeightsOf(2));
  ASSERT_TRUE(publisher->Push(WeightsOf(3), 3).ok());
  ASSERT_TRUE(publisher->Push("others", 4).ok());
  ASSERT_TRUE(publisher->Push(WeightsOf(5), 5).ok());  // was of the course that was left
  EXPECT_THAT(server_.PushedUpdates(), ElementsAre(4, 5));
  EXPECT_TRUE(server_.pushes[0].rewind());
  EXPECT_FALSE(server_.pushes[1].rewind());
  EXPECT_EQ(publisher->rewound(), 1u);
}

TEST_F(ResumedPublisherTest, PushesItsOwnAtOnceWhereTheServersAreOthersOrOlder) {
  EXPECT_EQ(MustAttach(&server_, 2, "others")->rewound(), 1u);
  EXPECT_TRUE(server_.pushes.at(0).rewind());
  EXPECT_EQ(MustAttach(&server_, 9, WeightsOf(9))->rewound(), 0u);
  EXPECT_THAT(server_.PushedUpdates(), ElementsAre(2, 9));
  EXPECT_FALSE(server_.pushes.at(1).rewind());
}

TEST_F(ResumedPublisherTest, GoesBackWithoutRewindingOthersWhereTheServerIsAheadAndLacksTheUpdate) {
  MustAttach(&server_, 9, WeightsOf(9));
  // Nothing of another course was at update 7.
  EXPECT_EQ(MustAttach(&server_, 7, WeightsOf(7))->rewound(), 0u);
  EXPECT_THAT(server_.PushedUpdates(), ElementsAre(9, 7));
  EXPECT_TRUE(server_.pushes.at(1).rewind());
}

TEST(PublisherTest, AnAverageThatTheServerHasLostIsSaid) {
  FakeModels server;
  PublisherOptions options = Options();
  options.ema_decay = 0.5;
  EXPECT_FALSE(MustAttach(&server, 0, kInitial, options)->averages_anew());
  EXPECT_TRUE(MustAttach(&server, 2, WeightsOf(2), options)->averages_anew());
  EXPECT_FALSE(MustAttach(&server, 2, WeightsOf(2), options)->averages_anew());
  EXPECT_FALSE(MustAttach(&server, 3, WeightsOf(3))->averages_anew());  // it is not asked for
}

TEST_F(ResumedPublisherTest, ANewTrainingOverAnotherIsRefusedUnlessItRewinds) {
  const auto refused = Publisher::Attach(&server_, Options(), kInitial, 0);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("model: m at the server has weights of update 5"));
  EXPECT_THAT(server_.pushes, IsEmpty());
  PublisherOptions options = Options();
  options.rewind = true;
  MustAttach(&server_, 0, kInitial, options);
  EXPECT_THAT(server_.PushedUpdates(), ElementsAre(0));
  EXPECT_TRUE(server_.pushes[0].rewind());
}

TEST_F(ResumedPublisherTest, AModelOfAnotherKindOrShapeIsRefused) {
  const auto message = [this](void (*change)(PublisherOptions*)) {
    PublisherOptions options = Options();
    change(&options);
    const auto refused = Publisher::Attach(&server_, options, kInitial, 0);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(refused.status().message());
  };
  EXPECT_THAT(message([](PublisherOptions* o) { o->network = "wrn-28-2"; }),
              HasSubstr("is resnet-small for 10 classes of 3x32x32, normalised as cifar10; this "
                        "training's is wrn-28-2"));
  EXPECT_THAT(message([](PublisherOptions* o) { o->classes = 7; }), HasSubstr("for 7 classes"));
  EXPECT_THAT(message([](PublisherOptions* o) { o->image.set_width(28); }), HasSubstr("3x32x28"));
  EXPECT_THAT(message([](PublisherOptions* o) { o->normalisation = "signed"; }),
              HasSubstr("normalised as cifar10; this training's is resnet-small for 10 classes of "
                        "3x32x32, normalised as signed"));
  EXPECT_THAT(message([](PublisherOptions* o) { o->ema_decay = 0.5; }),
              AllOf(HasSubstr("cifar10, averaged with a decay of 0; this"),
                    EndsWith("cifar10, averaged with a decay of 0.5")));
}

TEST(PublisherTest, AnAverageThatTheFeedDoesNotAskForIsLeftAlone) {
  FakeModels server;
  PublisherOptions options = Options();
  options.ema_decay = 0.5;
  MustAttach(&server, 0, kInitial, options);
  MustAttach(&server, 0, kInitial);
}

TEST(PublisherTest, AnAnswerThatIsLostIsAskedForAndAPushThatIsLostIsMadeAgain) {
  FakeModels server;
  const auto publisher = MustAttach(&server, 0, kInitial);
  server.faults = {{absl::UnavailableError("gone"), /*arrives=*/true}};
  ASSERT_TRUE(publisher->Push(WeightsOf(1), 1).ok());
  EXPECT_THAT(server.PushedUpdates(), ElementsAre(1));
  server.faults = {{absl::UnavailableError("gone"), false},
                   {absl::DeadlineExceededError("slow"), false}};
  ASSERT_TRUE(publisher->Push(WeightsOf(2), 2).ok());
  EXPECT_THAT(server.PushedUpdates(), ElementsAre(1, 2, 2, 2));
  EXPECT_EQ(publisher->pushed(), 2u);
  EXPECT_EQ(publisher->version(), 2u);
}

TEST(PublisherTest, APushThatIsLostDoesNotGoOverAnotherTrainers) {
  FakeModels server;
  const auto publisher = MustAttach(&server, 0, kInitial);
  server.faults = {{absl::UnavailableError("gone"), /*arrives=*/false, /*other=*/"theirs"}};
  const absl::Status status = publisher->Push(WeightsOf(1), 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("another trainer has pushed version 1 of m, of update 1"));
  EXPECT_EQ(server.pushes.size(), 1u);
}

TEST(PublisherTest, GivesUpAfterFiveLostPushesAndAtOnceAtAnyOtherError) {
  FakeModels server;
  const auto publisher = MustAttach(&server, 0, kInitial);
  server.faults.assign(5, {absl::UnavailableError("gone"), false});
  EXPECT_EQ(publisher->Push(WeightsOf(1), 1).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.pushes.size(), 5u);
  server.faults = {{absl::AbortedError("another trainer"), false}};
  EXPECT_EQ(publisher->Push(WeightsOf(1), 1).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(server.pushes.size(), 6u);
}

}  // namespace
}  // namespace mixfeed
