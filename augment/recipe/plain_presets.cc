#include "augment/recipe/preset_tables.h"

namespace mixfeed {
namespace {

constexpr int kCutoutSize = 16;
constexpr int kAirbenchCutout = 12;

Recipe Supervised() { return LabelledRecipe(4, PadMode::kReflect); }

Recipe SupervisedAirbench() {
  Recipe recipe = LabelledRecipe(2, PadMode::kReflect);
  recipe.view.flip_rule = FlipRule::kAlternating;
  return recipe;
}

Recipe Cutout() {
  Recipe recipe = LabelledRecipe(4, PadMode::kZero);
  recipe.view.order = ViewOrder::kCropFirst;
  recipe.view.cutout = {.size = kCutoutSize, .place = CutoutPlace::kClipped};
  return recipe;
}

Recipe CutoutAirbench() {
  Recipe recipe = LabelledRecipe(4, PadMode::kReflect);
  recipe.view.flip_rule = FlipRule::kAlternating;
  recipe.view.cutout = {.size = kAirbenchCutout, .place = CutoutPlace::kInside};
  return recipe;
}

Recipe Eval() {
  Recipe recipe = LabelledRecipe(0, PadMode::kReflect);
  recipe.rows = RowSource::kOrdered;
  recipe.view.flip_probability = 0;
  return recipe;
}

constexpr FieldSource kCutoutSources[] = {
    {"rows", "train.py: supervised, every image has its label"},
    {"view.pad_mode", "train.py: RandomCrop's default, zeros"},
    {"view.pad", "README and train.py: RandomCrop(32, padding=4)"},
    {"view.cutout.size", "README: --length 16 for CIFAR-10 (8 for CIFAR-100)"},
    {"view.cutout.place", "util/cutout.py: the centre anywhere, the square clipped"},
    {"view.cutout.fill_with", "util/cutout.py: after Normalize, so 0 is the mean"},
};

constexpr FieldSource kAirbenchSources[] = {
    {"rows", "airbench94.py: supervised, every image has its label"},
    {"view.flip_rule", "airbench/utils.py, CifarLoader: altflip"},
    {"view.pad", "airbench94.py: translate 2; airbench96.py: translate 4"},
    {"view.pad_mode", "airbench/utils.py: reflect padding"},
};

constexpr FieldSource kAirbenchCutoutSources[] = {
    {"rows", "airbench96.py: supervised, every image has its label"},
    {"view.pad_mode", "airbench/utils.py: reflect padding"},
    {"view.flip_rule", "airbench/utils.py, CifarLoader: altflip"},
    {"view.pad", "airbench96.py: translate 4"},
    {"view.cutout.size", "airbench96.py: cutout 12"},
    {"view.cutout.place", "airbench/utils.py, batch_cutout: inside only, after normalisation"},
};

constexpr FieldSource kSupervisedSources[] = {
    {"rows", "this project: MixMatch's labelled half alone"},
    {"view.flip_probability", "libml/data.py, augment_mirror: before the shift"},
    {"view.pad", "libml/data.py, augment_shift: 4"},
    {"view.pad_mode", "libml/data.py: mode REFLECT, the edge not repeated"},
    {"view.crop_range", "libml/data.py: random crop, offsets 0..8"},
};

constexpr FieldSource kEvalSources[] = {
    {"rows", "this project: evaluation takes every image once, in order"},
};

constexpr const char* kAirbenchNotes[] = {
    "airbench shifts groups of images by one offset each; here every image draws its own.",
    "Its loader keeps float16 images on the GPU: ask for --format float16 --normalise airbench.",
};

constexpr Preset kPlainPresets[] = {
    {"cutout", "labelled images, flipped and cropped, a square of 16 pixels cut out",
     "DeVries and Taylor 2017, https://github.com/uoguelph-mlrg/Cutout", &Cutout, &AllLabelled,
     "cifar10-wrn", kCutoutSources},
    {"cutout/airbench", "a square of 12 pixels wholly inside; flips alternate over epochs",
     "https://github.com/KellerJordan/cifar10-airbench, airbench96.py", &CutoutAirbench,
     &AllLabelled, "airbench", kAirbenchCutoutSources, kAirbenchNotes},
    {"supervised", "labelled images, flipped and cropped, nothing mixed",
     "the weak augmentation of https://github.com/google-research/mixmatch", &Supervised,
     &AllLabelled, "signed", kSupervisedSources},
    {"supervised/airbench", "crops shift by 2 at most; flips alternate over epochs",
     "https://github.com/KellerJordan/cifar10-airbench, airbench94.py", &SupervisedAirbench,
     &AllLabelled, "airbench", kAirbenchSources, kAirbenchNotes},
    {"eval", "one ordered pass over a pool, images as they are", "this project", &Eval,
     &AllLabelled, "signed", kEvalSources},
};

}  // namespace

std::span<const Preset> PlainPresets() { return kPlainPresets; }

}  // namespace mixfeed
