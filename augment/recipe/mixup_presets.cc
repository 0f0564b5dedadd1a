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
    {"rows", "train.py: supervised, every image has its label"},
    {"view.pad", "train.py: RandomCrop(32, padding=4)"},
    {"view.pad_mode", "train.py: RandomCrop's default, zeros"},
    {"view.flip_probability", "train.py: RandomHorizontalFlip()"},
    {"view.order", "train.py: RandomCrop, then RandomHorizontalFlip"},
    {"mix.enabled", "train.py: every batch goes through mixup_data"},
    {"mix.alpha", "train.py: --alpha 1"},
    {"mix.beta", "train.py, mixup_data: np.random.beta(alpha, alpha)"},
    {"mix.lambda_scope", "train.py, mixup_data: one np.random.beta a batch"},
    {"mix.lambda_floor", "train.py, mixup_data: none"},
    {"mix.pairing", "train.py, mixup_data: torch.randperm"},
};
// For recipes whose source begins with a batch that is loaded: mixup's images.
constexpr FieldSource kMixupViews[] = {
    {"rows", "as mixup: supervised, every image has its label"},
    {"view.pad", "not its part; as mixup: RandomCrop(32, padding=4)"},
    {"view.pad_mode", "not its part; as mixup: zeros"},
    {"view.flip_probability", "not its part; as mixup: RandomHorizontalFlip()"},
    {"view.order", "not its part; as mixup: crop, then flip"},
};
constexpr const char* kMixupNotes[] = {
    "Targets are pairs (y_a, y_b, lambda): ask for --targets pairs.",
    "Trainer: lambda CE(a) + (1 - lambda) CE(b), the same as CE with the soft label.",
    "Trainer: batch 128, 200 epochs, lr 0.1 divided by 10 at 100 and 150, weight decay 1e-4.",
    "Left out: --seed does not reach NumPy's lambda there; here everything random is seeded.",
};
constexpr FieldSource kTimmOwn[] = {
    {"mix.enabled", "timm/data/mixup.py: prob=1.0"},
    {"mix.pairing", "timm/data/mixup.py: x.flip(0)"},
    {"mix.alpha", "timm/data/mixup.py: mixup_alpha=1."},
    {"mix.beta", "timm/data/mixup.py: Beta(mixup_alpha, mixup_alpha)"},
    {"mix.lambda_floor", "timm/data/mixup.py: none"},
    {"mix.half", "timm/data/mixup.py: mode half of the collate function, B / 2 outputs"},
    {"mix.lambda_scope", "timm/data/mixup.py: mode batch, elem, pair or half"},
    {"mix.label_smoothing", "timm/data/mixup.py: label_smoothing=0.1"},
};
constexpr const char* kTimmNotes[] = {
    "FastCollateMixup mixes uint8 and rounds to nearest: ask for --format uint8.",
    "Its views are those of timm's loader, which is the trainer's choice; here mixup's.",
};
constexpr auto kTimmSources = JoinSources(kTimmOwn, kMixupViews);
constexpr FieldSource kTorchvisionOwn[] = {
    {"mix.enabled", "torchvision/transforms/v2/_augment.py: every batch"},
    {"mix.pairing", "torchvision/transforms/v2/_augment.py: roll(1, 0)"},
    {"mix.alpha", "torchvision/transforms/v2/_augment.py: alpha=1.0"},
    {"mix.beta", "torchvision/transforms/v2/_augment.py: Beta(alpha, alpha)"},
    {"mix.lambda_scope", "torchvision/transforms/v2/_augment.py: one a batch"},
    {"mix.lambda_floor", "torchvision/transforms/v2/_augment.py: none"},
};
constexpr auto kTorchvisionSources = JoinSources(kTorchvisionOwn, kMixupViews);
constexpr FieldSource kFfcvOwn[] = {
    {"mix.enabled", "ffcv/transforms/mixup.py, ImageMixup: every batch"},
    {"mix.pairing", "ffcv/transforms/mixup.py, ImageMixup: row i with row i - 1"},
    {"mix.alpha", "ffcv/transforms/mixup.py: an argument without default; here mixup's 1"},
    {"mix.beta", "ffcv/transforms/mixup.py: np.random.beta(alpha, alpha)"},
    {"mix.lambda_scope", "ffcv/transforms/mixup.py: same_lambda=True"},
    {"mix.lambda_floor", "ffcv/transforms/mixup.py: none"},
};
constexpr auto kFfcvSources = JoinSources(kFfcvOwn, kMixupViews);
constexpr const char* kFfcvNotes[] = {
    "Left out: ImageMixup truncates to the input's uint8.",
    "Left out: MixupToOneHot assigns where it should add: equal labels sum to 1 - lambda.",
    "Left out: lambda is seeded from the index of the batch's last row.",
};
constexpr FieldSource kTextOwn[] = {
    {"mix.enabled", "src/enhancement/mixup.py: the whole of it"},
    {"mix.pairing", "src/enhancement/mixup.py: a permutation of the batch"},
    {"mix.beta", "src/enhancement/mixup.py: Beta(alpha, alpha)"},
    {"mix.alpha", "src/enhancement/mixup.py: alpha 0.5"},
    {"mix.lambda_floor", "src/enhancement/mixup.py: max(lambda, 1 - lambda)"},
    {"mix.lambda_scope", "src/enhancement/mixup.py: one a batch"},
};
constexpr auto kTextSources = JoinSources(kTextOwn, kMixupViews);
constexpr FieldSource kPreservingOwn[] = {
    {"mix.enabled", "the article: every example"},
    {"mix.lambda_law", "the article: Beta(a + 1, a), the density of lambda Beta(a, a)"},
    {"mix.alpha", "as mixup: 1"},
    {"mix.lambda_scope", "the article: one an example"},
    {"mix.lambda_floor", "the article: none, the law itself favours the first"},
    {"mix.pairing", "the article: any other example; as mixup, a permutation of the batch"},
    {"mix.targets", "the article: the label of the first"},
};
constexpr auto kPreservingSources = JoinSources(kPreservingOwn, kMixupViews);
constexpr FieldSource kHalfBatchOwn[] = {
    {"mix.alpha", "public code: alpha 0.2"},
    {"mix.pairing", "public code: the second half of the batch is the partner"},
    {"mix.half", "public code: the second half is dropped, B / 2 rows are left"},
};
constexpr auto kHalfBatchSources = JoinSources(kHalfBatchOwn, kPreservingOwn, kMixupViews);
constexpr FieldSource kUnlabelledPartnerOwn[] = {
    {"mix.partner.source", "the article: the second needs no label, so it may be unlabelled"},
};
constexpr auto kUnlabelledPartnerSources =
    JoinSources(kUnlabelledPartnerOwn, kPreservingOwn, kMixupViews);
