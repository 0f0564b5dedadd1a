// `mixfeed model stats` and `mixfeed model watch`, against a fake server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/client/cli/cli_fixture.h"
#include "tests/client/look/guess_spans.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using testing::AddSpan;
using testing::AddValidation;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ordered_json;
using ::testing::StartsWith;
using testing::TempDir;
using testing::TwoClassStats;

constexpr char kFeedA[] = "aaaa";
constexpr char kFeedB[] = "bbbb";

v1::FeedInfo FeedOf(const std::string& id, const std::string& run, v1::Recipe::Rows rows) {
  v1::FeedInfo feed;
  feed.set_feed_id(id);
  feed.set_run(run);
  feed.mutable_spec()->mutable_recipe()->set_preset("mixmatch");
  feed.mutable_spec()->mutable_recipe()->set_rows(rows);
  return feed;
}

class ModelStatsTest : public testing::CliTest {
 protected:
  ModelStatsTest() {
    server_.SetFeeds({FeedOf("mixup", "trial", v1::Recipe::LABELLED),
                      FeedOf(kFeedA, "trial", v1::Recipe::LABELLED_AND_UNLABELLED)});
    v1::GetGuessStatsResponse stats = TwoClassStats();
    AddSpan(2, 64, &stats)->set_agreement(0.9375);
    v1::GuessSpan* const newest = AddSpan(3, 64, &stats);
    newest->set_agreement(0.875);
    newest->set_accuracy(0.8125);
    newest->set_age(1.5);
    AddValidation(newest)->set_drift(0.0625);
    server_.SetGuessStats(stats);
  }

