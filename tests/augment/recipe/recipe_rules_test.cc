// What fields must not be together, each rule with its message.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "augment/recipe/feed_spec.h"
#include "augment/recipe/presets.h"

namespace mixfeed {
namespace {

using Change = std::function<void(Recipe*)>;

struct BrokenRule {
  const char* preset;
  Change change;
  const char* message;
};

void ExpectRefused(const std::vector<BrokenRule>& cases) {
  for (const BrokenRule& broken : cases) {
    Recipe recipe = FindPreset(broken.preset).value();
    broken.change(&recipe);
    const absl::Status status = ValidateRecipe(recipe);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(status.message()), broken.message);
  }
}

void ExpectAccepted(const char* preset, const Change& change) {
  Recipe recipe = FindPreset(preset).value();
  change(&recipe);
  EXPECT_TRUE(ValidateRecipe(recipe).ok()) << ValidateRecipe(recipe);
}

TEST(RecipeRulesTest, OfRowsAndViews) {
  ExpectRefused({
      {"mixup", [](Recipe* r) { r->views = 2; },
       "recipe.views is 2; allowed: 1 when a recipe has no unlabelled rows"},
      {"eval", [](Recipe* r) { r->views = 8; },
       "recipe.views is 8; allowed: 1 when a recipe has no unlabelled rows"},
      {"mixup", [](Recipe* r) { r->unlabelled_ratio = 7; },
       "recipe.unlabelled_ratio is 7; allowed: 1 when a recipe has no unlabelled rows"},
      {"mixup", [](Recipe* r) { r->interleave = true; },
       "recipe.interleave is true; allowed: false when a recipe has no unlabelled rows"},
      {"mixmatch/fastai", [](Recipe* r) { r->interleave = true; },
       "recipe.interleave is true; allowed: false when recipe.unlabelled_ratio is not 1"},
      {"mixup",
       [](Recipe* r) {
         r->view.flip_rule = FlipRule::kAlternating;
         r->labelled_sampling = Sampling::kWithReplacement;
       },
       "recipe.view.flip_rule is alternating; allowed: random when samples are drawn "
       "with_replacement, which has no epochs"},
      {"mixmatch",
       [](Recipe* r) {
         r->view.flip_rule = FlipRule::kAlternating;
         r->unlabelled_sampling = Sampling::kWithReplacement;
       },
       "recipe.view.flip_rule is alternating; allowed: random when samples are drawn "
       "with_replacement, which has no epochs"},
      {"mixup",
       [](Recipe* r) {
         r->view.pad = 0;
         r->view.crop_range = CropRange::kWithoutLast;
       },
       "recipe.view.crop_range is without_last; allowed: all when recipe.view.pad is 0"},
  });
  ExpectAccepted("mixup", [](Recipe* r) {
    r->view.flip_rule = FlipRule::kAlternating;
    r->unlabelled_sampling = Sampling::kWithReplacement;  // not read
  });
  ExpectAccepted("mixmatch", [](Recipe* r) { r->interleave = true; });
}

TEST(RecipeRulesTest, OfOrderedPasses) {
  ExpectRefused({
      {"eval", [](Recipe* r) { r->mix.enabled = true; },
       "recipe.mix.enabled is true; allowed: false when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->mix.label_smoothing = 0.1; },
       "recipe.mix.label_smoothing is 0.1; allowed: 0 when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.flip_probability = 0.5; },
       "recipe.view.flip_probability is 0.5; allowed: 0 when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.flip_rule = FlipRule::kAlternating; },
       "recipe.view.flip_rule is alternating; allowed: random when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.pad = 4; },
       "recipe.view.pad is 4; allowed: 0 when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.warp.max_rotation = 10; },
       "recipe.view.warp.max_rotation is 10; allowed: 0 when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.warp.max_zoom = 1.1; },
       "recipe.view.warp.max_zoom is 1.1; allowed: 1 when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.warp.max_perspective = 0.2; },
       "recipe.view.warp.max_perspective is 0.2; allowed: 0 when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.warp.max_lighting = 0.2; },
       "recipe.view.warp.max_lighting is 0.2; allowed: 0 when recipe.rows is ordered"},
      {"eval", [](Recipe* r) { r->view.cutout.size = 8; },
       "recipe.view.cutout.size is 8; allowed: 0 when recipe.rows is ordered"},
  });
}

constexpr char kNeedsPairs[] =
    "per_row or per_batch unless labelled rows of a batch are paired by recipe.mix.pairing "
    "reversed";

TEST(RecipeRulesTest, OfDraws) {
  const std::string scope =
      std::string("recipe.mix.lambda_scope is per_pair; allowed: ") + kNeedsPairs;
  const std::string chance =
      std::string("recipe.mix.probability_scope is per_pair; allowed: ") + kNeedsPairs;
  ExpectRefused({
      {"mixup",
       [](Recipe* r) {
         r->mix.lambda_low = 0.6;
         r->mix.lambda_high = 0.5;
       },
       "recipe.mix.lambda_low is 0.6; allowed: at most recipe.mix.lambda_high"},
      {"mixup", [](Recipe* r) { r->mix.lambda_scope = DrawScope::kPerPair; }, scope.c_str()},
      {"ssl-mixup", [](Recipe* r) { r->mix.lambda_scope = DrawScope::kPerPair; }, scope.c_str()},
      {"mixup/timm-pair", [](Recipe* r) { r->mix.partner.source = PartnerSource::kLabelledPool; },
       scope.c_str()},
      {"mixup", [](Recipe* r) { r->mix.probability_scope = DrawScope::kPerPair; }, chance.c_str()},
  });
}

TEST(RecipeRulesTest, OfHalvesModesAndBoxes) {
  ExpectRefused({
      {"ssl-mixup", [](Recipe* r) { r->mix.half = true; },
       "recipe.mix.half is true; allowed: false unless recipe.rows is labelled"},
      {"mixup", [](Recipe* r) { r->mix.half = true; },
       "recipe.mix.half is true; allowed: false unless recipe.mix.pairing is reversed or halves"},
      {"mixup/torchvision", [](Recipe* r) { r->mix.half = true; },
       "recipe.mix.half is true; allowed: false unless recipe.mix.pairing is reversed or halves"},
      {"mixup/timm-half", [](Recipe* r) { r->mix.partner.source = PartnerSource::kLabelledPool; },
       "recipe.mix.half is true; allowed: false when partners are of a pool"},
      {"mixup", [](Recipe* r) { r->mix.mode = MixMode::kXxYy; },
       "recipe.mix.mode is xx.yy; allowed: xxy.yxy when a recipe has no unlabelled rows"},
      {"mixmatch/fastai", [](Recipe* r) { r->mix.mode = MixMode::kXxYx; },
       "recipe.mix.mode is xx.yx; allowed: any other when recipe.unlabelled_ratio is not 1"},
      {"cutmix/minmax", [](Recipe* r) { r->mix.cutmix.max_side = 0.1; },
       "recipe.mix.cutmix.min_side is 0.2; allowed: at most recipe.mix.cutmix.max_side"},
  });
}

TEST(RecipeRulesTest, OfPartners) {
  ExpectRefused({
      {"mixmatch", [](Recipe* r) { r->mix.partner.source = PartnerSource::kLabelledPool; },
       "recipe.mix.partner.source is labelled_pool; allowed: batch unless recipe.rows is labelled"},
      {"mixup", [](Recipe* r) { r->mix.partner.source = PartnerSource::kUnlabelledPool; },
       "recipe.mix.targets is mixed; allowed: own when partners are unlabelled"},
      {"mixmatch", [](Recipe* r) { r->mix.partner.classes = PartnerClass::kSame; },
       "recipe.mix.partner.classes is same; allowed: any when the labels of rows or partners are "
       "hidden"},
      {"label-preserving/unlabelled",
       [](Recipe* r) { r->mix.partner.classes = PartnerClass::kOther; },
       "recipe.mix.partner.classes is other; allowed: any when the labels of rows or partners are "
       "hidden"},
      {"mixup/torchvision", [](Recipe* r) { r->mix.partner.classes = PartnerClass::kSame; },
       "recipe.mix.partner.classes is same; allowed: any unless recipe.mix.pairing is "
       "permutation"},
      {"mixup", [](Recipe* r) { r->mix.partner.neighbours = 5; },
       "recipe.mix.partner.neighbours is 5; allowed: 0 unless recipe.mix.partner.source is "
       "labelled_pool"},
      {"mixup/same-class", [](Recipe* r) { r->mix.partner.features = "wrn"; },
       "recipe.mix.partner.features is \"wrn\"; allowed: empty when recipe.mix.partner.neighbours "
       "is 0"},
  });
  ExpectAccepted("mixup/neighbours", [](Recipe* r) { r->mix.partner.features = "wrn"; });
}

constexpr char kOfTwo[] =
    "recipe.mix.sources is 3; allowed: 2 unless blends of the batch's rows are drawn from a "
    "Dirichlet law";

TEST(RecipeRulesTest, OfMoreThanTwoSources) {
  ExpectRefused({
      {"mixup/multiway", [](Recipe* r) { r->mix.cutmix.probability = 0.5; },
       "recipe.mix.cutmix.probability is 0.5; allowed: 0 when recipe.mix.sources is more than 2"},
      {"mixup/multiway", [](Recipe* r) { r->mix.lambda_floor = true; },
       "recipe.mix.lambda_floor is true; allowed: false when recipe.mix.sources is more than 2"},
      {"mixup/multiway", [](Recipe* r) { r->mix.lambda_law = LambdaLaw::kUniform; },
       "recipe.mix.lambda_law is uniform; allowed: beta when recipe.mix.sources is more than 2"},
      {"mixup/multiway", [](Recipe* r) { r->mix.pairing = Pairing::kRolled; }, kOfTwo},
      {"mixup/multiway", [](Recipe* r) { r->mix.partner.source = PartnerSource::kLabelledPool; },
       kOfTwo},
      {"mixup/multiway", [](Recipe* r) { r->mix.partner.classes = PartnerClass::kSame; }, kOfTwo},
      {"mixup/multiway",
       [](Recipe* r) {
         r->mix.layers = {0, 1};
       },
       "recipe.mix.sources is 3; allowed: 2 when recipe.mix.layers are drawn from"},
  });
}

TEST(RecipeRulesTest, OfLayers) {
  ExpectRefused({
      {"manifold", [](Recipe* r) { r->mix.layers.assign(17, 0); },
       "recipe.mix.layers is 17 layers; allowed: at most 16"},
      {"manifold",
       [](Recipe* r) {
         r->mix.layers = {1, 2, 1};
       },
       "recipe.mix.layers is 1 2 1; allowed: different layers"},
      {"manifold", [](Recipe* r) { r->mix.cutmix.probability = 0.5; },
       "recipe.mix.layers is 0 1 2; allowed: the input alone when recipe.mix.cutmix.probability is "
       "not 0"},
      {"manifold",
       [](Recipe* r) {
         r->mix.half = true;
         r->mix.pairing = Pairing::kHalves;
       },
       "recipe.mix.layers is 0 1 2; allowed: the input alone when a row's partner is not sent with "
       "it"},
      {"manifold", [](Recipe* r) { r->mix.partner.source = PartnerSource::kLabelledPool; },
       "recipe.mix.layers is 0 1 2; allowed: the input alone when a row's partner is not sent with "
       "it"},
      {"mixup/timm-pair",
       [](Recipe* r) {
         r->mix.layers = {1};
         r->mix.probability_scope = DrawScope::kPerBatch;
       },
       "recipe.mix.layers is 1; allowed: the input alone when draws are per_pair, since pairs may "
       "be apart"},
      {"mixup/timm-pair",
       [](Recipe* r) {
         r->mix.layers = {1};
         r->mix.lambda_scope = DrawScope::kPerBatch;
       },
       "recipe.mix.layers is 1; allowed: the input alone when draws are per_pair, since pairs may "
       "be apart"},
  });
  ExpectAccepted("mixup-cutmix", [](Recipe* r) { r->mix.layers = {0}; });
  ExpectAccepted("manifold", [](Recipe* r) {
    r->mix.layers.clear();
    for (int layer = 0; layer < 16; ++layer) r->mix.layers.push_back(layer);
  });
}

// Rules of mixing are for recipes that mix.
TEST(RecipeRulesTest, WhatIsNotMixedKeepsNoRulesOfMixing) {
  ExpectAccepted("supervised", [](Recipe* r) {
    r->mix.lambda_scope = DrawScope::kPerPair;
    r->mix.half = true;
    r->mix.sources = 8;
    r->mix.layers = {1, 1};
    r->mix.cutmix.min_side = 1;
    r->mix.partner = {.source = PartnerSource::kUnlabelledPool, .classes = PartnerClass::kSame};
  });
}

// --- of the batch ---

std::string BatchRefusal(
    const char* preset, int batch, const Change& change = [](Recipe*) {}) {
  FeedSpec spec;
  spec.dataset = "cifar10";
  spec.recipe = FindPreset(preset).value();
  spec.split.unlabelled_includes_labelled = true;
  spec.batch = batch;
  change(&spec.recipe);
  return std::string(ValidateFeedSpec(spec).message());
}

TEST(FeedSpecRulesTest, PairsAndHalvesNeedEvenBatches) {
  constexpr char kEven[] =
      "batch is 63; allowed: even numbers when rows are drawn in pairs or halves";
  EXPECT_EQ(BatchRefusal("mixup/timm-pair", 63), kEven);
  EXPECT_EQ(BatchRefusal("mixup/timm-half", 63), kEven);
  EXPECT_EQ(BatchRefusal("mixup/timm", 63,
                         [](Recipe* r) {
                           r->mix.probability = 0.5;
                           r->mix.probability_scope = DrawScope::kPerPair;
                         }),
            kEven);
  EXPECT_EQ(BatchRefusal("mixup/timm-pair", 64), "");
  // Trap 18: reversal itself needs no even batch, only what is shared by pairs does.
  EXPECT_EQ(BatchRefusal("mixup/timm", 63), "");
  EXPECT_EQ(BatchRefusal("mixup/timm", 63,
                         [](Recipe* r) { r->mix.probability_scope = DrawScope::kPerPair; }),
            "");  // not read while everything is mixed
}

TEST(FeedSpecRulesTest, RowsOfAStepAreBounded) {
  const auto of_ratio = [](int ratio) {
    return [ratio](Recipe* r) {
      r->unlabelled_ratio = ratio;
      r->views = 1;
    };
  };
  EXPECT_EQ(BatchRefusal("mixmatch", 4096, of_ratio(15)), "");  // 65,536 rows
  EXPECT_EQ(BatchRefusal("mixmatch", 4096, of_ratio(16)),
            "batch is 4096, of 69632 rows a step; allowed: batches of up to 65536 rows");
  EXPECT_EQ(BatchRefusal("mixmatch", 4096, [](Recipe* r) { r->views = 8; }), "");
}

TEST(FeedSpecRulesTest, PartnersOfTheUnlabelledPoolNeedOne) {
  FeedSpec spec;
  spec.dataset = "cifar10";
  spec.recipe = FindPreset("label-preserving/unlabelled").value();
  spec.split.rule = SplitRule::kAll;
  EXPECT_EQ(std::string(ValidateFeedSpec(spec).message()),
            "split.rule is all; allowed: any other when the recipe reads unlabelled images, or "
            "split.unlabelled_includes_labelled");
}

TEST(FeedSpecRulesTest, HalfABatchHasHalfTheRows) {
  FeedSpec spec;
  spec.recipe = FindPreset("mixup/timm-half").value();
  EXPECT_EQ(spec.labelled_rows(), 32);
  EXPECT_EQ(spec.rows(), 32);
  spec.recipe = FindPreset("mixmatch/fastai").value();
  EXPECT_EQ(spec.unlabelled_rows(), 128);
  EXPECT_EQ(spec.rows(), 320);
}

TEST(RecipeRulesTest, GuessModelsAreDifferentNames) {
  Recipe recipe = FindPreset("mixmatch").value();
  for (const char* good : {"", "a", "a,b", "a.b-c_1,2,3,4,5,6,7,8"}) {
    recipe.guess.model = good;
    EXPECT_TRUE(ValidateRecipe(recipe).ok()) << good;
  }
  EXPECT_THAT(recipe.guess.models(),
              ::testing::ElementsAre("a.b-c_1", "2", "3", "4", "5", "6", "7", "8"));
  for (const char* bad : {",", "a,", "a,,b", "a b", "a,a", "1,2,3,4,5,6,7,8,9", "\xff"}) {
    recipe.guess.model = bad;
    const absl::Status status = ValidateRecipe(recipe);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("recipe.guess.model is \""))
        << bad;
  }
}

}  // namespace
}  // namespace mixfeed