constexpr const char* kPreservingNotes[] = {
    "In expectation mixup for losses linear in the target (cross-entropy), not for squared error.",
};
constexpr FieldSource kManifoldSources[] = {
    {"rows", "main.py: supervised, every image has its label"},
    {"view.pad", "load_data.py, load_data_subset: RandomCrop(32, padding=2), after the flip"},
    {"view.pad_mode", "load_data.py, load_data_subset: RandomCrop's default, zeros"},
    {"mix.enabled", "main.py: every batch of mixup and mixup_hidden"},
    {"mix.beta", "utils.py: np.random.beta(alpha, alpha)"},
    {"mix.lambda_floor", "utils.py: none"},
    {"mix.pairing", "utils.py, mixup_process: one NumPy permutation"},
    {"mix.alpha", "README: --mixup_alpha 2.0 for mixup_hidden (1.0 at the input)"},
    {"mix.lambda_scope", "utils.py, mixup_process: one lambda and permutation a batch"},
    {"mix.layers", "models/preresnet.py: random.randint(0, 2), both ends"},
};
constexpr const char* kManifoldNotes[] = {
    "Trainer: for layers 1 and 2 mix the layer's output by header.partner and header.lambda.",
    "Trainer: BCE on softmax, mean over batch and classes.",
    "Trainer: batch 100, SGD with Nesterov 0.1, weight decay 1e-4, 2000 epochs.",
};
constexpr FieldSource kNotebookOwn[] = {
    {"mix.alpha", "the notebook: Beta(1, 1)"},
    {"mix.beta", "the notebook: Beta(1, 1)"},
    {"mix.lambda_scope", "the notebook: one lambda a batch"},
    {"mix.lambda_floor", "the notebook: none"},
    {"mix.pairing", "the notebook: torch.randperm"},
    {"mix.layers", "the notebook: five blocks of a ResNet-18, mixed before block 0 to 4"},
    {"view.pad", "not the notebook's, which has images of 224; as manifold: 2"},
    {"view.pad_mode", "not the notebook's; as manifold: zeros"},
};
constexpr auto kNotebookSources = JoinSources(kNotebookOwn, kManifoldSources);

// Its sources that name train.py are of the authors' repository.
constexpr const char* kAblation =
    "Zhang et al. 2018, ablation; https://github.com/facebookresearch/mixup-cifar10";
