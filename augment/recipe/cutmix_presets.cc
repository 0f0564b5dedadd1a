#include "augment/recipe/preset_tables.h"

namespace mixfeed {
namespace {

constexpr double kTimmSmoothing = 0.1;

Recipe CutMix() {
  Recipe recipe = LabelledRecipe(4, PadMode::kZero);
  recipe.view.order = ViewOrder::kCropFirst;
  recipe.mix = {.enabled = true,
                .alpha = 1,
                .beta = 1,
                .lambda_scope = DrawScope::kPerBatch,
                .lambda_floor = false,
                .pairing = Pairing::kPermutation,
                .probability = 0.5,
                .probability_scope = DrawScope::kPerBatch,
                .cutmix = {.probability = 1, .alpha = 1, .beta = 1}};
  return recipe;
}

Recipe CutMixAlways(Pairing pairing, DrawScope scope) {
  Recipe recipe = CutMix();
  recipe.mix.probability = 1;
  recipe.mix.pairing = pairing;
  recipe.mix.lambda_scope = scope;
  return recipe;
}

Recipe CutMixPerRow() { return CutMixAlways(Pairing::kPermutation, DrawScope::kPerRow); }
Recipe CutMixTorchvision() { return CutMixAlways(Pairing::kRolled, DrawScope::kPerBatch); }

Recipe CutMixTimm() {
  Recipe recipe = CutMixAlways(Pairing::kReversed, DrawScope::kPerBatch);
  recipe.mix.label_smoothing = kTimmSmoothing;
  return recipe;
}

Recipe CutMixMinMax() {
  Recipe recipe = CutMixTimm();
  recipe.mix.cutmix.box = BoxRule::kMinMax;
  return recipe;
}

Recipe MixupCutMix() {
  Recipe recipe = CutMixTimm();
  recipe.mix.cutmix.probability = 0.5;
  return recipe;
}

Recipe MixupCutMixElem() {
  Recipe recipe = MixupCutMix();
  recipe.mix.lambda_scope = DrawScope::kPerRow;
  recipe.mix.probability_scope = DrawScope::kPerRow;
  return recipe;
}

constexpr FieldSource kCutMixSources[] = {
    {"rows", "train.py: supervised, every image has its label"},
    {"view.pad", "train.py: RandomCrop(32, padding=4)"},
    {"view.pad_mode", "train.py: RandomCrop's default, zeros"},
    {"view.flip_probability", "train.py: RandomHorizontalFlip()"},
    {"view.order", "train.py: RandomCrop, then RandomHorizontalFlip"},
    {"mix.enabled", "train.py: --cutmix_prob above 0"},
    {"mix.probability", "train.py: --cutmix_prob 0.5 for CIFAR, drawn per batch"},
    {"mix.probability_scope", "train.py: one draw a batch"},
    {"mix.pairing", "train.py: torch.randperm"},
    {"mix.cutmix.probability", "train.py: a box or nothing, never a blend"},
    {"mix.cutmix.beta", "train.py: np.random.beta(beta, beta)"},
    {"mix.lambda_scope", "train.py: one lambda and one box a batch"},
    {"mix.cutmix.alpha", "train.py: --beta 1"},
    {"mix.cutmix.box", "train.py, rand_bbox: centre uniform, clipped"},
    {"mix.cutmix.correct_lambda", "train.py: lam = 1 - area after clipping"},
};

constexpr FieldSource kPerRowOwn[] = {
    {"mix.lambda_scope", "issue 4: a lambda and a box a row instead of one a batch"},
    {"mix.probability", "not in the issue; here always"},
};
constexpr auto kPerRowSources = JoinSources(kPerRowOwn, kCutMixSources);

// For recipes whose source begins with a batch that is loaded: CutMix's images.
constexpr FieldSource kCutMixViews[] = {
    {"rows", "as cutmix: supervised, every image has its label"},
    {"view.pad", "not its part; as cutmix: RandomCrop(32, padding=4)"},
    {"view.pad_mode", "not its part; as cutmix: zeros"},
    {"view.flip_probability", "not its part; as cutmix: RandomHorizontalFlip()"},
    {"view.order", "not its part; as cutmix: crop, then flip"},
};

constexpr FieldSource kTimmCutmixOwn[] = {
    {"mix.enabled", "timm/data/mixup.py: prob=1.0"},
    {"mix.alpha", "timm/data/mixup.py: mixup_alpha=1."},
    {"mix.beta", "timm/data/mixup.py: Beta(mixup_alpha, mixup_alpha)"},
    {"mix.lambda_scope", "timm/data/mixup.py: mode batch or elem"},
    {"mix.lambda_floor", "timm/data/mixup.py: none"},
    {"mix.cutmix.box", "timm/data/mixup.py: rand_bbox, or rand_bbox_minmax with cutmix_minmax"},
    {"mix.pairing", "timm/data/mixup.py: x.flip(0)"},
    {"mix.label_smoothing", "timm/data/mixup.py: label_smoothing=0.1"},
    {"mix.probability", "timm/data/mixup.py: prob=1.0"},
    {"mix.cutmix.probability", "timm/data/mixup.py: switch_prob=0.5 where both alphas are set"},
    {"mix.cutmix.correct_lambda", "timm/data/mixup.py: correct_lam=True"},
    {"mix.cutmix.min_side", "timm's examples: cutmix_minmax=(0.2, 0.8)"},
    {"mix.cutmix.max_side", "timm's examples: cutmix_minmax=(0.2, 0.8)"},
};
constexpr auto kTimmCutmixSources = JoinSources(kTimmCutmixOwn, kCutMixViews);

constexpr FieldSource kTorchvisionCutmixOwn[] = {
    {"mix.enabled", "torchvision/transforms/v2/_augment.py: every batch"},
    {"mix.lambda_scope", "torchvision/transforms/v2/_augment.py: one lambda and one box a batch"},
    {"mix.cutmix.probability", "torchvision/transforms/v2/_augment.py: always a box"},
    {"mix.pairing", "torchvision/transforms/v2/_augment.py: roll(1, 0)"},
    {"mix.cutmix.alpha", "torchvision/transforms/v2/_augment.py: alpha=1.0"},
    {"mix.cutmix.correct_lambda", "torchvision/transforms/v2/_augment.py: from the clipped box"},
};
constexpr auto kTorchvisionCutmixSources = JoinSources(kTorchvisionCutmixOwn, kCutMixViews);

constexpr const char* kTimmCutmixNotes[] = {
    "timm's Mixup mixes in place; a row and its partner keep their own pixels here.",
    "timm needs an even batch; so does lambda_scope per_pair here, the others do not.",
    "Its views are those of timm's loader, which is the trainer's choice; here CutMix's.",
};

constexpr const char* kTorchvisionCutmixNotes[] = {
    "Neighbours are mixed, so the batch must be shuffled: it is, by epochs of permutations.",
};

constexpr Preset kCutMixPresets[] = {
    {"cutmix", "a box of the partner in every image of half of the batches",
     "Yun et al. 2019, https://github.com/clovaai/CutMix-PyTorch", &CutMix, &AllLabelled,
     "cifar10-wrn", kCutMixSources},
    {"cutmix/per-row", "every row its own lambda and box, always",
     "asked for in https://github.com/clovaai/CutMix-PyTorch/issues/4", &CutMixPerRow, &AllLabelled,
     "cifar10-wrn", kPerRowSources},
    {"cutmix/torchvision", "always; each row with the row before it",
     "https://github.com/pytorch/vision, transforms.v2.CutMix", &CutMixTorchvision, &AllLabelled,
     "imagenet", kTorchvisionCutmixSources, kTorchvisionCutmixNotes},
    {"cutmix/timm", "always; each row with the reversed batch's; labels smoothed by 0.1",
     "https://github.com/huggingface/pytorch-image-models, timm/data/mixup.py", &CutMixTimm,
     &AllLabelled, "imagenet", kTimmCutmixSources, kTimmCutmixNotes},
    {"cutmix/minmax", "as cutmix/timm, boxes inside the image with sides of 0.2 to 0.8",
     "https://github.com/huggingface/pytorch-image-models, timm/data/mixup.py", &CutMixMinMax,
     &AllLabelled, "imagenet", kTimmCutmixSources, kTimmCutmixNotes},
    {"mixup-cutmix", "a batch is blended or pasted, by equal chance",
     "https://github.com/huggingface/pytorch-image-models, timm/data/mixup.py", &MixupCutMix,
     &AllLabelled, "imagenet", kTimmCutmixSources, kTimmCutmixNotes},
    {"mixup-cutmix/elem", "every row by itself (timm's mode elem)",
     "https://github.com/huggingface/pytorch-image-models, timm/data/mixup.py", &MixupCutMixElem,
     &AllLabelled, "imagenet", kTimmCutmixSources, kTimmCutmixNotes},
};

}  // namespace

std::span<const Preset> CutMixPresets() { return kCutMixPresets; }

}  // namespace mixfeed
