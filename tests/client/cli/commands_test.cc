#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/index_bar.h"
#include "client/feed_client.h"
#include "tests/client/cli/cli_fixture.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using testing::Keys;
using testing::ordered_json;
using testing::TempDir;
using CommandsTest = testing::CliTest;

TEST_F(CommandsTest, InfoJsonHasWhatTheContractSays) {
  ASSERT_EQ(Run({"info", "--json"}), kExitOk) << err_;
  const ordered_json info = Object();
  EXPECT_THAT(Keys(info), IsSupersetOf({"version", "device", "datasets", "models", "feeds"}));
  EXPECT_EQ(info["version"], "1.2.3");
  EXPECT_EQ(info["datasets"][0]["train_images"], 50000);
  EXPECT_EQ(info["models"][0]["name"], "small");
  EXPECT_EQ(info["feeds"][0]["spec"]["dataset"], "fake");
}

TEST_F(CommandsTest, InfoShowsUnusableDatasets) {
  ASSERT_EQ(Run({"info"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("fake device"), HasSubstr("unusable: file.bin: truncated"),
                          HasSubstr("resnet-small"), HasSubstr("3 batches wait for weights")));
}

TEST_F(CommandsTest, OpenShowsTheResolvedFeed) {
  ASSERT_EQ(Run({"open", "--batch", "9", "--run", "a"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("feed " + server_.feed().feed_id()), HasSubstr("without end")));
  EXPECT_EQ(server_.last_open().spec().batch(), 9u);
  EXPECT_EQ(server_.last_open().run(), "a");
  ASSERT_EQ(Run({"open", "--json"}), kExitOk) << err_;
  EXPECT_EQ(Object()["feed_id"], server_.feed().feed_id());
  EXPECT_EQ(Object()["steps"], nullptr);
}

TEST_F(CommandsTest, ValuesThatTheFeedDoesNotReadAreNoted) {
  v1::OpenFeedResponse feed = server_.feed();
  feed.mutable_spec()->mutable_recipe()->set_preset("mixup");
  feed.mutable_spec()->mutable_split()->set_rule(v1::Split::ALL);
  server_.SetFeed(feed);
  ASSERT_EQ(Run({"open", "--recipe", "mixup", "--temperature", "0.5", "--alpha", "0.5", "--set",
                 "recipe.mix.lambda_low=0.7", "--split-seed", "2", "--json"}),
            kExitOk);
  EXPECT_EQ(err_,
            "note: --split-seed has no effect, since every image is labelled and none held out "
            "(split.rule); see `mixfeed recipes show mixup`\n"
            "note: --temperature has no effect, since nothing is guessed (recipe.rows); see "
            "`mixfeed recipes show mixup`\n"
            "note: recipe.mix.lambda_low has no effect, since lambda has no uniform law "
            "(recipe.mix.lambda_law); see `mixfeed recipes show mixup`\n");
  EXPECT_EQ(Object()["feed_id"], feed.feed_id());
}

TEST_F(CommandsTest, OpenNotesTheModelsThatAreNotRegisteredYet) {
  v1::OpenFeedResponse feed = server_.feed();
  v1::Recipe* const recipe = feed.mutable_spec()->mutable_recipe();
  recipe->set_rows(v1::Recipe::LABELLED_AND_UNLABELLED);
  recipe->mutable_guess()->set_model("nosuch,small");
  server_.SetFeed(feed);
  ASSERT_EQ(Run({"open", "--json"}), kExitOk) << err_;
  EXPECT_EQ(err_,
            "note: recipe.guess.model is \"nosuch\", which is not registered yet; there are no "
            "batches before `mixfeed model register`, only views, for trainers that guess "
            "themselves\n");
  EXPECT_EQ(Object()["feed_id"], feed.feed_id());
  for (const char* registered : {"small", ""}) {
    recipe->mutable_guess()->set_model(registered);
    server_.SetFeed(feed);
    ASSERT_EQ(Run({"open"}), kExitOk) << err_;
    EXPECT_THAT(err_, IsEmpty());
  }
  recipe->set_rows(v1::Recipe::LABELLED);
  recipe->mutable_guess()->set_model("nosuch");
  server_.SetFeed(feed);
  ASSERT_EQ(Run({"open"}), kExitOk) << err_;
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(CommandsTest, NotesFollowTheResolvedSpec) {
  v1::OpenFeedResponse feed = server_.feed();
  feed.mutable_spec()->mutable_recipe()->set_preset("mixup");
  feed.mutable_spec()->mutable_recipe()->mutable_mix()->set_lambda_law(v1::Mix::UNIFORM);
  server_.SetFeed(feed);
  ASSERT_EQ(Run({"open", "--set", "recipe.mix.lambda_low=0.7"}), kExitOk);
  EXPECT_THAT(err_, IsEmpty());
  ASSERT_EQ(Run({"open", "--alpha", "0.5"}), kExitOk);
  EXPECT_THAT(err_, HasSubstr("--alpha has no effect, since no blend draws from Beta"));
}

TEST_F(CommandsTest, RecipesThatOnlyTheServerKnowsAreNotJudged) {
  v1::OpenFeedResponse feed = server_.feed();
  feed.mutable_spec()->mutable_recipe()->set_preset("unheard-of");
  server_.SetFeed(feed);
  ASSERT_EQ(Run({"open", "--temperature", "0.5"}), kExitOk);
  EXPECT_THAT(err_, IsEmpty());
}

const absl::Status kBeingBuilt = absl::UnavailableError("the index is being built, 25 % are done");

TEST_F(CommandsTest, ABarShowsHowFarTheNeighbourIndexIs) {
  server_.SetIndexProgress({0.25}, kBeingBuilt);
  ASSERT_EQ(Run({"open"}, {.terminal = true}), kExitOk) << err_;
  EXPECT_THAT(err_,
              HasSubstr("[######..................] the 20 nearest of 600 images of fake, 25 %"));
}

class OpenWhenBuiltTest : public CommandsTest {
 protected:
  // Short, so that a refusal is not retried for long before the server is asked.
  const std::unique_ptr<FeedClient> client_ = ConnectFor(500);
  const std::unique_ptr<FeedClient> questions_ = ConnectFor(5000);

 private:
  std::unique_ptr<FeedClient> ConnectFor(int64_t deadline_ms) {
    auto client =
        FeedClient::Connect({.server = server_.address(), .tls = {}, .deadline_ms = deadline_ms});
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }
};

TEST_F(OpenWhenBuiltTest, WaitsAsLongAsTheIndexIsBeingBuiltAndOpensOneRun) {
  server_.SetIndexProgress({0.1, 0.5, 0.9}, kBeingBuilt);
  const auto feed = OpenWhenBuilt(client_.get(), questions_.get(), {}, "");
  ASSERT_TRUE(feed.ok()) << feed.status();
  std::set<std::string> runs;
  for (const v1::OpenFeedRequest& open : server_.opens()) runs.insert(open.run());
  EXPECT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs.begin()->size(), 16u);
}

TEST_F(OpenWhenBuiltTest, TheDeadlineOfAnAttemptIsNotTheEndOfTheWait) {
  server_.SetIndexProgress({0.1, 0.5}, absl::DeadlineExceededError("too late"));
  const auto feed = OpenWhenBuilt(client_.get(), questions_.get(), {}, "a");
  EXPECT_TRUE(feed.ok()) << feed.status();
  EXPECT_EQ(server_.last_open().run(), "a");
}

TEST_F(OpenWhenBuiltTest, DoesNotWaitForAServerThatBuildsNothing) {
  server_.Fail("OpenFeed", kBeingBuilt, 1000);
  EXPECT_EQ(OpenWhenBuilt(client_.get(), questions_.get(), {}, "").status(), kBeingBuilt);
}

TEST_F(OpenWhenBuiltTest, EndsWithTheRefusalWhenTheServerDoesNotSayWhatItBuilds) {
  server_.Fail("OpenFeed", kBeingBuilt, 1000);
  server_.Fail("GetServerInfo", absl::PermissionDeniedError("not for you"), 1000);
  EXPECT_EQ(OpenWhenBuilt(client_.get(), questions_.get(), {}, "").status(), kBeingBuilt);
}

TEST_F(CommandsTest, TheSpecThatOpenPrintsCanBeGivenToSpec) {
  ASSERT_EQ(Run({"open", "--json"}), kExitOk) << err_;
  const TempDir dir;
  std::ofstream(dir.File("spec.json")) << Object()["spec"].dump();
  ASSERT_EQ(Run({"open", "--spec", dir.File("spec.json")}), kExitOk) << err_;
  EXPECT_EQ(server_.last_open().spec().SerializeAsString(),
            server_.feed().spec().SerializeAsString());
}

TEST_F(CommandsTest, ExplainJsonHasWhatTheContractSays) {
  v1::GetPlanResponse plan;
  v1::PlanRow* labelled = plan.add_rows();
  labelled->set_pool(v1::LABELLED);
  labelled->set_label(4);
  labelled->set_lambda(0.5f);
  plan.add_rows()->set_pool(v1::UNLABELLED);
  plan.add_order(0);
  plan.add_order(1);
  server_.SetPlan(plan);
  ASSERT_EQ(Run({"explain", "--step", "7", "--json"}), kExitOk) << err_;
  EXPECT_THAT(Keys(Object()), ElementsAre("step", "rows", "order", "layer", "unlabelled_weight"));
  EXPECT_EQ(Object()["step"], 7);
  EXPECT_THAT(Keys(Object()["rows"][0]),
              IsSupersetOf({"sample", "pool", "label", "crop_y", "crop_x", "flip", "view",
                            "partner", "lambda"}));
  EXPECT_EQ(Object()["rows"][0]["label"], 4);
  EXPECT_EQ(Object()["rows"][1]["label"], nullptr);
  ASSERT_EQ(Run({"explain", "--step", "7"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("step 7"), HasSubstr("unlabelled"), HasSubstr("0.500000")));
}

// Lines of the table under the head, by row.
std::vector<std::string> TableRows(const std::string& text) {
  std::istringstream lines(text.substr(text.find("\nrow ") + 1));
  std::vector<std::string> rows;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) rows.push_back(line);
  return rows;
}

TEST_F(CommandsTest, ExplainTellsMixedRowsFromUnmixedAndUnsentOnes) {
  v1::GetPlanResponse plan;
  for (const uint32_t partner : {2u, 1u, 2u}) {
    v1::PlanRow* const row = plan.add_rows();
    row->set_partner(partner);
    row->set_lambda(0.25f);
  }
  plan.add_order(1);
  plan.add_order(0);
  server_.SetPlan(plan);
  ASSERT_EQ(Run({"explain"}), kExitOk) << err_;
  const std::vector<std::string> rows = TableRows(out_);
  ASSERT_EQ(rows.size(), 3u) << out_;
  EXPECT_THAT(rows[0], AllOf(HasSubstr(" 2 "), HasSubstr("0.250000")));
  EXPECT_THAT(rows[1], HasSubstr("not mixed"));
  EXPECT_THAT(rows[2], HasSubstr("partner only, not sent"));
  for (const char* head : {"box", "hole", "warp", "light", "further"}) {
    EXPECT_THAT(out_, ::testing::Not(HasSubstr(head)));
  }
}

TEST_F(CommandsTest, ExplainShowsWhatDefinesTheRecipe) {
  v1::GetPlanResponse plan;
  v1::PlanRow* const row = plan.add_rows();
  row->set_partner(1);
  plan.add_rows()->set_partner(0);
  v1::Box* const box = row->mutable_box();
  box->set_y0(1);
  box->set_x0(2);
  box->set_y1(10);
  box->set_x1(20);
  row->mutable_hole()->set_y1(16);
  row->mutable_hole()->set_x1(8);
  row->add_more_partner(5);
  row->add_more_weight(0.125f);
  row->set_contrast(1.5);
  row->set_brightness(-0.25);
  // Mirrored, and magnified twice about the centre (0.5, 0.5) of the fake's images.
  for (const float entry : {-0.5f, 0.f, 0.75f, 0.f, 0.5f, 0.25f, 0.f, 0.f}) row->add_map(entry);
  plan.add_order(0);
  plan.set_unlabelled_weight(12.5);
  server_.SetPlan(plan);
  ASSERT_EQ(Run({"explain"}), kExitOk) << err_;
  for (const char* text :
       {"1,2..10,20", "0,0..16,8", "5 (0.125000)", "brightness -0.250, contrast 1.500",
        "0.0 deg, zoom 2.000", "lambda_u 12.5"}) {
    EXPECT_THAT(out_, HasSubstr(text));
  }
}

TEST_F(CommandsTest, ExplainNamesTheHiddenLayer) {
  v1::GetPlanResponse plan;
  plan.set_layer(2);
  server_.SetPlan(plan);
  ASSERT_EQ(Run({"explain"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("layer 2: rows are sent unmixed"));
}

TEST_F(CommandsTest, FilesThatCannotBeWrittenAreNamed) {
  for (const char* command : {"peek", "split"}) {
    for (const std::string path : {"/nowhere/file.png", "/dev/full"}) {
      EXPECT_EQ(Run({command, "--out", path}), kExitError);
      EXPECT_THAT(err_, HasSubstr("cannot write '" + path + "'"));
    }
  }
}

TEST_F(CommandsTest, NumbersOutOfRangeAndOtherPictureNamesAreWrongUsage) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"peek", "--rows", "0"}, "--rows: '0' is not a whole number from 1 to 256"},
      {{"peek", "--rows", "257"}, "--rows: '257' is not"},
      {{"peek", "--scale", "0"}, "--scale: '0' is not a whole number from 1 to 8"},
      {{"peek", "--step", "-1"}, "--step: '-1' is not a whole number from 0 up"},
      {{"peek", "--out", "x.jpg"}, "--out: 'x.jpg' does not end in .png"},
      {{"peek", "--out", "x"}, "--out: 'x' does not end in .png"},
      {{"explain", "--step", "-1"}, "--step: '-1' is not a whole number from 0 up"},
      {{"pull", "--steps", "-1"}, "--steps: '-1' is not a whole number from 0 up"},
      {{"pull", "--world", "0"}, "--world: '0' is not a whole number from 1 to 4294967295"},
      {{"open", "--labels", "0"}, "--labels: '0' is not all or a whole number from 1 up"},
      // Regression: CLI11 takes 010 for 8.
      {{"explain", "--step", "010"},
       "--step: '010' is not a whole number from 0 up, in its range, without leading zeros"},
      {{"peek", "--rows", "010"}, "--rows: '010' is not a whole number from 1 to 256"},
      {{"fork", "FEED", "--run", "a", "--step", "-1"}, "--step: '-1' is not a whole number"},
      {{"model", "push", "m", "--file", "f", "--update", "0120"}, "--update: '0120' is not"},
      {{"model", "push", "m", "--file", "f", "--update", "1", "--replaces", "-1"},
       "--replaces: '-1' is not a whole number from 0"},
      {{"model", "push", "m", "--file", "f", "--update", "1", "--push-every", "-1"},
       "--push-every: '-1' is not a whole number from 0 to 4294967295"},
      // Regression: the seed was 2^64 - 1.
      {{"model", "register", "m", "--kind", "resnet-small", "--init-seed", "-1"},
       "--init-seed: '-1' is not a whole number from 0 up"},
      {{"model", "register", "m", "--kind", "resnet-small", "--update", "-1"}, "--update: '-1'"},
      {{"model", "register", "m", "--kind", "resnet-small", "--classes", "-1"}, "--classes: '-1'"},
      {{"bench", "--threads", "-1"}, "--threads: '-1' is not a whole number from 0"},
      {{"bench", "--guess-threads", "-1"}, "--guess-threads: '-1' is not a whole number from 0"},
  };
  for (const auto& [args, message] : cases) {
    EXPECT_EQ(Run(args), kExitUsage) << message;
    EXPECT_THAT(err_, HasSubstr(message));
  }
}

