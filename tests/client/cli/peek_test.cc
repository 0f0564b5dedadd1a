#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/client/cli/cli_fixture.h"
#include "tests/testing/file_bytes.h"
#include "tests/testing/temp_dir.h"

namespace mixfeed {
namespace {

using testing::CliTest;
using ::testing::HasSubstr;
using testing::TempDir;

TEST_F(CliTest, PeekSavesThePicture) {
  const TempDir dir;
  const std::vector<std::string> args = {
      "peek", "--step", "6", "--out", dir.File("batch.png"), "--rows", "12", "--scale", "4"};
  ASSERT_EQ(Run(args), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("step 6, 12 x 4 pixels"));
  EXPECT_EQ(testing::ReadBytes(dir.File("batch.png")), "png of step 6");
}

v1::GetPlanResponse PlanOfOneRow(float lambda, uint32_t partner, uint32_t layer = 0) {
  v1::GetPlanResponse plan;
  plan.set_layer(layer);
  plan.add_order(0);
  v1::PlanRow* const row = plan.add_rows();
  row->set_lambda(lambda);
  row->set_partner(partner);
  return plan;
}

// Without --step, of a server whose step 5 is the first that is visibly mixed.
class PeekTest : public CliTest {
 protected:
  PeekTest() {
    server_.SetPlan(PlanOfOneRow(0.996f, 1));
    server_.SetPlanOf(2, PlanOfOneRow(0.5f, 0));
    server_.SetPlanOf(3, PlanOfOneRow(0.5f, 1, /*layer=*/1));
    server_.SetPlanOf(4, PlanOfOneRow(0.2f, 1));
    server_.SetPlanOf(5, PlanOfOneRow(0.4f, 1));
    server_.SetPlanOf(6, PlanOfOneRow(0.5f, 1));
  }
  void SetRecipe(v1::Recipe::Rows rows, v1::Guess::Policy policy = v1::Guess::LOCKSTEP) {
    v1::OpenFeedResponse feed = server_.feed();
    v1::Recipe* const recipe = feed.mutable_spec()->mutable_recipe();
    recipe->set_rows(rows);
    recipe->mutable_guess()->set_policy(policy);
    recipe->mutable_mix()->set_enabled(true);
    server_.SetFeed(feed);
  }
  int StepOf(std::vector<std::string> args) {
    args.insert(args.begin(), {"peek", "--out", "/dev/null", "--json"});
    EXPECT_EQ(Run(args), kExitOk) << err_;
    return Object()["step"].get<int>();
  }
};

TEST_F(PeekTest, ShowsTheFirstStepThatIsVisiblyMixed) {
  SetRecipe(v1::Recipe::LABELLED);
  EXPECT_EQ(StepOf({}), 5);
  EXPECT_EQ(StepOf({"--rows", "3", "--run", "a"}), 5);
  ASSERT_EQ(Run({"peek", "--out", "/dev/null"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("step 5, "));
}

TEST_F(PeekTest, ShowsTheStepThatIsGiven) {
  SetRecipe(v1::Recipe::LABELLED);
  EXPECT_EQ(StepOf({"--step", "0"}), 0);
}

TEST_F(PeekTest, ShowsStep0WhereNoneOf64IsVisiblyMixed) {
  SetRecipe(v1::Recipe::LABELLED);
  for (const uint64_t step : {5u, 6u}) server_.SetPlanOf(step, PlanOfOneRow(0.8f, 1));
  server_.SetPlanOf(64, PlanOfOneRow(0.5f, 1));
  EXPECT_EQ(StepOf({}), 0);
}

TEST_F(PeekTest, LooksAtTheRowsThatAreShown) {
  SetRecipe(v1::Recipe::LABELLED);
  v1::GetPlanResponse plan = PlanOfOneRow(0.9f, 1);
  for (const uint32_t row : {1u, 2u, 3u}) {
    plan.add_order(row);
    *plan.add_rows() = PlanOfOneRow(row == 2 ? 0.5f : 0.9f, 0).rows(0);
  }
  server_.SetPlanOf(0, plan);
  EXPECT_EQ(StepOf({"--rows", "1"}), 5);  // row 0
  EXPECT_EQ(StepOf({"--rows", "2"}), 0);  // rows 0 and 2
}

TEST_F(PeekTest, APlanThatLacksRowsIsAnError) {
  SetRecipe(v1::Recipe::LABELLED);
  v1::GetPlanResponse plan = PlanOfOneRow(0.9f, 1);
  plan.add_order(1);
  server_.SetPlanOf(0, plan);
  EXPECT_EQ(Run({"peek", "--out", "/dev/null"}), kExitError);
  EXPECT_EQ(err_, "mixfeed: plan: of step 0 the server sends 2 rows, and plans 1\n");
}

// A picture of a step guesses it, for good: not with weights that are not there yet, and not in a
// run that a trainer may have.
TEST_F(PeekTest, GuessesNoLaterStepOfAnothersRun) {
  SetRecipe(v1::Recipe::LABELLED_AND_UNLABELLED, v1::Guess::NEWEST);
  EXPECT_EQ(StepOf({}), 5);
  EXPECT_EQ(StepOf({"--run", "a"}), 0);
  SetRecipe(v1::Recipe::LABELLED_AND_UNLABELLED, v1::Guess::PINNED);
  EXPECT_EQ(StepOf({"--run", "a"}), 5);
  for (const v1::Guess::Policy policy : {v1::Guess::LOCKSTEP, v1::Guess::DELAYED}) {
    SetRecipe(v1::Recipe::LABELLED_AND_UNLABELLED, policy);
    EXPECT_EQ(StepOf({}), 0);
  }
}

}  // namespace
}  // namespace mixfeed
