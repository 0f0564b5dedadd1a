// A trainer that pushes its weights, against real server processes: each batch is guessed with
// exactly the weights of its policy, whatever the timing, also after the server was killed.
#include <gmock/gmock.h>

#include <csignal>
#include <random>
#include <thread>

#include "augment/weights/state_dict.h"
#include "tests/integration/feed_fixture.h"
#include "tests/integration/net_kit.h"

namespace mixfeed::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSteps = 8;

class PushTest : public FeedTest {
 protected:
  static void Register(FeedClient& client, uint64_t update = 0) {
    RegisterAs(client, "net", NetworkOf(update));
  }
  static void RegisterAs(FeedClient& client, const std::string& name, const LinearNetwork& network,
                         double ema_decay = 0) {
    v1::RegisterModelHeader header = ArchiveHeader(name);
    header.set_ema_decay(ema_decay);
    MustRegister(client, LinearArchive(network), header);
  }
  // The digests of the first steps, each asked for when its weights are there.
  static Digests GetInLockstep(FeedClient& client, Feed& feed, uint64_t steps) {
    Digests digests;
    for (uint64_t step = 0; step < steps; ++step) {
      if (step > 0) {
        EXPECT_TRUE(Push(client, step).ok());
      }
      digests[step] = feed.GetBatch(step, {})->Digest();
    }
    return digests;
  }
  static v1::FeedSpec MixMatch(v1::Guess::Policy policy, uint32_t delay = 1) {
    v1::FeedSpec spec = Spec("mixmatch");
    v1::Guess* const guess = spec.mutable_recipe()->mutable_guess();
    guess->set_policy(policy);
    guess->set_delay(delay);
    return spec;
  }
  // The digest of `step` as guessed with the weights of `update`, by a server to which nobody
  // pushes.
  std::string Frozen(uint64_t update, uint64_t step) { return Frozen(NetworkOf(update), step); }
  std::string Frozen(const LinearNetwork& network, uint64_t step) {
    if (calm_server_ == nullptr) calm_server_ = StartServer("calm");
    const auto client = ConnectTo(*calm_server_);
    RegisterAs(*client, "net", network);
    const std::string run = "frozen-" + std::to_string(frozen_++);
    const auto batch = Open(*client, MixMatch(v1::Guess::NEWEST), run)->GetBatch(step, {});
    EXPECT_TRUE(batch.ok()) << batch.status();
    return batch.ok() ? batch->Digest() : "";
  }

 private:
  std::unique_ptr<ServerProcess> calm_server_;
  int frozen_ = 0;
};

TEST_F(PushTest, LockstepGuessesEachStepWithTheWeightsOfItsUpdate) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  Register(*client);
  const auto feed = Open(*client, MixMatch(v1::Guess::LOCKSTEP));
  const auto stream = feed->Stream({});
  ASSERT_TRUE(stream.ok()) << stream.status();
  for (uint64_t step = 0; step < kSteps; ++step) {
    if (step > 0) {
      ASSERT_TRUE(Push(*client, step).ok());
    }
    const auto batch = (*stream)->Next();
    ASSERT_TRUE(batch.ok()) << batch.status();
    const v1::BatchHeader& header = batch->header();
    EXPECT_EQ(header.step(), step);
    EXPECT_EQ(header.run(), "run");
    EXPECT_EQ(header.guess().version(), step);
    EXPECT_EQ(header.guess().update(), step);
    EXPECT_EQ(header.guess().age(), 0u);
    EXPECT_EQ(header.guess().weights(), client->ListModels()->models(0).weights());
    EXPECT_EQ(batch->Digest(), Frozen(step, step));
  }
}

