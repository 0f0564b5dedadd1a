#include "augment/recipe/preset_tables.h"

namespace mixfeed {
namespace {

constexpr int kNeighbours = 200;

Recipe Mixup() {
  Recipe recipe = LabelledRecipe(4, PadMode::kZero);
  recipe.view.order = ViewOrder::kCropFirst;
  recipe.mix = {.enabled = true,
                .alpha = 1.0,
                .beta = 1.0,
                .lambda_scope = DrawScope::kPerBatch,
                .lambda_floor = false,
                .pairing = Pairing::kPermutation};
  return recipe;
}

Recipe MixupPaired(Pairing pairing) {
  Recipe recipe = Mixup();
  recipe.mix.pairing = pairing;
  return recipe;
}

Recipe MixupRolled() { return MixupPaired(Pairing::kRolled); }

Recipe MixupTimm() {
  Recipe recipe = MixupPaired(Pairing::kReversed);
  recipe.mix.label_smoothing = 0.1;
  return recipe;
}

Recipe MixupTimmScoped(DrawScope scope) {
  Recipe recipe = MixupTimm();
  recipe.mix.lambda_scope = recipe.mix.probability_scope = scope;
  return recipe;
}
Recipe MixupTimmElem() { return MixupTimmScoped(DrawScope::kPerRow); }
Recipe MixupTimmPair() { return MixupTimmScoped(DrawScope::kPerPair); }

Recipe MixupTimmHalf() {
  Recipe recipe = MixupTimmScoped(DrawScope::kPerRow);
  recipe.mix.half = true;
  return recipe;
}

Recipe MixupTextClassification() {
  Recipe recipe = Mixup();
  recipe.mix.alpha = recipe.mix.beta = 0.5;
  recipe.mix.lambda_floor = true;
  return recipe;
}

Recipe MixupInputsOnly() {
  Recipe recipe = Mixup();
  recipe.mix.targets = TargetRule::kOwn;
  return recipe;
}

Recipe MixupOfClasses(PartnerClass classes, int neighbours) {
  Recipe recipe = Mixup();
  recipe.mix.partner = {
      .source = PartnerSource::kLabelledPool, .classes = classes, .neighbours = neighbours};
  return recipe;
}
Recipe MixupSameClass() { return MixupOfClasses(PartnerClass::kSame, 0); }
Recipe MixupOtherClass() { return MixupOfClasses(PartnerClass::kOther, 0); }
Recipe MixupNeighbours() { return MixupOfClasses(PartnerClass::kAny, kNeighbours); }
Recipe MixupNeighboursSameClass() { return MixupOfClasses(PartnerClass::kSame, kNeighbours); }

Recipe MixupMultiWay() {
  Recipe recipe = Mixup();
  recipe.mix.sources = 3;
  return recipe;
}

Recipe LabelPreserving() {
  Recipe recipe = Mixup();
  recipe.mix.lambda_law = LambdaLaw::kSizeBiasedBeta;
  recipe.mix.lambda_scope = DrawScope::kPerRow;
  recipe.mix.targets = TargetRule::kOwn;
  return recipe;
}

Recipe LabelPreservingHalf() {
  Recipe recipe = LabelPreserving();
  recipe.mix.alpha = recipe.mix.beta = 0.2;
  recipe.mix.pairing = Pairing::kHalves;
  recipe.mix.half = true;
  return recipe;
}

Recipe LabelPreservingUnlabelled() {
  Recipe recipe = LabelPreserving();
  recipe.mix.partner.source = PartnerSource::kUnlabelledPool;
  return recipe;
}

Recipe Manifold() {
  Recipe recipe = LabelledRecipe(2, PadMode::kZero);
  recipe.mix = Mixup().mix;
  recipe.mix.alpha = recipe.mix.beta = 2;
  recipe.mix.layers = {0, 1, 2};
  return recipe;
}

Recipe ManifoldResNet18() {
  Recipe recipe = Manifold();
  recipe.mix.alpha = recipe.mix.beta = 1;
  recipe.mix.layers = {0, 1, 2, 3, 4};
  return recipe;
}

SplitSpec SomeLabelled() { return {.rule = SplitRule::kMixMatch, .labelled = 250}; }

constexpr FieldSource kMixupSources[] = {
    {"view.pad", "train.py: RandomCrop(32, padding=4), zeros"},
    {"view.flip_probability", "train.py: RandomHorizontalFlip()"},
    {"mix.alpha", "train.py: --alpha 1"},
    {"mix.lambda_scope", "train.py, mixup_data: one np.random.beta a batch"},
    {"mix.lambda_floor", "train.py, mixup_data: none"},
    {"mix.pairing", "train.py, mixup_data: torch.randperm"},
};
constexpr const char* kMixupNotes[] = {
    "Targets are pairs (y_a, y_b, lambda): ask for --targets pairs.",
    "Trainer: lambda CE(a) + (1 - lambda) CE(b), the same as CE with the soft label.",
    "Trainer: batch 128, 200 epochs, lr 0.1 divided by 10 at 100 and 150, weight decay 1e-4.",
    "Left out: --seed does not reach NumPy's lambda there; here everything random is seeded.",
};
constexpr FieldSource kTimmSources[] = {
    {"mix.pairing", "timm/data/mixup.py: x.flip(0)"},
    {"mix.alpha", "timm/data/mixup.py: mixup_alpha=1."},
    {"mix.lambda_scope", "timm/data/mixup.py: mode batch, elem, pair or half"},
    {"mix.label_smoothing", "timm/data/mixup.py: label_smoothing=0.1"},
};
constexpr const char* kTimmNotes[] = {
    "FastCollateMixup mixes uint8 and rounds to nearest: ask for --format uint8.",
    "Its views are those of timm's loader, which is the trainer's choice; here mixup's.",
};
constexpr FieldSource kTorchvisionSources[] = {
    {"mix.pairing", "torchvision/transforms/v2/_augment.py: roll(1, 0)"},
    {"mix.alpha", "torchvision/transforms/v2/_augment.py: alpha=1.0"},
    {"mix.lambda_scope", "torchvision/transforms/v2/_augment.py: one a batch"},
};
constexpr FieldSource kFfcvSources[] = {
    {"mix.pairing", "ffcv/transforms/mixup.py, ImageMixup: row i with row i - 1"},
    {"mix.lambda_scope", "ffcv/transforms/mixup.py: same_lambda=True"},
};
constexpr const char* kFfcvNotes[] = {
    "Left out: ImageMixup truncates to the input's uint8.",
    "Left out: MixupToOneHot assigns where it should add: equal labels sum to 1 - lambda.",
    "Left out: lambda is seeded from the index of the batch's last row.",
};
constexpr FieldSource kTextSources[] = {
    {"mix.alpha", "src/enhancement/mixup.py: alpha 0.5"},
    {"mix.lambda_floor", "src/enhancement/mixup.py: max(lambda, 1 - lambda)"},
    {"mix.lambda_scope", "src/enhancement/mixup.py: one a batch"},
};
constexpr FieldSource kPreservingSources[] = {
    {"mix.lambda_law", "the article: Beta(a + 1, a), the density of lambda Beta(a, a)"},
    {"mix.targets", "the article: the label of the first"},
};
constexpr const char* kPreservingNotes[] = {
    "In expectation mixup for losses linear in the target (cross-entropy), not for squared error.",
};
constexpr FieldSource kManifoldSources[] = {
    {"view.pad",
     "load_data.py, load_data_subset: RandomCrop(32, padding=2), zeros, after the flip"},
    {"mix.alpha", "README: --mixup_alpha 2.0 for mixup_hidden (1.0 at the input)"},
    {"mix.lambda_scope", "utils.py, mixup_process: one lambda and permutation a batch"},
    {"mix.layers", "models/preresnet.py: random.randint(0, 2), both ends"},
};
constexpr const char* kManifoldNotes[] = {
    "Trainer: for layers 1 and 2 mix the layer's output by header.partner and header.lambda.",
    "Trainer: BCE on softmax, mean over batch and classes.",
    "Trainer: batch 100, SGD with Nesterov 0.1, weight decay 1e-4, 2000 epochs.",
};
constexpr const char* kAblation = "the ablation of Zhang et al. 2018";

constexpr Preset kMixupPresets[] = {
    {"mixup", "labelled images mixed in pairs, one lambda a batch",
     "Zhang et al. 2018, https://github.com/facebookresearch/mixup-cifar10", &Mixup, &AllLabelled,
     "cifar10-mixup", kMixupSources, kMixupNotes},
    {"mixup/facebookresearch", "the same: the authors' own code",
     "https://github.com/facebookresearch/mixup-cifar10, train.py", &Mixup, &AllLabelled,
     "cifar10-mixup", kMixupSources, kMixupNotes},
    {"mixup/timm", "each row with the reversed batch's; labels smoothed by 0.1",
     "https://github.com/huggingface/pytorch-image-models, timm/data/mixup.py", &MixupTimm,
     &AllLabelled, "imagenet", kTimmSources, kTimmNotes},
    {"mixup/timm-elem", "as mixup/timm, every row its own lambda",
     "https://github.com/huggingface/pytorch-image-models, timm/data/mixup.py", &MixupTimmElem,
     &AllLabelled, "imagenet", kTimmSources, kTimmNotes},
    {"mixup/timm-pair", "as mixup/timm, the two rows of a pair share lambda",
     "https://github.com/huggingface/pytorch-image-models, timm/data/mixup.py", &MixupTimmPair,
     &AllLabelled, "imagenet", kTimmSources, kTimmNotes},
    {"mixup/timm-half", "as mixup/timm-elem, only half of the rows are sent",
     "https://github.com/huggingface/pytorch-image-models, timm/data/mixup.py", &MixupTimmHalf,
     &AllLabelled, "imagenet", kTimmSources, kTimmNotes},
    {"mixup/torchvision", "each row with the row before it",
     "https://github.com/pytorch/vision, transforms.v2.MixUp", &MixupRolled, &AllLabelled,
     "imagenet", kTorchvisionSources},
    {"mixup/ffcv", "each row with the row before it",
     "https://github.com/libffcv/ffcv, transforms/mixup.py", &MixupRolled, &AllLabelled,
     "cifar10-mixup", kFfcvSources, kFfcvNotes},
    {"mixup/text-classification", "alpha 0.5 and lambda of at least a half",
     "https://github.com/DSXiangLi/ClassicSolution, src/enhancement/mixup.py",
     &MixupTextClassification, &AllLabelled, "cifar10-mixup", kTextSources},
    {"mixup/inputs-only", "pixels are mixed, the label is the first image's", kAblation,
     &MixupInputsOnly, &AllLabelled, "cifar10-mixup"},
    {"mixup/same-class", "partners of the same class, from the whole pool (SC + RP)", kAblation,
     &MixupSameClass, &AllLabelled, "cifar10-mixup"},
    {"mixup/other-class", "partners of any other class, from the whole pool", kAblation,
     &MixupOtherClass, &AllLabelled, "cifar10-mixup"},
    {"mixup/neighbours", "partners among the 200 nearest images (AC + KNN)", kAblation,
     &MixupNeighbours, &AllLabelled, "cifar10-mixup"},
    {"mixup/neighbours-same-class", "partners among the 200 nearest of the class (SC + KNN)",
     kAblation, &MixupNeighboursSameClass, &AllLabelled, "cifar10-mixup"},
    {"mixup/multiway", "three images a row, Dirichlet weights", kAblation, &MixupMultiWay,
     &AllLabelled, "cifar10-mixup"},
    {"label-preserving", "lambda ~ Beta(a + 1, a), the first image's label is kept",
     "https://www.inference.vc/mixup-data-dependent-data-augmentation/", &LabelPreserving,
     &AllLabelled, "cifar10-mixup", kPreservingSources, kPreservingNotes},
    {"label-preserving/half-batch", "the second half of the batch is the first one's partner",
     "public code of the same form, alpha 0.2", &LabelPreservingHalf, &AllLabelled, "cifar10-mixup",
     kPreservingSources, kPreservingNotes},
    {"label-preserving/unlabelled", "partners come from the unlabelled pool",
     "https://www.inference.vc/mixup-data-dependent-data-augmentation/", &LabelPreservingUnlabelled,
     &SomeLabelled, "cifar10-mixup", kPreservingSources, kPreservingNotes},
    {"manifold", "a layer of 0, 1, 2 is drawn a batch; the input is mixed here",
     "Verma et al. 2019, https://github.com/vikasverma1077/manifold_mixup", &Manifold, &AllLabelled,
     "cifar10-wrn", kManifoldSources, kManifoldNotes},
    {"manifold/resnet18", "a layer of 0 to 4, alpha 1: the ResNet-18 notebook's",
     "https://github.com/souvik3333/medium_blogs, transforms/manifold_mixup.ipynb",
     &ManifoldResNet18, &AllLabelled, "signed"},
};

}  // namespace

std::span<const Preset> MixupPresets() { return kMixupPresets; }

}  // namespace mixfeed