TEST_F(CommandsTest, SplitPrintsIndexLists) {
  ASSERT_EQ(Run({"split"}), kExitOk) << err_;
  EXPECT_EQ(out_, "labelled 5 17\nunlabelled 1\nvalidation\n");
  ASSERT_EQ(Run({"split", "--json"}), kExitOk) << err_;
  EXPECT_EQ(out_, "{\"labelled\":[5,17],\"unlabelled\":[1],\"validation\":[]}\n");
}

TEST_F(CommandsTest, SplitWritesAFile) {
  const TempDir dir;
  ASSERT_EQ(Run({"split", "--out", dir.File("split.txt")}), kExitOk) << err_;
  EXPECT_EQ(testing::ReadBytes(dir.File("split.txt")), "labelled 5 17\nunlabelled 1\nvalidation\n");
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(CommandsTest, ModelRegisterSendsHeaderAndFile) {
  const TempDir dir;
  std::ofstream(dir.File("model.pt")) << "archive";
  ASSERT_EQ(Run({"model", "register", "mine", "--kind", "torchscript", "--file",
                 dir.File("model.pt"), "--update", "9", "--classes", "7", "--init-seed", "5",
                 "--normalise", "cifar10", "--statistics", "running"}),
            kExitOk)
      << err_;
  const v1::RegisterModelHeader header = server_.last_header();
  EXPECT_EQ(header.name(), "mine");
  EXPECT_EQ(header.kind(), "torchscript");
  EXPECT_EQ(header.update(), 9u);
  EXPECT_EQ(header.classes(), 7u);
  EXPECT_EQ(header.init_seed(), 5u);
  EXPECT_EQ(header.normalisation().name(), "cifar10");
  EXPECT_FALSE(header.batch_statistics());
  EXPECT_THAT(server_.chunks(), ElementsAre(7u));
  EXPECT_THAT(out_, HasSubstr("registered small version 3"));
}

TEST_F(CommandsTest, ModelRegisterSendsTheAddressOfAModelElsewhere) {
  ASSERT_EQ(Run({"model", "register", "far", "--kind", "kserve", "--address", "host:8001/net/2"}),
            kExitOk)
      << err_;
  EXPECT_EQ(server_.last_header().address(), "host:8001/net/2");
  EXPECT_FALSE(server_.last_header().has_batch_statistics());
}

TEST_F(CommandsTest, ModelRegisterWantsBatchStatisticsByDefault) {
  ASSERT_EQ(Run({"model", "register", "small", "--kind", "resnet-small", "--json"}), kExitOk);
  EXPECT_TRUE(server_.last_header().batch_statistics());
  EXPECT_FALSE(server_.last_header().has_normalisation());
  EXPECT_EQ(Object()["version"], 3);
}

TEST_F(CommandsTest, ModelRegisterNamesAFileThatIsNotThere) {
  EXPECT_EQ(Run({"model", "register", "mine", "--kind", "torchscript", "--file", "/none.pt"}),
            kExitError);
  EXPECT_THAT(err_, HasSubstr("--file: cannot read '/none.pt'"));
}

TEST_F(CommandsTest, ForkBranchesARun) {
  const std::vector<std::string> fork = {"fork", "0123", "--step", "200", "--run", "branch"};
  ASSERT_EQ(Run(fork), kExitOk) << err_;
  EXPECT_EQ(server_.last_fork().feed_id(), "0123");
  EXPECT_EQ(server_.last_fork().step(), 200u);
  EXPECT_EQ(server_.last_fork().run(), "branch");
  EXPECT_THAT(out_,
              HasSubstr("run branch\nshares the guesses of the steps below 200 with feed 0123"));
  EXPECT_THAT(server_.last_fork().model(), IsEmpty());
  std::vector<std::string> json = fork;
  json.insert(json.end(), {"--model", "other", "--json"});
  ASSERT_EQ(Run(json), kExitOk) << err_;
  EXPECT_EQ(Object()["run"], "branch");
  EXPECT_EQ(server_.last_fork().model(), "other");
  EXPECT_NE(Run({"fork", "0123", "--step", "200"}), kExitOk);
  EXPECT_THAT(err_, HasSubstr("--run is required"));
}

TEST_F(CommandsTest, ModelPushReplacesTheNewestVersion) {
  const TempDir dir;
  std::ofstream(dir.File("w.safetensors")) << "weights";
  const std::vector<std::string> push = {
      "model", "push", "small", "--file", dir.File("w.safetensors"), "--update", "12"};
  ASSERT_EQ(Run(push), kExitOk) << err_;
  const v1::PushWeightsHeader header = server_.last_push();
  EXPECT_EQ(header.model(), "small");
  EXPECT_EQ(header.update(), 12u);
  EXPECT_EQ(header.replaces(), 3u);  // what ListModels says
  EXPECT_FALSE(header.partial());
  EXPECT_FALSE(header.rewind());
  EXPECT_EQ(header.push_every(), 0u);
  EXPECT_THAT(server_.chunks(), ElementsAre(7u));
  EXPECT_THAT(out_, HasSubstr("small guesses with version 3"));
}

TEST_F(CommandsTest, ModelPushSendsEveryFlag) {
  const TempDir dir;
  std::ofstream(dir.File("w.safetensors")) << "weights";
  ASSERT_EQ(Run({"model", "push", "small", "--file", dir.File("w.safetensors"), "--update", "12",
                 "--replaces", "7", "--partial", "--rewind", "--push-every", "4", "--json"}),
            kExitOk)
      << err_;
  EXPECT_EQ(server_.last_push().replaces(), 7u);
  EXPECT_TRUE(server_.last_push().partial());
  EXPECT_TRUE(server_.last_push().rewind());
  EXPECT_EQ(server_.last_push().push_every(), 4u);
  EXPECT_EQ(Object()["version"], 3);
}

TEST_F(CommandsTest, ModelPushNeedsAFileAndAnUpdate) {
  EXPECT_NE(Run({"model", "push", "small", "--update", "1"}), kExitOk);
  EXPECT_THAT(err_, HasSubstr("--file is required"));
  EXPECT_NE(Run({"model", "push", "small", "--file", "x"}), kExitOk);
  EXPECT_THAT(err_, HasSubstr("--update is required"));
  EXPECT_EQ(Run({"model", "push", "small", "--file", "/none", "--update", "1"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("--file: cannot read '/none'"));
}

TEST_F(CommandsTest, FeedsToLookAtGuessWithTheNewestWeights) {
  const auto policy = [this](const std::vector<std::string>& args) {
    EXPECT_EQ(Run(args), kExitOk) << err_;
    return server_.opens().back().spec().recipe().guess().policy();
  };
  EXPECT_EQ(policy({"pull", "--steps", "1"}), v1::Guess::NEWEST);
  EXPECT_EQ(policy({"explain"}), v1::Guess::NEWEST);
  EXPECT_EQ(policy({"peek", "--out", TempDir().File("peek.png")}), v1::Guess::NEWEST);
  EXPECT_EQ(policy({"pull", "--steps", "1", "--policy", "lockstep"}), v1::Guess::LOCKSTEP);
  EXPECT_EQ(policy({"open"}), v1::Guess::POLICY_UNSPECIFIED);  // the recipe's
}

TEST_F(CommandsTest, ModelListShowsModels) {
  ASSERT_EQ(Run({"model", "list"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("small"), HasSubstr("resnet-small"), HasSubstr("batch")));
  ASSERT_EQ(Run({"model", "list", "--json"}), kExitOk) << err_;
  EXPECT_EQ(Object()["models"][0]["version"], 3);
}

}  // namespace
}  // namespace mixfeed
