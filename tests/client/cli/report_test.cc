// `mixfeed report`, against a fake server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/client/cli/cli_fixture.h"
#include "tests/client/look/guess_spans.h"

namespace mixfeed {
namespace {

using testing::AddSpan;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ordered_json;
using testing::TwoClassStats;

// `sha256sum` of "labelled 5 17\nunlabelled 1\nvalidation\n", the fake server's split.
constexpr char kSplitSum[] = "890c15cbaf790d3888276285487ccc5eade2e3506c2254e6677648a0efb36bd1";
constexpr char kFeedId[] = "0123456789abcdef0123456789abcdef";  // of the fake server

v1::FeedInfo GuessingFeed() {
  v1::FeedInfo feed;
  feed.set_feed_id(kFeedId);
  feed.set_run("trial");
  feed.set_served(12);
  feed.set_served_through(9);
  v1::FeedSpec* const spec = feed.mutable_spec();
  spec->set_dataset("fake");
  spec->set_seed(7);
  spec->set_batch(32);
  spec->set_plan_version(1);
  spec->mutable_split()->set_seed(3);
  spec->mutable_split()->set_rule(v1::Split::MIXMATCH);
  v1::Recipe* const recipe = spec->mutable_recipe();
  recipe->set_preset("mixmatch");
  recipe->set_rows(v1::Recipe::LABELLED_AND_UNLABELLED);
  recipe->mutable_mix()->set_alpha(0.5);
  recipe->mutable_guess()->set_policy(v1::Guess::DELAYED);
  recipe->mutable_guess()->set_delay(4);
  recipe->mutable_guess()->set_batches_per_update(2);
  recipe->mutable_guess()->set_temperature(0.25);
  return feed;
}

class ReportTest : public testing::CliTest {
 protected:
  ReportTest() {
    v1::FeedInfo other;
    other.set_feed_id("other");
    other.set_run("other");
    other.mutable_spec()->set_dataset("fake");
    other.mutable_spec()->mutable_recipe()->set_preset("mixup");
    server_.SetFeeds({other, GuessingFeed()});
    v1::GetGuessStatsResponse stats = TwoClassStats();
    for (const uint64_t steps : {3u, 0u, 2u}) AddSpan(2, 64, &stats)->add_age_histogram(steps);
    stats.mutable_spans(2)->add_age_histogram(4);
    stats.mutable_spans(2)->add_age_histogram(1);
    stats.mutable_spans(2)->set_max_age(2);
    stats.set_warning("guesses collapse");
    server_.SetGuessStats(stats);
  }
};

TEST_F(ReportTest, SaysWhatAnAppendixNeeds) {
  ASSERT_EQ(Run({"report", "--run", "trial"}), kExitOk) << err_;
  EXPECT_THAT(out_,
              AllOf(HasSubstr("feed          " + std::string(kFeedId) + "\n"),
                    HasSubstr("run           trial\n"), HasSubstr("recipe        mixmatch\n"),
                    HasSubstr("plan version  1\n"), HasSubstr("seeds         7; of the split 3\n"),
                    HasSubstr("batch         32 labelled images a step\n"),
                    HasSubstr("dataset       fake, 50000 + 0 images of 0x0x0, 1 classes")));
  EXPECT_THAT(out_, AllOf(HasSubstr("2 labelled, 1 unlabelled, 0 held out; SHA-256 of `mixfeed "
                                    "split` " +
                                    std::string(kSplitSum)),
                          HasSubstr("server        mixfeed 1.2.3 on fake device\n"),
                          HasSubstr("guessed in    fake environment\n"),
                          HasSubstr("served        12 batches, of steps below 9, since")));
  EXPECT_THAT(out_, AllOf(HasSubstr("policy delayed by 4 updates, 2 batches an update, pushed "
                                    "weights, running statistics\n"),
                          HasSubstr("age of the weights (updates)  steps\n"
                                    "0                             5\n"
                                    "1                             4\n"
                                    "2..3                          1\n"),
                          HasSubstr("WARNING: guesses collapse\n")));
  EXPECT_THAT(out_, AllOf(HasSubstr("recipe.mix.alpha = 0.5    # mixmatch has 0.75\n"),
                          HasSubstr("recipe.views = 2\n"), Not(HasSubstr("lambda_low"))));
}

TEST_F(ReportTest, JsonHasTheSameAndTheWholeSpec) {
  ASSERT_EQ(Run({"report", "--feed", kFeedId, "--json"}), kExitOk) << err_;
  const ordered_json report = Object();
  EXPECT_THAT(testing::Keys(report),
              ElementsAre("feed_id", "run", "recipe", "plan_version", "seeds", "dataset", "split",
                          "builds", "served", "policy", "guesses", "models", "spec"));
  EXPECT_EQ(report["seeds"].dump(), R"({"seed":7,"split_seed":3})");
  EXPECT_EQ(report["split"].dump(), R"({"rule":"mixmatch","seed":3,"labelled":2,"unlabelled":1,)"
                                    R"("validation":0,"sha256":")" +
                                        std::string(kSplitSum) + R"("})");
  EXPECT_EQ(report["builds"]["server"], "1.2.3");
  EXPECT_EQ(report["builds"]["environment"], "fake environment");
  EXPECT_EQ(report["served"].dump(), R"({"batches":12,"below_step":9})");
  EXPECT_EQ(report["policy"]["policy"], "delayed");
  EXPECT_EQ(report["policy"]["delay"], 4);
  EXPECT_EQ(report["policy"]["version"], nullptr);
  EXPECT_EQ(report["guesses"]["staleness"].dump(),
            R"([{"age_first":0,"age_last":0,"steps":5},{"age_first":1,"age_last":1,"steps":4},)"
            R"({"age_first":2,"age_last":3,"steps":1}])");
  EXPECT_EQ(report["guesses"]["max_age"], 2);
  EXPECT_EQ(report["guesses"]["warning"], "guesses collapse");
  EXPECT_EQ(report["models"].size(), 0u);  // "net" guessed, which the server no longer has
  EXPECT_EQ(report["spec"]["recipe"]["mix"]["alpha"], 0.5);
}