// The digests of a run whose trainer takes its time as the seed says.
TEST_F(PushTest, ADelayedRunDoesNotDependOnTiming) {
  Digests runs[2];
  for (const unsigned seed : {1u, 2u}) {
    const auto server = StartServer("a" + std::to_string(seed));
    const auto client = ConnectTo(*server);
    Register(*client);
    const auto feed = Open(*client, MixMatch(v1::Guess::DELAYED, 2));
    const auto stream = feed->Stream({});
    ASSERT_TRUE(stream.ok()) << stream.status();
    std::thread trainer([&] {
      std::mt19937 random(seed);
      for (uint64_t update = 1; update <= kSteps; ++update) {
        for (auto calls = random() % 30; calls > 0; --calls) {
          EXPECT_TRUE(client->ListModels().ok());  // takes its time
        }
        EXPECT_TRUE(Push(*client, update).ok());
      }
    });
    runs[seed - 1] = Take(**stream, kSteps);
    trainer.join();
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_EQ(runs[0][0], Frozen(0, 0));
  EXPECT_EQ(runs[0][2], Frozen(0, 2));
  EXPECT_EQ(runs[0][5], Frozen(3, 5));
}

TEST_F(PushTest, PinnedAndNewestFeedsFollowTheirOwnRule) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  Register(*client);
  v1::FeedSpec spec = MixMatch(v1::Guess::PINNED);
  spec.mutable_recipe()->mutable_guess()->set_version(1);
  const auto pinned = Open(*client, spec);
  const auto newest = Open(*client, MixMatch(v1::Guess::NEWEST));
  EXPECT_EQ(newest->GetBatch(0, {})->header().guess().version(), 0u);
  ASSERT_TRUE(Push(*client, 1).ok());
  ASSERT_TRUE(Push(*client, 2).ok());
  EXPECT_EQ(newest->GetBatch(0, {})->header().guess().version(), 0u);  // settled
  EXPECT_EQ(newest->GetBatch(1, {})->header().guess().version(), 2u);
  EXPECT_EQ(pinned->GetBatch(1, {})->header().guess().version(), 1u);
}

// decay * a + (1 - decay) * b of the parameters; b's statistics.
LinearNetwork Average(const LinearNetwork& a, const LinearNetwork& b, double decay) {
  LinearNetwork average = b;
  for (const auto field : {&LinearNetwork::norm_weight, &LinearNetwork::norm_bias,
                           &LinearNetwork::weight, &LinearNetwork::bias}) {
    for (size_t i = 0; i < (average.*field).size(); ++i) {
      (average.*field)[i] =
          static_cast<float>(decay * double{(a.*field)[i]} + (1 - decay) * double{(b.*field)[i]});
    }
  }
  return average;
}

TEST_F(PushTest, AFeedMayGuessWithTheAverageOfWhatWasPushed) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  RegisterAs(*client, "net", NetworkOf(0), /*ema_decay=*/0.75);
  v1::FeedSpec spec = MixMatch(v1::Guess::LOCKSTEP);
  const auto pushed = Open(*client, spec);
  spec.mutable_recipe()->mutable_guess()->set_ema(true);
  const auto averaged = Open(*client, spec);
  LinearNetwork average = NetworkOf(0);
  for (uint64_t step = 0; step < 3; ++step) {
    if (step > 0) {
      ASSERT_TRUE(Push(*client, step).ok());
      average = Average(average, NetworkOf(step), 0.75);
    }
    EXPECT_EQ(pushed->GetBatch(step, {})->Digest(), Frozen(step, step));
    const auto batch = averaged->GetBatch(step, {});
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_EQ(batch->Digest(), Frozen(average, step));
    EXPECT_EQ(batch->header().guess().version(), step);
    const v1::Model model = client->ListModels()->models(0);
    EXPECT_EQ(batch->header().guess().weights(), model.versions(static_cast<int>(step)).ema());
  }
}

