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
                          HasSubstr("resnet-small")));
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

TEST_F(CommandsTest, PeekSavesThePicture) {
  const TempDir dir;
  const std::vector<std::string> args = {
      "peek", "--step", "6", "--out", dir.File("batch.png"), "--rows", "12", "--scale", "4"};
  ASSERT_EQ(Run(args), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("step 6, 12 x 4 pixels"));
  std::ostringstream saved;
  saved << std::ifstream(dir.File("batch.png")).rdbuf();
  EXPECT_EQ(saved.str(), "png of step 6");
}

TEST_F(CommandsTest, FilesThatCannotBeWrittenAreNamed) {
  for (const char* command : {"peek", "split"}) {
    for (const std::string path : {"/nowhere/file", "/dev/full"}) {
      EXPECT_EQ(Run({command, "--out", path}), kExitError);
      EXPECT_THAT(err_, HasSubstr("cannot write '" + path + "'"));
    }
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
  std::ostringstream saved;
  saved << std::ifstream(dir.File("split.txt")).rdbuf();
  EXPECT_EQ(saved.str(), "labelled 5 17\nunlabelled 1\nvalidation\n");
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

TEST_F(CommandsTest, ModelListShowsModels) {
  ASSERT_EQ(Run({"model", "list"}), kExitOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("small"), HasSubstr("resnet-small"), HasSubstr("batch")));
  ASSERT_EQ(Run({"model", "list", "--json"}), kExitOk) << err_;
  EXPECT_EQ(Object()["models"][0]["version"], 3);
}

}  // namespace
}  // namespace mixfeed
