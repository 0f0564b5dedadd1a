#include "client/train/variant.h"

#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

constexpr TrainerVariant kVariants[] = {
    // google-research/mixmatch, mixmatch.py and libml/: Adam 0.002, EMA 0.999 of the trainable
    // variables, v *= 1 - 0.02 * lr on kernels, running statistics from the first interleaved pass.
    {.name = "official",
     .summary = "the published algorithm: interleaved passes of which the first moves the running "
                "statistics; Adam 0.002; EMA 0.999 of parameters; kernels decay by 0.02 rate",
     .recipe = "mixmatch"},
    // YU1ut/MixMatch-pytorch, train.py: model.train() in the guess, all passes update; WeightEMA
    // over every float32 entry of the state dict, param.mul_(1 - 0.02 * lr) likewise.
    {.name = "yu1ut",
     .summary =
         "every pass moves the running statistics, those of the guess too (K + K + 1 a step); "
         "EMA and decay of running statistics and biases too",
     .recipe = "mixmatch/yu1ut",
     .every_pass_updates = true,
     .guess_passes_update = true,
     .average_statistics = true,
     .decay_scope = DecayScope::kAll},
    // noachr/MixMatch-fastai, MixMatch Blog.ipynb: rows permuted, one forward; fit_one_cycle with
    // fastai v1's defaults (true weight decay of 0.01 on all parameters); no EMA. Left out: fastai
    // also cycles Adam's first beta between 0.95 and 0.85, with a second one of 0.99.
    {.name = "fastai",
     .summary = "all rows in one pass; one-cycle schedule; no EMA; all parameters decay by 0.01 "
                "rate",
     .recipe = "mixmatch/fastai",
     .passes = RowPasses::kWhole,
     .interleave = false,
     .decay_scope = DecayScope::kParameters,
     .schedule = "one-cycle",
     .ema = "0",
     .weight_decay = "0.01"},
    // TorchSSL, models/mixmatch and config/mixmatch: SGD 0.03 with Nesterov momentum 0.9,
    // weight_decay 5e-4 not on biases and batch norms, get_cosine_schedule_with_warmup (7/16).
    {.name = "torchssl",
     .summary = "SGD 0.03 with Nesterov momentum 0.9 and cosine-7-16; L2 of 5e-4 on kernels in the "
                "gradient",
     .recipe = "mixmatch/torchssl",
     .decay_form = DecayForm::kGradient,
     .optimiser = "sgd",
     .rate = "0.03",
     .schedule = "cosine-7-16",
     .weight_decay = "0.0005"},
    // microsoft/Semi-supervised-learning: as TorchSSL; the calls of interleave are commented out.
    {.name = "usb",
     .summary = "as torchssl, without the interleave: the first pass is of labelled rows only",
     .recipe = "mixmatch/usb",
     .interleave = false,
     .decay_form = DecayForm::kGradient,
     .optimiser = "sgd",
     .rate = "0.03",
     .schedule = "cosine-7-16",
     .weight_decay = "0.0005"},
};

}  // namespace

std::span<const TrainerVariant> TrainerVariants() { return kVariants; }

const TrainerVariant* FindVariant(const std::string& name) {
  for (const TrainerVariant& variant : kVariants) {
    if (name == variant.name) return &variant;
  }
  return nullptr;
}

const TrainerVariant& VariantOfRecipe(const std::string& recipe) {
  for (const TrainerVariant& variant : kVariants) {
    if (recipe == absl::StrCat("mixmatch/", variant.name)) return variant;
  }
  return kVariants[0];
}

}  // namespace mixfeed