TEST_F(PushTest, SeveralModelsGuessTogetherAndEachIsWaitedFor) {
  const auto server = StartServer("a", {"--weights-wait-ms", "10"});
  const auto client = ConnectTo(*server);
  Register(*client);
  RegisterAs(*client, "other", NetworkOf(7));
  v1::FeedSpec spec = MixMatch(v1::Guess::LOCKSTEP);
  spec.mutable_recipe()->mutable_guess()->set_model("net,other");
  const auto feed = Open(*client, spec);
  const auto batch = feed->GetBatch(0, {});
  ASSERT_TRUE(batch.ok()) << batch.status();
  const v1::GuessOrigin& origin = batch->header().guess();
  EXPECT_EQ(origin.model(), "net");
  ASSERT_EQ(origin.more_size(), 1);
  EXPECT_EQ(origin.more(0).model(), "other");
  EXPECT_EQ(origin.more(0).weights(), client->ListModels()->models(1).weights());
  EXPECT_NE(batch->Digest(), Frozen(0, 0));
  EXPECT_NE(batch->Digest(), Frozen(7, 0));
  ASSERT_TRUE(Push(*client, 1).ok());  // to "net" alone
  EXPECT_THAT(std::string(feed->GetBatch(1, {}).status().message()),
              HasSubstr("update 1 of model \"other\" are not pushed yet"));
  v1::PushWeightsHeader push = PushOf(1);
  push.set_model("other");
  ASSERT_TRUE(client->PushWeights(push, LinearWeights(NetworkOf(8))).ok());
  const auto next = feed->GetBatch(1, {});
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->header().guess().update(), 1u);
  ASSERT_EQ(next->header().guess().more_size(), 1);
  EXPECT_EQ(next->header().guess().more(0).update(), 1u);
  const auto rate = feed->MeasureForward(50);
  ASSERT_TRUE(rate.ok()) << rate.status();
  EXPECT_GT(rate->images(), 0u);
}

TEST_F(PushTest, AKilledServerServesWhatItServedAndGoesOn) {
  auto server = StartServer("a");
  const std::string address = server->address();
  const auto client = ConnectTo(*server);
  Register(*client);
  const auto feed = Open(*client, MixMatch(v1::Guess::LOCKSTEP));
  Digests digests;
  for (uint64_t step = 0; step < kSteps; ++step) {
    if (step > 0) {
      ASSERT_TRUE(Push(*client, step).ok());
    }
    server->End(SIGKILL);
    server = StartServer("a", {"--listen", address});
    digests[step] = feed->GetBatch(step, {})->Digest();
    EXPECT_EQ(digests[step], Frozen(step, step));
  }
  EXPECT_EQ(GetEach(*feed, kSteps), digests);
}

