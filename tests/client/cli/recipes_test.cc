// `mixfeed recipes`, and --set.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/cli.h"
#include "client/cli/spec_field.h"

namespace mixfeed {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;

class RecipesTest : public ::testing::Test {
 protected:
  int Run(const std::vector<std::string>& args) {
    std::ostringstream out, err;
    const int code = RunCli(args, out, err);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  std::string out_;
  std::string err_;
};

TEST_F(RecipesTest, ListsNamesSummariesAndSources) {
  ASSERT_EQ(Run({"recipes"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("mixmatch/yu1ut"));
  EXPECT_THAT(out_, HasSubstr("https://github.com/clovaai/CutMix-PyTorch"));
  ASSERT_EQ(Run({"recipes", "--json"}), kExitOk) << err_;
  const ordered_json list = ordered_json::parse(out_);
  EXPECT_EQ(list[0]["name"], "mixmatch");
  EXPECT_EQ(list[0]["normalisation"], "signed");
}

TEST_F(RecipesTest, ShowsEveryFieldWithMeaningRangeAndSource) {
  ASSERT_EQ(Run({"recipes", "show", "mixmatch"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("recipe.mix.alpha = 0.75"));
  EXPECT_THAT(out_, HasSubstr("allowed: 0.01..101. Source: runs/table*.sh: 0.75"));
  EXPECT_THAT(out_, HasSubstr("split.labelled = 250"));
  ASSERT_EQ(Run({"recipes", "show", "mixmatch", "--json"}), kExitOk) << err_;
  const ordered_json recipe = ordered_json::parse(out_);
  bool found = false;
  for (const ordered_json& field : recipe["fields"]) {
    if (field["path"] != "recipe.mix.mode") continue;
    found = true;
    EXPECT_EQ(field["value"], "xxy.yxy");
    EXPECT_EQ(field["read"], true);
    EXPECT_EQ(field["source"], "mixmatch.py: xxy.yxy");
  }
  EXPECT_TRUE(found);
}

TEST_F(RecipesTest, DiffNamesWhatDiffersAndNothingElse) {
  ASSERT_EQ(Run({"recipes", "diff", "mixmatch/torchssl", "mixmatch/usb", "--json"}), kExitOk);
  EXPECT_EQ(ordered_json::parse(out_).size(), 0u) << "their order of flip and crop is not read";
  ASSERT_EQ(Run({"recipes", "diff", "mixmatch/torchssl", "mixmatch/usb"}), kExitOk);
  EXPECT_EQ(out_, "mixmatch/torchssl and mixmatch/usb make the same batches\n");
  ASSERT_EQ(Run({"recipes", "diff", "mixup", "mixup/inputs-only", "--json"}), kExitOk);
  const ordered_json difference = ordered_json::parse(out_);
  ASSERT_EQ(difference.size(), 1u);
  EXPECT_EQ(difference[0]["path"], "recipe.mix.targets");
  EXPECT_EQ(difference[0]["a"]["value"], "mixed");
  EXPECT_EQ(difference[0]["b"]["value"], "own");
  ASSERT_EQ(Run({"recipes", "diff", "mixup", "mixup/inputs-only"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("recipe.mix.targets"));
}

TEST_F(RecipesTest, UnknownNamesAndWrongUsageAreErrors) {
  EXPECT_EQ(Run({"recipes", "show", "mixmash"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("recipe is \"mixmash\"; known: mixmatch, "));
  EXPECT_EQ(Run({"recipes", "show"}), kExitUsage);
  EXPECT_EQ(Run({"recipes", "diff", "mixup"}), kExitUsage);
}

TEST(SetSpecFieldTest, SetsEveryKindOfField) {
  v1::FeedSpec spec;
  for (const char* text :
       {"recipe.mix.alpha=0.5", "recipe.mix.lambda_floor=false", "recipe.views=3",
        "recipe.mix.mode=xx.yy", "recipe.mix.lambda_scope=per-batch", "recipe.mix.layers=0,2",
        "recipe.guess.model=small", "recipe.weight.ramp=steps", "split.labelled=500",
        "split.per_class=1,2", "seed=7"}) {
    EXPECT_EQ(SetSpecField(text, &spec), "") << text;
  }
  EXPECT_EQ(spec.recipe().mix().alpha(), 0.5);
  EXPECT_TRUE(spec.recipe().mix().has_lambda_floor());
  EXPECT_EQ(spec.recipe().views(), 3u);
  EXPECT_EQ(spec.recipe().mix().mode(), v1::Mix::XX_YY);
  EXPECT_EQ(spec.recipe().mix().lambda_scope(), v1::Mix::PER_BATCH);
  EXPECT_THAT(spec.recipe().mix().layers(), ::testing::ElementsAre(0, 2));
  EXPECT_EQ(spec.recipe().guess().model(), "small");
  EXPECT_EQ(spec.recipe().weight().ramp(), v1::UnlabelledWeight::STEPS);
  EXPECT_EQ(spec.split().labelled(), 500u);
  EXPECT_THAT(spec.split().per_class(), ::testing::ElementsAre(1, 2));
  EXPECT_EQ(spec.seed(), 7u);
}

// All names that `recipes show` prints.
TEST(SetSpecFieldTest, KnowsEveryMixMode) {
  const std::pair<const char*, v1::Mix::Mode> modes[] = {
      {"xxy.yxy", v1::Mix::XXY_YXY}, {"xx.yy", v1::Mix::XX_YY}, {"xx.yxy", v1::Mix::XX_YXY},
      {"xx.yx", v1::Mix::XX_YX},     {"xx.", v1::Mix::XX},      {".yy", v1::Mix::YY},
      {"xxy.", v1::Mix::XXY},        {".yxy", v1::Mix::YXY},    {".", v1::Mix::NOTHING}};
  for (const auto& [text, mode] : modes) {
    v1::FeedSpec spec;
    EXPECT_EQ(SetSpecField(std::string("recipe.mix.mode=") + text, &spec), "") << text;
    EXPECT_EQ(spec.recipe().mix().mode(), mode) << text;
  }
}

TEST(SetSpecFieldTest, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"recipe.mix.alpha", "is not PATH=VALUE"},
      {"recipe.mix.gamma=1", "'recipe.mix.gamma' is no field"},
      {"recipe.views.x=1", "'recipe.views.x' is no field"},
      {"recipe.mix=1", "'mix' is a group of fields"},
      {"recipe.mix.alpha=x", "'x' is not a number"},
      {"recipe.views=-1", "'-1' is not a whole number from 0 up"},
      {"split.labelled=a", "'a' is not a whole number from 0 up"},
      {"recipe.mix.enabled=yes", "'yes' is not true or false"},
      {"recipe.mix.pairing=random", "'random' is not one of permutation, reversed, rolled, halves"},
      {"recipe.mix.pairing=pairing_unspecified", "is not one of"},
      {"recipe.mix.layers=0,x", "'0,x' is not whole numbers"},
  };
  for (const auto& [text, wrong] : cases) {
    v1::FeedSpec spec;
    EXPECT_THAT(SetSpecField(text, &spec), HasSubstr(wrong)) << text;
  }
}

}  // namespace
}  // namespace mixfeed
