#include "augment/recipe/preset_tables.h"

namespace mixfeed {
namespace {

constexpr double kTrainingSteps = 1 << 20;  // of the published runs, at 64 labelled images a step
constexpr double kTrainingImages = kTrainingSteps * 64;

Recipe MixMatch() {
  Recipe recipe;
  recipe.rows = RowSource::kLabelledAndUnlabelled;
  recipe.views = 2;
  recipe.view.pad = 4;
  recipe.view.pad_mode = PadMode::kReflect;
  recipe.guess = {.model = "", .temperature = 0.5, .batch_statistics = true};
  recipe.mix = {.enabled = true,
                .alpha = 0.75,
                .beta = 0.75,
                .lambda_scope = DrawScope::kPerRow,
                .lambda_floor = true,
                .pairing = Pairing::kPermutation};
  recipe.weight = {.value = 75, .ramp = RampUnit::kImages, .ramp_length = 1 << 20};
  return recipe;
}

Recipe MixMatchYu1ut() {
  Recipe recipe = MixMatch();
  recipe.view.order = ViewOrder::kCropFirst;
  recipe.view.crop_range = CropRange::kWithoutLast;
  recipe.labelled_sampling = recipe.unlabelled_sampling = Sampling::kEpochsDropLast;
  recipe.mix.lambda_scope = DrawScope::kPerBatch;
  recipe.weight = {.value = 75, .ramp = RampUnit::kSteps, .ramp_length = kTrainingSteps};
  return recipe;
}

// fastai v1's get_transforms() with its defaults.
WarpSpec FastaiWarp() {
  return {.probability = 0.75,
          .max_rotation = 10,
          .max_zoom = 1.1,
          .max_perspective = 0.2,
          .lighting_probability = 0.75,
          .max_lighting = 0.2};
}

Recipe MixMatchFastai() {
  Recipe recipe = MixMatch();
  recipe.unlabelled_ratio = 2;
  recipe.view.pad = 0;
  recipe.view.warp = FastaiWarp();
  recipe.mix.lambda_scope = DrawScope::kPerBatch;
  recipe.weight = {.value = 100, .ramp = RampUnit::kSteps, .ramp_length = 3000};
  return recipe;
}

Recipe MixMatchTorchSsl() {
  Recipe recipe = MixMatch();
  recipe.labelled_sampling = recipe.unlabelled_sampling = Sampling::kWithReplacement;
  recipe.mix.alpha = recipe.mix.beta = 0.5;
  recipe.mix.lambda_scope = DrawScope::kPerBatch;
  recipe.weight = {.value = 100, .ramp = RampUnit::kSteps, .ramp_length = 0.4 * kTrainingSteps};
  return recipe;
}

Recipe MixMatchUsb() {
  Recipe recipe = MixMatchTorchSsl();
  recipe.view.order = ViewOrder::kCropFirst;
  return recipe;
}

Recipe SslMixup() {
  Recipe recipe = MixMatch();
  recipe.views = 1;
  recipe.guess.temperature = 1;
  recipe.mix.pairing = Pairing::kReversed;
  recipe.mix.mode = MixMode::kXxYy;
  recipe.weight = {.value = 1, .ramp = RampUnit::kNone};
  return recipe;
}

Recipe Ict() {
  Recipe recipe = SslMixup();
  recipe.mix.mode = MixMode::kYy;
  recipe.weight = {.value = 1000, .ramp = RampUnit::kImages, .ramp_length = 0.4 * kTrainingImages};
  return recipe;
}

SplitSpec Official() { return {.rule = SplitRule::kMixMatch, .labelled = 250}; }
SplitSpec WithValidation() {
  return {.rule = SplitRule::kBalanced, .labelled = 250, .validation = 5000};
}
SplitSpec AtRandom() { return {.rule = SplitRule::kRandom, .labelled = 500}; }
SplitSpec AllUnlabelled() {
  return {.rule = SplitRule::kBalanced, .labelled = 250, .unlabelled_includes_labelled = true};
}

constexpr FieldSource kOfficialSources[] = {
    {"view.flip_probability", "libml/data.py, augment_mirror: before the shift"},
    {"view.pad", "libml/data.py, augment_shift: 4 (12 for STL-10)"},
    {"view.pad_mode", "libml/data.py: mode REFLECT, the edge not repeated"},
    {"view.crop_range", "libml/data.py: random crop, offsets 0..8"},
    {"views", "mixmatch.py: nu 2"},
    {"guess.temperature", "mixmatch.py: T 0.5"},
    {"guess.batch_statistics", "mixmatch.py: training=True, the updates skipped"},
    {"guess.policy", "mixmatch.py: guess and update are one training step"},
    {"rows", "mixmatch.py: x, and the views of y, of one batch size"},
    {"labelled_sampling", "libml/data.py: repeat, then a shuffle buffer; here permutations"},
    {"unlabelled_sampling", "libml/data.py: repeat, then a shuffle buffer; here permutations"},
    {"mix.enabled", "mixmatch.py: every batch goes through MixMode"},
    {"mix.beta", "libml/layers.py, MixMode: Beta(beta, beta)"},
    {"mix.pairing", "libml/layers.py, augment_pair: one random permutation of all 3B rows"},
    {"weight.ramp", "mixmatch.py: the step counts images"},
    {"mix.alpha", "runs/table*.sh: 0.75 (the flag's default is 0.5)"},
    {"mix.lambda_scope", "libml/layers.py, augment_pair: shape [3B, 1, 1, 1]"},
    {"mix.lambda_floor", "libml/layers.py, augment_pair: max(mix, 1 - mix)"},
    {"mix.mode", "mixmatch.py: xxy.yxy"},
    {"weight.value", "runs/table*.sh: w_match 75 on CIFAR-10 (150 CIFAR-100, 250 SVHN, 50 STL-10)"},
    {"weight.ramp_length", "mixmatch.py: warmup_kimg 1024, 16,384 steps of 64"},
};
constexpr const char* kOfficialNotes[] = {
    "Trainer: L = CE(X') + lambda_u * mean over rows and classes of (q' - softmax)^2.",
    "Trainer: batch norm's running statistics from the first of the interleaved batches only.",
    "Trainer: Adam 0.002, EMA 0.999 of trainable variables, weight decay 4e-5 a step on kernels.",
    "Its shuffle is a buffer of 8192; here an epoch is a permutation of the whole pool.",
};
constexpr FieldSource kYu1utSources[] = {
    {"rows", "train.py: x, and two views of u, of one batch size"},
    {"views", "train.py: inputs_u and inputs_u2"},
    {"view.pad", "dataset/cifar10.py: 4"},
    {"view.pad_mode", "dataset/cifar10.py: reflected"},
    {"view.order", "dataset/cifar10.py: RandomPadandCrop, then RandomFlip"},
    {"view.crop_range", "dataset/cifar10.py: np.random.randint(0, 8), so 8 is never drawn"},
    {"guess.temperature", "train.py: T 0.5"},
    {"guess.batch_statistics", "train.py: model.train() under no_grad"},
    {"mix.enabled", "train.py: every step"},
    {"mix.alpha", "train.py: --alpha 0.75"},
    {"mix.beta", "train.py: np.random.beta(alpha, alpha)"},
    {"mix.lambda_scope", "train.py: one np.random.beta a step"},
    {"mix.lambda_floor", "train.py: max(l, 1 - l)"},
    {"mix.pairing", "train.py: torch.randperm of all 3B rows"},
    {"weight.value", "train.py: --lambda-u 75"},
    {"weight.ramp", "train.py, linear_rampup: epochs of a fixed number of steps"},
    {"weight.ramp_length", "train.py, linear_rampup: all 1,024 epochs of 1,024 steps"},
    {"labelled_sampling", "train.py: DataLoader(shuffle=True, drop_last=True)"},
    {"unlabelled_sampling", "train.py: DataLoader(shuffle=True, drop_last=True)"},
};
constexpr const char* kYu1utNotes[] = {
    "Trainer: all passes update batch norm (5 a step); EMA and weight decay on every float entry.",
    "Its split is drawn by NumPy; here by the balanced rule, equal in distribution.",
};
constexpr FieldSource kFastaiSources[] = {
    {"rows", "MixMatch Blog.ipynb: 64 labelled images and two views of 128 others, 320 rows"},
    {"views", "MixMatch Blog.ipynb: K 2"},
    {"unlabelled_ratio", "MixMatch Blog.ipynb: 64 labelled, 128 unlabelled images a step"},
    {"view.pad", "fastai v1, get_transforms: no random crop"},
    {"view.flip_probability", "fastai v1, get_transforms: do_flip"},
    {"view.warp.lighting_probability", "fastai v1, get_transforms: p_lighting 0.75"},
    {"view.warp.max_rotation", "fastai v1, get_transforms: max_rotate 10"},
    {"view.warp.max_zoom", "fastai v1, get_transforms: max_zoom 1.1"},
    {"view.warp.max_perspective", "fastai v1, get_transforms: max_warp 0.2"},
    {"view.warp.max_lighting", "fastai v1, get_transforms: max_lighting 0.2"},
    {"view.warp.probability", "fastai v1, get_transforms: p_affine 0.75"},
    {"guess.batch_statistics", "MixMatch Blog.ipynb: train mode, no_grad"},
    {"mix.enabled", "MixMatch Blog.ipynb: every step"},
    {"mix.alpha", "MixMatch Blog.ipynb: 0.75"},
    {"mix.beta", "MixMatch Blog.ipynb: Beta(alpha, alpha)"},
    {"mix.lambda_scope", "MixMatch Blog.ipynb: one lambda a step"},
    {"mix.lambda_floor", "MixMatch Blog.ipynb: max(l, 1 - l)"},
    {"mix.pairing", "MixMatch Blog.ipynb: one random permutation of all rows"},
    {"weight.ramp", "MixMatch Blog.ipynb: the ramp counts steps"},
    {"weight.value", "MixMatch Blog.ipynb: 100 in the code (75 in its table)"},
    {"weight.ramp_length", "MixMatch Blog.ipynb: 3,000 steps"},
};
constexpr const char* kFastaiNotes[] = {
    "Trainer: all rows in one forward pass in a random order, instead of the interleave.",
    "Trainer: one-cycle schedule, no EMA in the main notebook.",
    "500 labels drawn at random, not balanced over the classes.",
};
constexpr FieldSource kTorchSslSources[] = {
    {"rows", "models/mixmatch: x, and two views of u"},
    {"views", "models/mixmatch: K 2"},
    {"guess.batch_statistics", "models/mixmatch: train mode, the running statistics put back"},
    {"mix.enabled", "models/mixmatch: every step"},
    {"mix.beta", "models/mixmatch: Beta(alpha, alpha)"},
    {"mix.lambda_floor", "models/mixmatch: is_bias=True, max(l, 1 - l)"},
    {"mix.pairing", "models/mixmatch: torch.randperm of all 3B rows"},
    {"weight.ramp", "models/mixmatch: a share of the training's steps"},
    {"mix.alpha", "config/mixmatch: mixup_alpha 0.5, the official flag's default"},
    {"mix.lambda_scope", "models/mixmatch: one lambda a step"},
    {"weight.value", "config/mixmatch: ulb_loss_ratio 100"},
    {"weight.ramp_length", "config/mixmatch: ramp_up 0.4 of 2^20 iterations"},
    {"labelled_sampling", "datasets/data_utils.py: RandomSampler with replacement"},
    {"unlabelled_sampling", "datasets/data_utils.py: RandomSampler with replacement"},
};
constexpr const char* kTorchSslNotes[] = {
    "Trainer: SGD 0.03 with a cosine schedule, weight decay 5e-4; interleave kept.",
    "The unlabelled pool includes the labelled images.",
};
// What USB's mixmatch does as TorchSSL's is said of that.
constexpr FieldSource kUsbSources[] = {
    {"rows", "as TorchSSL: x, and two views of u"},
    {"views", "as TorchSSL: K 2"},
    {"view.order", "semilearn/datasets/cv_datasets/cifar.py: crop, then flip"},
    {"labelled_sampling", "as TorchSSL: RandomSampler with replacement"},
    {"unlabelled_sampling", "as TorchSSL: RandomSampler with replacement"},
    {"guess.batch_statistics", "as TorchSSL: train mode, the running statistics put back"},
    {"mix.enabled", "as TorchSSL: every step"},
    {"mix.alpha", "config/classic_cv/mixmatch: mixup_alpha 0.5"},
    {"mix.beta", "as TorchSSL: Beta(alpha, alpha)"},
    {"mix.lambda_scope", "as TorchSSL: one lambda a step"},
    {"mix.lambda_floor", "as TorchSSL: is_bias=True, max(l, 1 - l)"},
    {"mix.pairing", "as TorchSSL: torch.randperm of all 3B rows"},
    {"interleave", "the calls are commented out: no interleave"},
    {"weight.value", "config/classic_cv/mixmatch: ulb_loss_ratio 100"},
    {"weight.ramp", "as TorchSSL: a share of the training's steps"},
    {"weight.ramp_length", "as TorchSSL: ramp_up 0.4 of 2^20 iterations"},
};
constexpr const char* kUsbNotes[] = {
    "Trainer: the interleave is commented out there; it reports 37.28 % error at 250 labels.",
    "Its optional mixup_manifold mixes the penultimate features: mix.layers.",
};
constexpr FieldSource kSslMixupSources[] = {
    {"rows", "mixup.py: x, and y without labels, of one batch size"},
    {"views", "mixup.py: one view of y"},
    {"mix.enabled", "mixup.py: every batch"},
    {"mix.alpha", "the CIFAR-10 runs: beta 0.75 (the flag's default is 0.5)"},
    {"mix.beta", "mixup.py, augment: Beta(beta, beta)"},
    {"mix.lambda_scope", "mixup.py, augment: one an example"},
    {"weight.ramp", "mixup.py: weight 1 from the start"},
    {"mix.pairing", "mixup.py, augment: x[::-1]"},
    {"mix.mode", "mixup.py: labelled with labelled, unlabelled with unlabelled"},
    {"mix.lambda_floor", "mixup.py, augment: max(mix, 1 - mix)"},
    {"guess.temperature", "mixup.py: softmax of the current network, not sharpened"},
    {"weight.value", "mixup.py: loss_xe + loss_xeu"},
};
constexpr const char* kSslMixupNotes[] = {
    "Trainer: cross-entropy on both, labels of unlabelled rows without gradient.",
};
constexpr FieldSource kIctSources[] = {
    {"rows", "ict.py: x, and y without labels, of one batch size"},
    {"views", "ict.py: one view of y"},
    {"mix.enabled", "ict.py: every batch"},
    {"mix.alpha", "the CIFAR-10 runs: beta 0.75 (the flag's default is 0.5)"},
    {"mix.beta", "ict.py: Beta(beta, beta)"},
    {"mix.lambda_scope", "ict.py: one an example"},
    {"mix.lambda_floor", "ict.py: max(mix, 1 - mix)"},
    {"weight.ramp", "ict.py: the step counts images"},
    {"mix.pairing", "ict.py: y_1[::-1]"},
    {"mix.mode", "ict.py: only unlabelled images are mixed"},
    {"guess.temperature", "ict.py: softmax of the teacher, not sharpened"},
    {"weight.value",
     "runs of the CIFAR-10 tables: consistency_weight 1000 (the flag's default is 50)"},
    {"weight.ramp_length", "ict.py: warmup_pos 0.4 of 65,536 kimg"},
};
constexpr const char* kIctNotes[] = {
    "Trainer: MSE between the student's softmax and the mixed labels.",
    "The guess model is the teacher: push the EMA weights, or push the student's to a model that "
    "was"
    " registered with --ema-decay 0.999, and set guess.ema.",
};

constexpr char kMixMatchRepository[] = "https://github.com/google-research/mixmatch";

constexpr Preset kSemiSupervisedPresets[] = {
    {"mixmatch", "K weak views, guessed and sharpened labels, everything mixed with everything",
     "Berthelot et al. 2019, https://github.com/google-research/mixmatch", &MixMatch, &Official,
     "signed", kOfficialSources, kOfficialNotes},
    {"mixmatch/official", "the same: the authors' own code",
     "https://github.com/google-research/mixmatch, mixmatch.py", &MixMatch, &Official, "signed",
     kOfficialSources, kOfficialNotes},
    {"mixmatch/yu1ut", "one lambda a batch, crop offsets 0..7, a ramp over the whole training",
     "https://github.com/YU1ut/MixMatch-pytorch", &MixMatchYu1ut, &WithValidation, "cifar10",
     kYu1utSources, kYu1utNotes},
    {"mixmatch/fastai", "fastai's views, two unlabelled images a labelled one, one lambda a batch",
     "https://github.com/noachr/MixMatch-fastai", &MixMatchFastai, &AtRandom, "cifar10-fastai",
     kFastaiSources, kFastaiNotes},
    {"mixmatch/torchssl", "alpha 0.5, lambda_u 100, one lambda a batch, all images unlabelled",
     "https://github.com/TorchSSL/TorchSSL", &MixMatchTorchSsl, &AllUnlabelled, "cifar10-wrn",
     kTorchSslSources, kTorchSslNotes},
    {"mixmatch/usb", "as mixmatch/torchssl, crop before flip",
     "https://github.com/microsoft/Semi-supervised-learning", &MixMatchUsb, &AllUnlabelled,
     "imagenet", kUsbSources, kUsbNotes},
    {"ssl-mixup", "labelled and unlabelled images mixed separately, with guesses as labels",
     kMixMatchRepository, &SslMixup, &Official, "signed", kSslMixupSources, kSslMixupNotes},
    {"ict", "unlabelled images mixed, with the teacher's guesses; labelled ones stay",
     "Verma et al. 2019, as in https://github.com/google-research/mixmatch, ict.py", &Ict,
     &Official, "signed", kIctSources, kIctNotes},
};

}  // namespace

std::span<const Preset> SemiSupervisedPresets() { return kSemiSupervisedPresets; }

}  // namespace mixfeed