TEST_F(PushTest, AForkedRunSharesThePastAndGoesItsOwnWay) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  Register(*client);
  const v1::FeedSpec spec = MixMatch(v1::Guess::NEWEST);
  const auto feed = Open(*client, spec, "first");
  ASSERT_TRUE(Push(*client, 1).ok());
  const Digests past = GetEach(*feed, 4);
  const auto forked = client->ForkRun(feed->info().feed_id(), 4, "second");
  ASSERT_TRUE(forked.ok()) << forked.status();
  EXPECT_EQ(forked->run(), "second");
  const auto branch = Open(*client, forked->spec(), "second");
  EXPECT_EQ(branch->info().feed_id(), forked->feed_id());
  const std::string first_step_4 = feed->GetBatch(4, {})->Digest();
  ASSERT_TRUE(Push(*client, 2).ok());
  EXPECT_EQ(GetEach(*branch, 4), past);
  const auto own = branch->GetBatch(4, {});
  EXPECT_EQ(own->header().guess().version(), 2u);
  EXPECT_NE(own->Digest(), first_step_4);
  EXPECT_EQ(own->Digest(), Frozen(2, 4));
  EXPECT_TRUE(client->ForkRun(feed->info().feed_id(), 4, "second").ok());  // idempotent
  const auto refused = [&](const std::string& id, uint64_t step, const std::string& run) {
    return client->ForkRun(id, step, run).status().code();
  };
  const std::string id = feed->info().feed_id();
  EXPECT_EQ(refused(id, 3, "second"), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(refused(id, 3, "first"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused(id, 3, ""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused("none", 3, "third"), absl::StatusCode::kNotFound);
  const auto mixup = Open(*client, Spec("mixup"), "plain");
  const absl::Status modelled =
      client->ForkRun(mixup->info().feed_id(), 3, "third", "net").status();
  EXPECT_EQ(modelled.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(modelled.message()),
              HasSubstr("model is \"net\"; allowed: empty for a recipe that does not guess"));
  EXPECT_EQ(refused(id, uint64_t{1} << 63, "third"), absl::StatusCode::kOutOfRange);
}

// A trainer goes on from update 2 in a run and a model of its own, beside the first one.
TEST_F(PushTest, AForkWithAModelOfItsOwnGoesOnBesideTheFirst) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  Register(*client);
  const auto feed = Open(*client, MixMatch(v1::Guess::LOCKSTEP), "first");
  Digests first = GetInLockstep(*client, *feed, 4);
  v1::RegisterModelHeader header = ArchiveHeader("second");
  header.set_update(2);
  ASSERT_NO_FATAL_FAILURE(MustRegister(*client, LinearArchive(NetworkOf(2)), header));
  const auto forked = client->ForkRun(feed->info().feed_id(), 2, "branch", "second");
  ASSERT_TRUE(forked.ok()) << forked.status();
  EXPECT_EQ(forked->spec().recipe().guess().model(), "second");
  const auto branch = Open(*client, forked->spec(), "branch");
  v1::PushWeightsHeader push;
  push.set_model("second");
  push.set_update(3);
  ASSERT_TRUE(client->PushWeights(push, LinearWeights(NetworkOf(30))).ok());
  for (const uint64_t step : {0u, 1u, 2u}) {
    EXPECT_EQ(branch->GetBatch(step, {})->Digest(), first[step]) << step;
  }
  EXPECT_EQ(branch->GetBatch(3, {})->Digest(), Frozen(30, 3));
  ASSERT_TRUE(Push(*client, 4).ok());  // the first goes on
  EXPECT_EQ(feed->GetBatch(4, {})->Digest(), Frozen(4, 4));
}

TEST_F(PushTest, OfTwoTrainersThatPushToAModelAtOnceOneIsTold) {
  const auto server = StartServer("a");
  const std::unique_ptr<FeedClient> clients[] = {ConnectTo(*server), ConnectTo(*server)};
  Register(*clients[0]);
  for (uint64_t update = 1; update <= 20; ++update) {
    const v1::PushWeightsHeader header = PushOf(update);
    const std::string weights[] = {LinearWeights(NetworkOf(2 * update)),
                                   LinearWeights(NetworkOf(2 * update + 1))};
    absl::Status statuses[2];
    v1::Model models[2];
    const auto push = [&](size_t trainer) {
      const auto pushed = clients[trainer]->PushWeights(header, weights[trainer]);
      statuses[trainer] = pushed.status();
      if (pushed.ok()) models[trainer] = pushed->model();
    };
    std::thread other([&] { push(1); });
    push(0);
    other.join();
    const size_t winner = statuses[0].ok() ? 0 : 1;
    ASSERT_TRUE(statuses[winner].ok()) << statuses[0] << statuses[1];
    EXPECT_EQ(statuses[1 - winner].code(), absl::StatusCode::kAborted) << statuses[1 - winner];
    EXPECT_THAT(
        std::string(statuses[1 - winner].message()),
        HasSubstr("is " + std::to_string(update) + ", of update " + std::to_string(update)));
    EXPECT_EQ(clients[0]->ListModels()->models(0).weights(), models[winner].weights());
  }
}

// One that goes back with the model it has pushes over its later updates, in a run of its own.
TEST_F(PushTest, AForkOfATrainerThatWentBackIsGuessedWithWhatItPushesThen) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  Register(*client);
  const auto feed = Open(*client, MixMatch(v1::Guess::LOCKSTEP), "first");
  Digests first = GetInLockstep(*client, *feed, 4);
  const auto forked = client->ForkRun(feed->info().feed_id(), 2, "branch");
  ASSERT_TRUE(forked.ok()) << forked.status();
  const auto branch = Open(*client, forked->spec(), "branch");
  v1::PushWeightsHeader push = PushOf(2);
  push.set_replaces(3);
  const std::string weights = LinearWeights(NetworkOf(20));
  const absl::Status refused = client->PushWeights(push, weights).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("and set header.rewind"));
  push.set_rewind(true);
  ASSERT_TRUE(client->PushWeights(push, weights).ok());
  EXPECT_EQ(branch->GetBatch(1, {})->Digest(), first[1]);
  EXPECT_EQ(branch->GetBatch(2, {})->Digest(), Frozen(20, 2));
  EXPECT_EQ(feed->GetBatch(2, {})->Digest(), first[2]);  // as it was written down
}

