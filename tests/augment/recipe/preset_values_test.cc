// The published values of every preset, from its source and not from its code. What a line leaves
// out is as in the preset that the comment names.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "augment/recipe/fields.h"
#include "augment/recipe/presets.h"
#include "augment/render/pixel_format.h"

namespace mixfeed {
namespace {

constexpr auto kPermutation = Pairing::kPermutation;
constexpr auto kReversed = Pairing::kReversed;
constexpr auto kRolled = Pairing::kRolled;
constexpr auto kHalves = Pairing::kHalves;
constexpr auto kRow = DrawScope::kPerRow;
constexpr auto kBatch = DrawScope::kPerBatch;
constexpr auto kPair = DrawScope::kPerPair;

// How lambda is drawn, and who is the partner.
struct Mixing {
  const char* preset;
  double alpha;
  DrawScope scope;
  bool floor;
  Pairing pairing;
};

constexpr Mixing kMixings[] = {
    {"mixmatch", 0.75, kRow, true, kPermutation},
    {"mixmatch/official", 0.75, kRow, true, kPermutation},
    {"mixmatch/yu1ut", 0.75, kBatch, true, kPermutation},
    {"mixmatch/fastai", 0.75, kBatch, true, kPermutation},
    {"mixmatch/torchssl", 0.5, kBatch, true, kPermutation},
    {"mixmatch/usb", 0.5, kBatch, true, kPermutation},
    {"ssl-mixup", 0.75, kRow, true, kReversed},
    {"ict", 0.75, kRow, true, kReversed},
    {"mixup", 1, kBatch, false, kPermutation},
    {"mixup/facebookresearch", 1, kBatch, false, kPermutation},
    {"mixup/timm", 1, kBatch, false, kReversed},
    {"mixup/timm-elem", 1, kRow, false, kReversed},
    {"mixup/timm-pair", 1, kPair, false, kReversed},
    {"mixup/timm-half", 1, kRow, false, kReversed},
    {"mixup/torchvision", 1, kBatch, false, kRolled},
    {"mixup/ffcv", 1, kBatch, false, kRolled},
    {"mixup/text-classification", 0.5, kBatch, true, kPermutation},
    {"mixup/inputs-only", 1, kBatch, false, kPermutation},
    {"mixup/same-class", 1, kBatch, false, kPermutation},
    {"mixup/other-class", 1, kBatch, false, kPermutation},
    {"mixup/neighbours", 1, kBatch, false, kPermutation},
    {"mixup/neighbours-same-class", 1, kBatch, false, kPermutation},
    {"mixup/multiway", 1, kBatch, false, kPermutation},
    {"label-preserving", 1, kRow, false, kPermutation},
    {"label-preserving/half-batch", 0.2, kRow, false, kHalves},
    {"label-preserving/unlabelled", 1, kRow, false, kPermutation},
    {"manifold", 2, kBatch, false, kPermutation},
    {"manifold/official", 2, kBatch, false, kPermutation},
    {"manifold/resnet18", 1, kBatch, false, kPermutation},
    {"cutmix", 1, kBatch, false, kPermutation},
    {"cutmix/per-row", 1, kRow, false, kPermutation},
    {"cutmix/torchvision", 1, kBatch, false, kRolled},
    {"cutmix/timm", 1, kBatch, false, kReversed},
    {"cutmix/minmax", 1, kBatch, false, kReversed},
    {"mixup-cutmix", 1, kBatch, false, kReversed},
    {"mixup-cutmix/elem", 1, kRow, false, kReversed},
};

constexpr const char* kUnmixed[] = {"cutout", "cutout/airbench", "supervised",
                                    "supervised/airbench", "eval"};

Recipe Of(const char* preset) { return FindPreset(preset).value(); }

TEST(PresetValuesTest, EveryPresetHasALine) {
  std::set<std::string> listed(std::begin(kUnmixed), std::end(kUnmixed)), known;
  for (const Mixing& mixing : kMixings) listed.insert(mixing.preset);
  for (const Preset& preset : Presets()) known.insert(preset.name);
  EXPECT_EQ(listed, known);
}

// Traps 1, 2 and 3: which of them draw a lambda a batch, take the larger part, and keep the flag's
// default alpha of 0.5.
TEST(PresetValuesTest, LambdasAndPartners) {
  for (const Mixing& mixing : kMixings) {
    const MixSpec mix = Of(mixing.preset).mix;
    EXPECT_TRUE(mix.enabled) << mixing.preset;
    EXPECT_EQ(mix.alpha, mixing.alpha) << mixing.preset;
    EXPECT_EQ(mix.beta, mixing.alpha) << mixing.preset;
    EXPECT_EQ(mix.lambda_scope, mixing.scope) << mixing.preset;
    EXPECT_EQ(mix.lambda_floor, mixing.floor) << mixing.preset;
    EXPECT_EQ(mix.pairing, mixing.pairing) << mixing.preset;
  }
  for (const char* preset : kUnmixed) EXPECT_FALSE(Of(preset).mix.enabled) << preset;
}

// --- views ---

struct Views {
  const char* preset;
  int pad;
  PadMode mode;
  ViewOrder order;
};

constexpr auto kFlipFirst = ViewOrder::kFlipFirst;
constexpr auto kCropFirst = ViewOrder::kCropFirst;

// Trap 12: MixMatch's family reflects, mixup's, CutMix's and manifold mixup's pad with zeros.
TEST(PresetValuesTest, PaddingAndOrder) {
  constexpr Views kViews[] = {
      {"mixmatch", 4, PadMode::kReflect, kFlipFirst},
      {"mixmatch/yu1ut", 4, PadMode::kReflect, kCropFirst},
      {"mixmatch/torchssl", 4, PadMode::kReflect, kFlipFirst},
      {"mixmatch/usb", 4, PadMode::kReflect, kCropFirst},
      {"ssl-mixup", 4, PadMode::kReflect, kFlipFirst},
      {"ict", 4, PadMode::kReflect, kFlipFirst},
      {"mixup", 4, PadMode::kZero, kCropFirst},
      {"cutmix", 4, PadMode::kZero, kCropFirst},
      {"manifold", 2, PadMode::kZero, kFlipFirst},
      {"cutout", 4, PadMode::kZero, kCropFirst},
      {"cutout/airbench", 4, PadMode::kReflect, kFlipFirst},
      {"supervised", 4, PadMode::kReflect, kFlipFirst},
      {"supervised/airbench", 2, PadMode::kReflect, kFlipFirst},
  };
  for (const Views& views : kViews) {
    const ViewSpec view = Of(views.preset).view;
    EXPECT_EQ(view.pad, views.pad) << views.preset;
    EXPECT_EQ(view.pad_mode, views.mode) << views.preset;
    EXPECT_EQ(view.order, views.order) << views.preset;
    EXPECT_EQ(view.flip_probability, 0.5) << views.preset;
  }
  EXPECT_EQ(Of("eval").view.flip_probability, 0);
}

// Trap 11: the offset 2 pad is left out by YU1ut's alone.
TEST(PresetValuesTest, CropsAndFlips) {
  for (const Preset& preset : Presets()) {
    const std::string name = preset.name;
    const ViewSpec view = preset.make().view;
    EXPECT_EQ(view.crop_range == CropRange::kWithoutLast, name == "mixmatch/yu1ut") << name;
    EXPECT_EQ(view.flip_rule == FlipRule::kAlternating, name.ends_with("/airbench")) << name;
    EXPECT_EQ(view.cutout.size > 0, name.starts_with("cutout")) << name;
    EXPECT_EQ(view.warp.resamples(), name == "mixmatch/fastai") << name;
  }
}

// fastai v1: get_transforms(max_rotate 10, max_zoom 1.1, max_warp 0.2, max_lighting 0.2, p .75).
TEST(PresetValuesTest, FastaisTransforms) {
  const ViewSpec view = Of("mixmatch/fastai").view;
  EXPECT_EQ(view.pad, 0);
  EXPECT_EQ(view.warp.max_rotation, 10);
  EXPECT_EQ(view.warp.max_zoom, 1.1);
  EXPECT_EQ(view.warp.max_perspective, 0.2);
  EXPECT_EQ(view.warp.max_lighting, 0.2);
  EXPECT_EQ(view.warp.probability, 0.75);
  EXPECT_EQ(view.warp.lighting_probability, 0.75);
}

TEST(PresetValuesTest, Cutouts) {
  EXPECT_EQ(Of("cutout").view.cutout, (CutoutSpec{.size = 16,
                                                  .place = CutoutPlace::kClipped,
                                                  .fill_with = CutoutFill::kNormalisedZero}));
  EXPECT_EQ(
      Of("cutout/airbench").view.cutout,
      (CutoutSpec{
          .size = 12, .place = CutoutPlace::kInside, .fill_with = CutoutFill::kNormalisedZero}));
}

// --- semi-supervised ---

struct SemiSupervised {
  const char* preset;
  int views;
  int ratio;
  double temperature;
  MixMode mode;
  Sampling sampling;
};

TEST(PresetValuesTest, ViewsGuessesAndModes) {
  constexpr auto kAll = MixMode::kXxyYxy;
  constexpr SemiSupervised kPresets[] = {
      {"mixmatch", 2, 1, 0.5, kAll, Sampling::kEpochs},
      {"mixmatch/yu1ut", 2, 1, 0.5, kAll, Sampling::kEpochsDropLast},
      {"mixmatch/fastai", 2, 2, 0.5, kAll, Sampling::kEpochs},
      {"mixmatch/torchssl", 2, 1, 0.5, kAll, Sampling::kWithReplacement},
      {"mixmatch/usb", 2, 1, 0.5, kAll, Sampling::kWithReplacement},
      {"ssl-mixup", 1, 1, 1, MixMode::kXxYy, Sampling::kEpochs},
      {"ict", 1, 1, 1, MixMode::kYy, Sampling::kEpochs},
  };
  for (const SemiSupervised& expected : kPresets) {
    const Recipe recipe = Of(expected.preset);
    EXPECT_EQ(recipe.rows, RowSource::kLabelledAndUnlabelled) << expected.preset;
    EXPECT_EQ(recipe.views, expected.views) << expected.preset;
    EXPECT_EQ(recipe.unlabelled_ratio, expected.ratio) << expected.preset;
    EXPECT_EQ(recipe.guess.temperature, expected.temperature) << expected.preset;
    EXPECT_TRUE(recipe.guess.batch_statistics) << expected.preset;
    EXPECT_EQ(recipe.mix.mode, expected.mode) << expected.preset;
    EXPECT_EQ(recipe.labelled_sampling, expected.sampling) << expected.preset;
    EXPECT_EQ(recipe.unlabelled_sampling, expected.sampling) << expected.preset;
  }
}

// Traps 3 and 4.
TEST(PresetValuesTest, WeightsOfTheUnlabelledLoss) {
  const auto weight = [](const char* preset) { return Of(preset).weight; };
  using Weight = UnlabelledWeight;
  EXPECT_EQ(weight("mixmatch"), (Weight{75, RampUnit::kImages, 1048576}));
  EXPECT_EQ(weight("mixmatch/yu1ut"), (Weight{75, RampUnit::kSteps, 1048576}));
  EXPECT_EQ(weight("mixmatch/fastai"), (Weight{100, RampUnit::kSteps, 3000}));
  EXPECT_EQ(weight("mixmatch/torchssl").value, 100);
  EXPECT_NEAR(weight("mixmatch/torchssl").ramp_length, 419430.4, 1e-6);
  EXPECT_EQ(weight("mixmatch/usb"), weight("mixmatch/torchssl"));
  EXPECT_EQ(weight("ssl-mixup").value, 1);
  EXPECT_EQ(weight("ssl-mixup").ramp, RampUnit::kNone);
  // ICT's CIFAR-10 runs; two fifths of 65,536 kimg.
  EXPECT_EQ(weight("ict").value, 1000);
  EXPECT_EQ(weight("ict").ramp, RampUnit::kImages);
  EXPECT_NEAR(weight("ict").ramp_length, 26843545.6, 1e-6);
}

// --- mixup's variants ---

TEST(PresetValuesTest, SmoothingIsTimms) {
  for (const Preset& preset : Presets()) {
    const std::string name = preset.name;
    const bool timm = name.find("timm") != std::string::npos || name == "cutmix/minmax" ||
                      name.starts_with("mixup-cutmix");
    EXPECT_EQ(preset.make().mix.label_smoothing, timm ? 0.1 : 0) << name;
  }
}

TEST(PresetValuesTest, TargetsOfTheRowAlone) {
  for (const Preset& preset : Presets()) {
    const std::string name = preset.name;
    const bool own = name == "mixup/inputs-only" || name.starts_with("label-preserving");
    EXPECT_EQ(preset.make().mix.targets == TargetRule::kOwn, own) << name;
  }
}

// Trap 33: label-preserving mixup draws the size-biased law.
TEST(PresetValuesTest, LawsSourcesAndHalves) {
  for (const Preset& preset : Presets()) {
    const std::string name = preset.name;
    const MixSpec mix = preset.make().mix;
    EXPECT_EQ(mix.lambda_law,
              name.starts_with("label-preserving") ? LambdaLaw::kSizeBiasedBeta : LambdaLaw::kBeta)
        << name;
    EXPECT_EQ(mix.sources, name == "mixup/multiway" ? 3 : 2) << name;
    EXPECT_EQ(mix.half, name == "mixup/timm-half" || name == "label-preserving/half-batch") << name;
    EXPECT_EQ(mix.share, 1) << name;
    EXPECT_EQ(mix.probability, name == "cutmix" ? 0.5 : 1) << name;
  }
}

// The ablation of Zhang et al. 2018: SC and AC, RP and KNN with k = 200.
TEST(PresetValuesTest, PartnersOfThePaper) {
  const auto partner = [](const char* preset) { return Of(preset).mix.partner; };
  constexpr auto kPool = PartnerSource::kLabelledPool;
  EXPECT_EQ(partner("mixup"), PartnerSpec());
  EXPECT_EQ(partner("mixup/same-class"), (PartnerSpec{kPool, PartnerClass::kSame}));
  EXPECT_EQ(partner("mixup/other-class"), (PartnerSpec{kPool, PartnerClass::kOther}));
  EXPECT_EQ(partner("mixup/neighbours"), (PartnerSpec{kPool, PartnerClass::kAny, 200}));
  EXPECT_EQ(partner("mixup/neighbours-same-class"), (PartnerSpec{kPool, PartnerClass::kSame, 200}));
  EXPECT_EQ(partner("label-preserving/unlabelled").source, PartnerSource::kUnlabelledPool);
}

TEST(PresetValuesTest, TheAuthorsOwnCodeIsTheRecipeWithoutAVariant) {
  const std::pair<const char*, const char*> pairs[] = {{"mixmatch", "mixmatch/official"},
                                                       {"mixup", "mixup/facebookresearch"},
                                                       {"manifold", "manifold/official"}};
  for (const auto& [plain, official] : pairs) EXPECT_EQ(Of(plain), Of(official)) << plain;
}

TEST(PresetValuesTest, LayersOfManifoldMixup) {
  EXPECT_EQ(Of("manifold").mix.layers, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(Of("manifold/resnet18").mix.layers, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(Of("mixup").mix.layers.empty());
}

TEST(PresetValuesTest, BoxesOfCutMix) {
  const auto cutmix = [](const char* preset) { return Of(preset).mix.cutmix; };
  for (const char* preset : {"cutmix", "cutmix/per-row", "cutmix/torchvision", "cutmix/timm"}) {
    EXPECT_EQ(cutmix(preset), (CutMixSpec{.probability = 1})) << preset;
  }
  EXPECT_EQ(cutmix("cutmix").alpha, 1);
  EXPECT_TRUE(cutmix("cutmix").correct_lambda);
  EXPECT_EQ(Of("cutmix").mix.probability_scope, kBatch);
  EXPECT_EQ(cutmix("cutmix/minmax").box, BoxRule::kMinMax);
  EXPECT_EQ(cutmix("cutmix/minmax").min_side, 0.2);
  EXPECT_EQ(cutmix("cutmix/minmax").max_side, 0.8);
  EXPECT_EQ(cutmix("mixup-cutmix").probability, 0.5);
  EXPECT_EQ(cutmix("mixup-cutmix/elem").probability, 0.5);
}

// --- splits and normalisations ---

// Trap 24: MixMatch's unlabelled pool leaves the labelled images out, TorchSSL's and USB's does
// not. Trap 23: the classes are balanced, but for fastai's.
TEST(PresetValuesTest, DefaultSplits) {
  const auto split = [](const char* preset) { return FindPresetEntry(preset).value()->split(); };
  const SplitSpec official = {.rule = SplitRule::kMixMatch, .labelled = 250};
  for (const char* preset : {"mixmatch", "ssl-mixup", "ict", "label-preserving/unlabelled"}) {
    EXPECT_EQ(split(preset), official) << preset;
  }
  EXPECT_EQ(split("mixmatch/yu1ut"),
            (SplitSpec{.rule = SplitRule::kBalanced, .labelled = 250, .validation = 5000}));
  EXPECT_EQ(split("mixmatch/fastai"), (SplitSpec{.rule = SplitRule::kRandom, .labelled = 500}));
  for (const char* preset : {"mixmatch/torchssl", "mixmatch/usb"}) {
    EXPECT_EQ(split(preset), (SplitSpec{.rule = SplitRule::kBalanced,
                                        .labelled = 250,
                                        .unlabelled_includes_labelled = true}));
  }
  for (const Preset& preset : Presets()) {
    if (preset.make().reads_unlabelled()) continue;
    EXPECT_EQ(preset.split(), (SplitSpec{.rule = SplitRule::kAll})) << preset.name;
  }
}

struct Normalised {
  const char* preset;
  double mean, std;  // of red, in 0..1
};

// Trap 14: -1..1 for google's, .2023 for mixup's, 63.0/255 for CutMix's and TorchSSL's, ImageNet's
// for USB's.
TEST(PresetValuesTest, Normalisations) {
  constexpr Normalised kExpected[] = {
      {"mixmatch", 0.5, 0.5},
      {"mixmatch/yu1ut", 0.4914, 0.2471},
      {"ssl-mixup", 0.5, 0.5},
      {"mixmatch/torchssl", 125.3 / 255, 63.0 / 255},
      {"mixmatch/usb", 0.485, 0.229},
      {"mixup", 0.4914, 0.2023},
      {"manifold", 125.3 / 255, 63.0 / 255},
      {"cutmix", 125.3 / 255, 63.0 / 255},
      {"mixup/timm", 0.485, 0.229},
      {"supervised/airbench", 0.4914, 0.2470},
  };
  for (const Normalised& expected : kExpected) {
    const char* const name = FindPresetEntry(expected.preset).value()->normalisation;
    const absl::StatusOr<Normalisation> found = FindNormalisation(name);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_NEAR(found->mean[0], expected.mean, 1e-9) << expected.preset;
    EXPECT_NEAR(found->std[0], expected.std, 1e-9) << expected.preset;
  }
  for (const Preset& preset : Presets()) {
    EXPECT_TRUE(FindNormalisation(preset.normalisation).ok()) << preset.name;
  }
}

TEST(PresetValuesTest, SourcesNameFieldsThatThereAre) {
  std::set<std::string> paths;
  const Recipe recipe;
  VisitFields(recipe, [&](const RecipeField& field, const auto&) { paths.insert(field.path); });
  for (const Preset& preset : Presets()) {
    for (const FieldSource& source : preset.sources) {
      EXPECT_TRUE(paths.contains(source.path)) << preset.name << ": " << source.path;
      EXPECT_NE(std::string(source.place), "");
    }
    for (const char* note : preset.notes) EXPECT_NE(std::string(note), "");
  }
}

// Paths of the fields that `recipe` reads and that differ from a recipe of no preset, which is what
// a preset says.
std::vector<std::string> FieldsOfItsOwn(const Recipe& recipe) {
  std::vector<std::string> plain, paths;
  const Recipe none;
  VisitFields(none,
              [&](const RecipeField&, const auto& value) { plain.push_back(FieldText(value)); });
  size_t i = 0;
  VisitFields(recipe, [&](const RecipeField& field, const auto& value) {
    if (FieldText(value) != plain[i++] && field.read(recipe)) paths.emplace_back(field.path);
  });
  return paths;
}

TEST(PresetValuesTest, EveryFieldThatAPresetSetsHasASource) {
  for (const Preset& preset : Presets()) {
    for (const std::string& path : FieldsOfItsOwn(preset.make())) {
      EXPECT_TRUE(std::any_of(preset.sources.begin(), preset.sources.end(),
                              [&](const FieldSource& source) { return path == source.path; }))
          << preset.name << ": " << path;
    }
  }
}

}  // namespace
}  // namespace mixfeed
