// `mixfeed recipes`, and --set.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "augment/recipe/describe.h"
#include "augment/recipe/presets.h"
#include "client/cli/cli.h"
#include "client/spec/spec_field.h"

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
  EXPECT_THAT(out_, HasSubstr("allowed: 0..2147483646"));  // of recipe.guess.version
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
  ASSERT_EQ(Run({"recipes", "diff", "mixup", "mixup/inputs-only", "--json"}), kExitOk);
  const ordered_json list = ordered_json::parse(out_);
  EXPECT_EQ(list[0]["path"], "recipe.mix.targets");
  EXPECT_EQ(list[0]["a"]["value"], "mixed");
  EXPECT_EQ(list[0]["b"]["value"], "own");
  for (size_t i = 1; i < list.size(); ++i) {
    EXPECT_THAT(std::string(list[i]["path"]), ::testing::Not(HasSubstr("recipe.")));
  }
  ASSERT_EQ(Run({"recipes", "diff", "mixup", "mixup/inputs-only"}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("recipe.mix.targets"));
  EXPECT_THAT(out_, ::testing::Not(HasSubstr("the same batches")));
}

// Regression: fields that are not read, normalisation and notes were left out.
TEST_F(RecipesTest, DiffComparesAllThatShowPrints) {
  ASSERT_EQ(Run({"recipes", "diff", "mixmatch/torchssl", "mixmatch/usb", "--json"}), kExitOk);
  std::vector<std::string> paths;
  for (const ordered_json& one : ordered_json::parse(out_)) paths.push_back(one["path"]);
  EXPECT_THAT(paths,
              ::testing::ElementsAre("recipe.view.order", "source", "normalisation", "notes"));
  ASSERT_EQ(Run({"recipes", "diff", "mixmatch/torchssl", "mixmatch/usb"}), kExitOk);
  for (const char* text :
       {"(flip_first, not read)", "(crop_first, not read)", "cifar10-wrn", "imagenet",
        "equal in distribution", "make the same batches before normalisation\n",
        "Notes of mixmatch/usb:\n- Trainer: the interleave is commented out"}) {
    EXPECT_THAT(out_, HasSubstr(text));
  }
}

TEST_F(RecipesTest, AnEditedRecipeCanBeShownAndCompared) {
  ASSERT_EQ(Run({"recipes", "show", "mixup", "--set", "recipe.mix.alpha=0.5"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("recipe.mix.alpha = 0.5"));
  EXPECT_THAT(out_, HasSubstr("recipe.mix.beta = 0.5"));
  ASSERT_EQ(Run({"recipes", "diff", "mixup", "--set", "split.labelled=40", "--json"}), kExitOk);
  const ordered_json list = ordered_json::parse(out_);
  EXPECT_EQ(list[0]["path"], "split.rule");
  EXPECT_EQ(list[0]["b"]["value"], "mixmatch");
  EXPECT_EQ(Run({"recipes", "show", "mixup", "--set", "recipe.mix.alpha=0"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("mix.alpha is 0"));
  EXPECT_EQ(Run({"recipes", "show", "mixup", "--set", "recipe.mix.alpha=x"}), kExitUsage);
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

// Every field of every preset can be set to what `recipes show` prints of it.
TEST(SetSpecFieldTest, TakesWhatShowPrints) {
  for (const Preset& preset : Presets()) {
    for (const DescribedField& field : DescribePreset(preset)) {
      v1::FeedSpec spec;
      EXPECT_EQ(SetSpecField(field.path + " = " + field.value, &spec), "") << preset.name;
    }
  }
  v1::FeedSpec spec;
  EXPECT_EQ(SetSpecField("recipe.view.pad_fill=[1, 2, 3]", &spec), "");
  EXPECT_THAT(spec.recipe().view().pad_fill(), ::testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(SetSpecField("recipe.guess.model=\"small\"", &spec), "");
  EXPECT_EQ(spec.recipe().guess().model(), "small");
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
      {"recipe.mix.alfa=1", "is no field; did you mean recipe.mix.alpha?"},
      {"mix.alpha=1", "is no field; did you mean recipe.mix.alpha?"},
      {"mix.alpa=1", "is no field; did you mean recipe.mix.alpha?"},
      {"recipe.mix.cutmix.apha=1", "did you mean recipe.mix.cutmix.alpha?"},
      {"labelled=1", "did you mean split.labelled?"},
      {"recipe.views.x=1", "'recipe.views.x' is no field"},
      {"recipe.mix=1", "recipe.mix: is a group of fields"},
      {"recipe.mix.alpha=x", "recipe.mix.alpha: 'x' is not a number"},
      {"recipe.views=-1", "'-1' is not a whole number from 0 up"},
      {"split.labelled=a", "'a' is not a whole number from 0 up"},
      {"recipe.mix.enabled=yes", "'yes' is not true or false"},
      {"recipe.mix.pairing=random", "'random' is not one of permutation, reversed, rolled, halves"},
      {"recipe.mix.pairing=pairing_unspecified", "is not one of"},
      {"recipe.mix.mode=x", "is not one of xxy.yxy, xx.yy, xx.yxy, xx.yx, xx., .yy, xxy., .yxy, ."},
      {"recipe.mix.lambda_scope=x", "is not one of per_row, per_batch, per_pair"},
      {"split.rule=x", "is not one of mixmatch, balanced, random, per_class, all, lists"},
      {"recipe.mix.layers=0,x", "recipe.mix.layers: '0,x' is not whole numbers"},
      {"recipe.mix.layers=", "'' is not whole numbers"},
      {"recipe.mix.layers=[0,", "'[0,' is not whole numbers"},
  };
  for (const auto& [text, wrong] : cases) {
    v1::FeedSpec spec;
    EXPECT_THAT(SetSpecField(text, &spec), HasSubstr(wrong)) << text;
  }
}

}  // namespace
}  // namespace mixfeed