TEST_F(PushTest, ABatchThatWaitsTooLongSaysForWhat) {
  const auto server = StartServer("a", {"--weights-wait-ms", "10"});
  const auto client = ConnectTo(*server);
  Register(*client);
  const auto feed = Open(*client, MixMatch(v1::Guess::LOCKSTEP));
  const absl::Status status = feed->GetBatch(3, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("update 3 of model \"net\" are not pushed yet; the newest are of update 0"));
}

TEST_F(PushTest, TheServerTellsWhatWaitsAndDrawsNoPictureOfIt) {
  const auto server = StartServer("a");
  const auto client = ConnectTo(*server);
  Register(*client);
  const auto feed = Open(*client, MixMatch(v1::Guess::LOCKSTEP));
  const absl::Status picture = feed->RenderContactSheet(5, 4, 1).status();
  EXPECT_EQ(picture.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(picture.message()),
              HasSubstr("update 5 of model \"net\" are not pushed yet"));
  EXPECT_TRUE(feed->RenderContactSheet(0, 4, 1).ok());
  EXPECT_EQ(client->GetServerInfo()->waiting_batches(), 0u);
  std::thread reader([&] { EXPECT_TRUE(feed->GetBatch(1, {}).ok()); });
  AwaitWaitingBatch(*client);
  EXPECT_TRUE(Push(*client, 1).ok());
  reader.join();
  EXPECT_EQ(client->GetServerInfo()->waiting_batches(), 0u);
}

TEST_F(PushTest, AnIntervalThatAFeedsPolicyCannotMeetIsRefused) {
  const auto server = StartServer("a", {"--keep-versions", "5"});
  const auto client = ConnectTo(*server);
  Register(*client);
  v1::PushWeightsHeader header;
  header.set_model("net");
  header.set_update(4);
  header.set_push_every(4);
  const std::string weights = LinearWeights(NetworkOf(1));
  for (const v1::FeedSpec& spec :
       {MixMatch(v1::Guess::LOCKSTEP), MixMatch(v1::Guess::DELAYED, 3)}) {
    const auto feed = Open(*client, spec);
    const absl::Status refused = client->PushWeights(header, weights).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("header.push_every is 4, but feed"));
    ASSERT_TRUE(feed->Close().ok());
  }
  ASSERT_TRUE(client->PushWeights(header, weights).ok());
  const absl::Status lockstep = client->OpenFeed(MixMatch(v1::Guess::LOCKSTEP), "r").status();
  EXPECT_EQ(lockstep.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(lockstep.message()), HasSubstr("pushes every 4 updates"));
  EXPECT_TRUE(client->OpenFeed(MixMatch(v1::Guess::NEWEST), "r").ok());
  const absl::Status delay = client->OpenFeed(MixMatch(v1::Guess::DELAYED, 5), "r").status();
  EXPECT_EQ(delay.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(delay.message()), HasSubstr("recipe.guess.delay is 5; allowed: below 5"));
}

}  // namespace
}  // namespace mixfeed::testing