  std::vector<std::string> OutLines() const {
    std::vector<std::string> lines;
    std::istringstream text(out_);
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  const TempDir dir_;
};

TEST_F(ModelStatsTest, PrintsALineAVersion) {
  ASSERT_EQ(Run({"model", "stats"}), kExitOk) << err_;
  const std::vector<std::string> lines = OutLines();
  ASSERT_EQ(lines.size(), 6u) << out_;
  EXPECT_EQ(lines[0],
            "feed aaaa of run trial, temperature 0.5; the labelled images have 2.00 classes");
  EXPECT_EQ(lines[2], "model net");
  EXPECT_EQ(lines[3],
            "version  update  images  conf   agree  acc    nats   classes  prior  age  v-acc  calib"
            "  drift");
  EXPECT_EQ(lines[4],
            "2        20      64      0.750  0.938  -      0.560  1.75     0.250  0.0  -      -"
            "      -");
  EXPECT_EQ(lines[5],
            "3        30      64      0.750  0.875  0.812  0.560  1.75     0.250  1.5  0.625  0.125"
            "  0.062");
}

TEST_F(ModelStatsTest, FitsAHundredColumnsAndTellsSpansAndModelsApart) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  AddSpan(1, 64, &stats)->set_model("first");
  v1::GuessSpan* const span = AddSpan(99999, 1000000, &stats);
  span->set_first_version(88888);
  span->set_update(99999);
  AddValidation(span);
  stats.set_warning("guesses collapse to few classes");
  server_.SetGuessStats(stats);
  ASSERT_EQ(Run({"model", "stats"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("model first\n"), HasSubstr("model net\n"),
                          HasSubstr("88888-99999  99999"),
                          HasSubstr("\nWARNING: guesses collapse to few classes\n")));
  for (const std::string& line : OutLines()) EXPECT_LE(line.size(), 100u) << line;
}

TEST_F(ModelStatsTest, SaysThatThereAreNoGuessesYet) {
  server_.SetGuessStats(TwoClassStats());
  ASSERT_EQ(Run({"model", "stats"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("no guesses yet"));
  ASSERT_EQ(Run({"model", "watch", "--count", "1"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("no guesses yet"));
}

TEST_F(ModelStatsTest, JsonIsTheWholeAnswer) {
  ASSERT_EQ(Run({"model", "stats", "--json"}), kExitOk) << err_;
  const ordered_json object = Object();
  EXPECT_EQ(object["feed_id"], kFeedA);
  EXPECT_EQ(object["class_names"], ordered_json::parse(R"(["cat", "dog"])"));
  EXPECT_EQ(object["spans"][0]["accuracy"], nullptr);
  EXPECT_EQ(object["spans"][0]["validation"], nullptr);
  EXPECT_EQ(object["spans"][1]["accuracy"], 0.8125);
  EXPECT_EQ(object["spans"][1]["confidence_histogram"][15], 64);
  EXPECT_EQ(object["spans"][1]["validation"]["drift"], 0.0625);
  EXPECT_EQ(object["spans"][1]["validation"]["drift_from"], nullptr);
}

TEST_F(ModelStatsTest, FindsTheFeedThatGuesses) {
  ASSERT_EQ(Run({"model", "stats"}), kExitOk) << err_;
  EXPECT_EQ(server_.last_stats().feed_id(), kFeedA);
  EXPECT_EQ(server_.last_stats().validate(), 8u);
  ASSERT_EQ(Run({"model", "stats", "--feed", "anything", "--validate", "0"}), kExitOk) << err_;
  EXPECT_EQ(server_.last_stats().feed_id(), "anything");
  EXPECT_EQ(server_.last_stats().validate(), 0u);
}

TEST_F(ModelStatsTest, TheRunChoosesAmongFeeds) {
  server_.SetFeeds({FeedOf(kFeedA, "trial", v1::Recipe::LABELLED_AND_UNLABELLED),
                    FeedOf(kFeedB, "other", v1::Recipe::LABELLED_AND_UNLABELLED)});
  ASSERT_EQ(Run({"model", "stats", "--run", "other"}), kExitOk) << err_;
  EXPECT_EQ(server_.last_stats().feed_id(), kFeedB);
  EXPECT_EQ(Run({"model", "stats"}), kExitError);
  EXPECT_THAT(err_,
              HasSubstr("2 feeds guess; choose one with --feed: aaaa (mixmatch), bbbb (mixmatch)"));
  EXPECT_EQ(Run({"model", "stats", "--run", "none"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no feed of run \"none\" that guesses is open"));
  EXPECT_EQ(Run({"model", "stats", "--run", "other", "--feed", kFeedA}), kExitUsage);
}

TEST_F(ModelStatsTest, TellsWhatTheServerSays) {
  server_.Fail("GetGuessStats", absl::FailedPreconditionError("feed x does not guess"), 1);
  EXPECT_EQ(Run({"model", "stats", "--feed", "x"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("feed x does not guess"));
}

TEST_F(ModelStatsTest, OptionsOutOfRangeAreRefused) {
  EXPECT_EQ(Run({"model", "stats", "--validate", "17"}), kExitUsage);
  EXPECT_EQ(Run({"model", "watch", "--interval", "0"}), kExitUsage);
  EXPECT_EQ(Run({"model", "watch", "--interval", "3601"}), kExitUsage);
  EXPECT_EQ(Run({"model", "watch", "--count", "-1"}), kExitUsage);
  EXPECT_EQ(Run({"model", "stats", "--png", "guesses.jpg"}), kExitUsage);
}

TEST_F(ModelStatsTest, DrawsAPng) {
  for (const char* command : {"stats", "watch"}) {
    const std::string path = dir_.File(command + std::string(".png"));
    std::vector<std::string> args = {"model", command, "--png", path};
    if (command == std::string("watch")) args.insert(args.end(), {"--count", "1"});
    ASSERT_EQ(Run(args), kExitOk) << err_;
    EXPECT_GT(std::filesystem::file_size(path), 10'000u) << command;
  }
}

TEST_F(ModelStatsTest, NothingIsDrawnOfNoGuesses) {
  server_.SetGuessStats(TwoClassStats());
  const std::string path = dir_.File("none.png");
  EXPECT_EQ(Run({"model", "stats", "--png", path}), kExitError);
  EXPECT_THAT(err_, HasSubstr("has made no guesses since its server opened it"));
  EXPECT_EQ(Run({"model", "watch", "--count", "1", "--png", path}), kExitOk) << err_;
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ModelStatsTest, APngThatCannotBeWrittenIsAnError) {
  EXPECT_EQ(Run({"model", "stats", "--png", dir_.File("no/such/folder.png")}), kExitError);
  EXPECT_THAT(err_, HasSubstr("--png"));
}

TEST_F(ModelStatsTest, WatchPrintsALineALookWhereThereIsNoTerminal) {
  ASSERT_EQ(Run({"model", "watch", "--count", "3", "--interval", "0.1"}), kExitOk) << err_;
  EXPECT_EQ(server_.calls("GetGuessStats"), 3);
  EXPECT_EQ(server_.last_stats().validate(), 1u);
  const std::vector<std::string> lines = OutLines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0],
            "update 30  version 3  images 128  confidence 0.750  agreement 0.906  accuracy 0.812  "
            "nats 0.560  classes 1.75  prior 0.250  age 0.8  calibration 0.125");
}

TEST_F(ModelStatsTest, WatchPrintsObjectsForScripts) {
  ASSERT_EQ(Run({"model", "watch", "--count", "2", "--interval", "0.1", "--json"}), kExitOk);
  ASSERT_EQ(Lines().size(), 2u);
  EXPECT_EQ(Lines()[1]["spans"][1]["version"], 3);
}

TEST_F(ModelStatsTest, WatchDrawsOverTheTerminal) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  AddSpan(2, 600, &stats)->set_agreement(0);
  v1::GuessSpan* const newest = AddSpan(3, 600, &stats);
  newest->set_agreement(1);
  AddValidation(newest);
  stats.set_warning("guesses collapse");
  server_.SetGuessStats(stats);
  ASSERT_EQ(Run({"model", "watch", "--count", "2", "--interval", "0.1"}, {.out_terminal = true}),
            kExitOk)
      << err_;
  EXPECT_THAT(out_, StartsWith("\033[H\033[2Jfeed aaaa of run trial"));
  EXPECT_NE(out_.find("\033[H\033[2J", 1), std::string::npos);
  EXPECT_THAT(out_, HasSubstr("model net, version 3; 1200 images of updates 20 to 30"));
  EXPECT_THAT(out_, HasSubstr("confidence            0.750  [##################......] ▆▆\n"));
  EXPECT_THAT(out_, HasSubstr("agreement             0.500  [############............] ▁█\n"));
  EXPECT_THAT(out_, HasSubstr("accuracy                  -  [........................]   \n"));
  // Known of the second part only.
  EXPECT_THAT(out_, HasSubstr("calibration error     0.125  [###.....................]  ▂\n"));
  EXPECT_THAT(out_, HasSubstr("cat                   0.750  [################|#######] 0.500\n"));
  EXPECT_THAT(out_, HasSubstr("dog                   0.250  [########........|.......] 0.500\n"));
  EXPECT_THAT(out_, HasSubstr("WARNING: guesses collapse\n"));
}

TEST_F(ModelStatsTest, TheScreenHasNoLinesForAValidationThatThereIsNot) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  AddSpan(2, 600, &stats);
  server_.SetGuessStats(stats);
  ASSERT_EQ(Run({"model", "watch", "--count", "1"}, {.out_terminal = true}), kExitOk) << err_;
  EXPECT_THAT(out_, Not(HasSubstr("calibration error")));
}

TEST_F(ModelStatsTest, OfManyClassesTheScreenHasTheMostGuessedOnes) {
  v1::GetGuessStatsResponse stats = TwoClassStats();
  v1::GuessSpan* const span = AddSpan(2, 600, &stats);
  span->clear_class_mean();
  stats.clear_class_names();
  stats.clear_prior();
  for (int c = 0; c < 100; ++c) {
    stats.add_class_names("thing" + std::to_string(c));
    stats.add_prior(0.01);
    span->add_class_mean(c / 4950.0);  // their sum is 1
  }
  server_.SetGuessStats(stats);
  ASSERT_EQ(Run({"model", "watch", "--count", "1"}, {.out_terminal = true}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("thing80 "), HasSubstr("thing99 "), Not(HasSubstr("thing79 ")),
                          HasSubstr("and 80 classes that are guessed less")));
}

TEST_F(ModelStatsTest, InterruptingEndsTheWatch) {
  Cancellation interrupt;
  std::thread signals([&] {
    server_.AwaitCalls("GetGuessStats", 1);
    EXPECT_TRUE(interrupt.Cancel());  // the watch takes it, so the process need not end
  });
  EXPECT_EQ(Run({"model", "watch", "--interval", "3600"}, {.interrupt = &interrupt}),
            kExitInterrupted);
  signals.join();
  EXPECT_EQ(server_.calls("GetGuessStats"), 1);
}

TEST_F(ModelStatsTest, HelpTeachesWhatTheColumnsAre) {
  ASSERT_EQ(RunAlone({"model", "stats", "--help"}), kExitOk);
  std::vector<std::string> columns = {"conf",  "agree", "acc",   "nats",  "classes",
                                      "prior", "age",   "v-acc", "calib", "drift"};
  for (const std::string& column : columns) EXPECT_THAT(out_, HasSubstr("  " + column + " "));
}

}  // namespace
}  // namespace mixfeed
