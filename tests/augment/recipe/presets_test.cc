#include "augment/recipe/presets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PresetsTest, EveryOneIsValidNamedAndSourced) {
  std::set<std::string> names;
  for (const Preset& preset : Presets()) {
    const Recipe recipe = preset.make();
    EXPECT_TRUE(ValidateRecipe(recipe).ok()) << preset.name << ValidateRecipe(recipe);
    EXPECT_EQ(FindPreset(preset.name)->preset, preset.name);
    EXPECT_NE(std::string(preset.summary), "");
    EXPECT_NE(std::string(preset.source), "");
    EXPECT_TRUE(names.insert(preset.name).second) << preset.name;
    EXPECT_EQ(FindPreset(preset.name).value(), recipe);
  }
  for (const char* name : {"mixmatch", "mixup", "label-preserving", "manifold", "cutmix", "cutout",
                           "mixup-cutmix", "ssl-mixup", "ict", "supervised", "eval"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(PresetsTest, AnUnknownNameListsTheKnownOnesNearestFirst) {
  const std::pair<std::string, std::string> nearest[] = {
      {"fixmatch", "mixmatch"}, {"MixMatch", "mixmatch"}, {"cutmix/tim", "cutmix/timm"}};
  for (const auto& [name, meant] : nearest) {
    const absl::Status status = FindPreset(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(status.message().rfind("recipe is \"" + name + "\"; known: " + meant + ", ", 0), 0u)
        << status;
  }
  EXPECT_EQ(PresetNames("").size(), Presets().size());
}

// google-research/mixmatch, commit 1011a1d: libml/data.py, libml/layers.py, mixmatch.py and the
// published runs' scripts.
TEST(PresetsTest, MixMatchIsTheOfficialAlgorithm) {
  const Recipe recipe = FindPreset("mixmatch").value();
  EXPECT_EQ(recipe.rows, RowSource::kLabelledAndUnlabelled);
  EXPECT_EQ(recipe.views, 2);
  EXPECT_EQ(recipe.view.flip_probability, 0.5);
  EXPECT_EQ(recipe.view.pad, 4);
  EXPECT_EQ(recipe.view.pad_mode, PadMode::kReflect);
  EXPECT_EQ(recipe.labelled_sampling, Sampling::kEpochs);
  EXPECT_EQ(recipe.unlabelled_sampling, Sampling::kEpochs);
  EXPECT_EQ(recipe.guess.temperature, 0.5);
  EXPECT_TRUE(recipe.guess.batch_statistics);
  EXPECT_TRUE(recipe.mix.enabled);
  EXPECT_EQ(recipe.mix.alpha, 0.75);
  EXPECT_EQ(recipe.mix.beta, 0.75);
  EXPECT_EQ(recipe.mix.lambda_scope, DrawScope::kPerRow);
  EXPECT_TRUE(recipe.mix.lambda_floor);
  EXPECT_EQ(recipe.mix.pairing, Pairing::kPermutation);
}

// facebookresearch/mixup-cifar10, commit eaff31a: train.py.
TEST(PresetsTest, MixupIsThatOfItsAuthors) {
  const Recipe recipe = FindPreset("mixup").value();
  EXPECT_EQ(recipe.rows, RowSource::kLabelled);
  EXPECT_EQ(recipe.view.flip_probability, 0.5);
  EXPECT_EQ(recipe.view.pad, 4);
  EXPECT_EQ(recipe.view.pad_mode, PadMode::kZero);
  EXPECT_TRUE(recipe.mix.enabled);
  EXPECT_EQ(recipe.mix.alpha, 1);
  EXPECT_EQ(recipe.mix.beta, 1);
  EXPECT_EQ(recipe.mix.lambda_scope, DrawScope::kPerBatch);
  EXPECT_FALSE(recipe.mix.lambda_floor);
  EXPECT_EQ(recipe.mix.pairing, Pairing::kPermutation);
}

TEST(PresetsTest, SupervisedAndEvalMixNothing) {
  const Recipe supervised = FindPreset("supervised").value();
  EXPECT_EQ(supervised.rows, RowSource::kLabelled);
  EXPECT_FALSE(supervised.mix.enabled);
  EXPECT_EQ(supervised.view, FindPreset("mixmatch")->view);

  const Recipe eval = FindPreset("eval").value();
  EXPECT_EQ(eval.rows, RowSource::kOrdered);
  EXPECT_EQ(eval.ordered_pool, PoolId::kTest);
  EXPECT_FALSE(eval.mix.enabled);
  EXPECT_EQ(eval.view.pad, 0);
  EXPECT_EQ(eval.view.flip_probability, 0);
}

TEST(PresetsTest, ARecipeOfNoPresetHasNoName) { EXPECT_EQ(Recipe{}.preset, ""); }

}  // namespace
}  // namespace mixfeed