TEST_F(ReportTest, PoliciesAreNamed) {
  v1::FeedInfo feed = GuessingFeed();
  v1::Guess* const guess = feed.mutable_spec()->mutable_recipe()->mutable_guess();
  const std::pair<v1::Guess::Policy, const char*> cases[] = {
      {v1::Guess::LOCKSTEP, "policy lockstep, 2 batches"},
      {v1::Guess::NEWEST, "policy newest, 2 batches"},
      {v1::Guess::PINNED, "policy pinned to version 6, 2 batches"}};
  guess->set_version(6);
  guess->set_ema(true);
  guess->set_batch_statistics(true);
  for (const auto& [policy, text] : cases) {
    guess->set_policy(policy);
    server_.SetFeeds({feed});
    ASSERT_EQ(Run({"report"}), kExitOk) << err_;
    EXPECT_THAT(out_, AllOf(HasSubstr(text), HasSubstr("averaged weights, batch statistics")));
  }
}

TEST_F(ReportTest, BeforeTheFirstGuessItSaysSo) {
  server_.SetGuessStats(TwoClassStats());
  ASSERT_EQ(Run({"report", "--run", "trial"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("no guesses have been made since the server opened the feed\n"),
                          // The only model there is.
                          HasSubstr("small  resnet-small  3        0       "
                                    "00112233445566778899aabbccddeeff\n")));
}

TEST_F(ReportTest, OfAFeedWithoutGuessesThereAreNone) {
  ASSERT_EQ(Run({"report", "--run", "other"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("recipe        mixup\n"), Not(HasSubstr("Guesses"))));
  ASSERT_EQ(Run({"report", "--run", "other", "--json"}), kExitOk) << err_;
  EXPECT_EQ(Object()["guesses"], nullptr);
  EXPECT_EQ(Object()["policy"], nullptr);
}

TEST_F(ReportTest, TheFeedThatEvaluatesARunIsNotMeant) {
  v1::FeedInfo evaluates = GuessingFeed();
  evaluates.set_feed_id("eval");
  evaluates.mutable_spec()->mutable_recipe()->set_preset("eval");
  evaluates.mutable_spec()->mutable_recipe()->set_rows(v1::Recipe::ORDERED);
  server_.SetFeeds({evaluates, GuessingFeed()});
  ASSERT_EQ(Run({"report", "--run", "trial"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("feed          " + std::string(kFeedId) + "\n"));
}

TEST_F(ReportTest, ARecipeThatThisProgramDoesNotKnowIsShownAsItCame) {
  v1::FeedInfo feed = GuessingFeed();
  feed.mutable_spec()->mutable_recipe()->set_preset("mixmatch/2030");
  server_.SetFeeds({feed});
  ASSERT_EQ(Run({"report"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("recipe        mixmatch/2030\n"),
                          HasSubstr("\"preset\": \"mixmatch/2030\"")));
}

TEST_F(ReportTest, WhatIsNotOneFeedIsRefused) {
  EXPECT_EQ(Run({"report", "--feed", "nope"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no feed \"nope\" is open; `mixfeed info` lists"));
  EXPECT_EQ(Run({"report", "--run", "nope"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no feed of run \"nope\" is open"));
  EXPECT_EQ(Run({"report"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("2 feeds are open; choose one with --feed: other (mixup), " +
                              std::string(kFeedId) + " (mixmatch)"));
  EXPECT_EQ(Run({"report", "--feed", kFeedId, "--run", "trial"}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("--feed excludes --run"));
}

TEST_F(ReportTest, WhatTheServerRefusesIsTheError) {
  for (const char* method : {"ListFeeds", "GetServerInfo", "GetSplit", "GetGuessStats"}) {
    server_.Fail(method, absl::InternalError("broken"), 1);
    EXPECT_EQ(Run({"report", "--feed", kFeedId}), kExitError) << method;
    EXPECT_THAT(err_, HasSubstr("broken"));
  }
}

}  // namespace
}  // namespace mixfeed