constexpr FieldSource kInputsOnlyOwn[] = {
    {"mix.targets", "the ablation's rows that mix inputs only"},
};
constexpr auto kInputsOnlySources = JoinSources(kInputsOnlyOwn, kMixupSources);
// Of three of them; each shows what it reads.
constexpr FieldSource kPartnersOwn[] = {
    {"mix.partner.source",
     "the ablation's neighbours (KNN) are training images; for random pairs "
     "(RP) of a class the pool is this project's choice"},
    {"mix.partner.classes", "the ablation: the same class (SC) or all classes (AC)"},
    {"mix.partner.neighbours", "the ablation: k = 200 (KNN), or random pairs (RP)"},
    {"mix.partner.features", "the space of the distances is not confirmed; here pixels"},
};
constexpr auto kPartnersSources = JoinSources(kPartnersOwn, kMixupSources);
constexpr FieldSource kOtherClassOwn[] = {
    {"mix.partner.source", "this project: as mixup/same-class"},
    {"mix.partner.classes", "this project: the opposite of the ablation's same class (SC)"},
};
constexpr auto kOtherClassSources = JoinSources(kOtherClassOwn, kMixupSources);
constexpr FieldSource kMultiWayOwn[] = {
    {"mix.sources", "the paper: three or more, of which it reports no further gain"},
    {"mix.alpha", "the paper: Dirichlet weights; their parameter is not confirmed, here mixup's 1"},
    {"mix.lambda_scope", "as mixup: one draw a batch"},
};
constexpr auto kMultiWaySources = JoinSources(kMultiWayOwn, kMixupSources);

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
     &MixupInputsOnly, &AllLabelled, "cifar10-mixup", kInputsOnlySources},
    {"mixup/same-class", "partners of the same class, from the whole pool (SC + RP)", kAblation,
     &MixupSameClass, &AllLabelled, "cifar10-mixup", kPartnersSources},
    {"mixup/other-class", "partners of any other class, from the whole pool", kAblation,
     &MixupOtherClass, &AllLabelled, "cifar10-mixup", kOtherClassSources},
    {"mixup/neighbours", "partners among the 200 nearest images (AC + KNN)", kAblation,
     &MixupNeighbours, &AllLabelled, "cifar10-mixup", kPartnersSources},
    {"mixup/neighbours-same-class", "partners among the 200 nearest of the class (SC + KNN)",
     kAblation, &MixupNeighboursSameClass, &AllLabelled, "cifar10-mixup", kPartnersSources},
    {"mixup/multiway", "three images a row, Dirichlet weights", kAblation, &MixupMultiWay,
     &AllLabelled, "cifar10-mixup", kMultiWaySources},
    {"label-preserving", "lambda ~ Beta(a + 1, a), the first image's label is kept",
     "https://www.inference.vc/mixup-data-dependent-data-augmentation/", &LabelPreserving,
     &AllLabelled, "cifar10-mixup", kPreservingSources, kPreservingNotes},
    {"label-preserving/half-batch", "the second half of the batch is the first one's partner",
     "public code of the same form, alpha 0.2", &LabelPreservingHalf, &AllLabelled, "cifar10-mixup",
     kHalfBatchSources, kPreservingNotes},
    {"label-preserving/unlabelled", "partners come from the unlabelled pool",
     "https://www.inference.vc/mixup-data-dependent-data-augmentation/", &LabelPreservingUnlabelled,
     &SomeLabelled, "cifar10-mixup", kUnlabelledPartnerSources, kPreservingNotes},
    {"manifold", "a layer of 0, 1, 2 is drawn a batch; the input is mixed here",
     "Verma et al. 2019, https://github.com/vikasverma1077/manifold_mixup", &Manifold, &AllLabelled,
     "cifar10-wrn", kManifoldSources, kManifoldNotes},
    {"manifold/official", "the same: the authors' own code",
     "https://github.com/vikasverma1077/manifold_mixup, supervised/main.py", &Manifold,
     &AllLabelled, "cifar10-wrn", kManifoldSources, kManifoldNotes},
    {"manifold/resnet18", "a layer of 0 to 4, alpha 1: the ResNet-18 notebook's",
     "https://github.com/souvik3333/medium_blogs, transforms/manifold_mixup.ipynb",
     &ManifoldResNet18, &AllLabelled, "signed", kNotebookSources},
};

}  // namespace

std::span<const Preset> MixupPresets() { return kMixupPresets; }

}  // namespace mixfeed
