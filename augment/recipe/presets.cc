#include "augment/recipe/presets.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mixfeed {
namespace {

Recipe MixMatch() {
  Recipe recipe;
  recipe.preset = "mixmatch";
  recipe.rows = RowSource::kLabelledAndUnlabelled;
  recipe.views = 2;
  recipe.view = {.flip_probability = 0.5, .pad = 4, .pad_mode = PadMode::kReflect};
  recipe.guess = {.model = "", .temperature = 0.5, .batch_statistics = true};
  recipe.mix = {.enabled = true,
                .alpha = 0.75,
                .beta = 0.75,
                .lambda_scope = DrawScope::kPerRow,
                .lambda_floor = true,
                .pairing = Pairing::kPermutation};
  return recipe;
}

Recipe Supervised() {
  Recipe recipe;
  recipe.preset = "supervised";
  recipe.rows = RowSource::kLabelled;
  recipe.views = 1;
  recipe.view = {.flip_probability = 0.5, .pad = 4, .pad_mode = PadMode::kReflect};
  recipe.mix.enabled = false;
  return recipe;
}

Recipe Mixup() {
  Recipe recipe = Supervised();
  recipe.preset = "mixup";
  recipe.view.pad_mode = PadMode::kZero;
  recipe.mix = {.enabled = true,
                .alpha = 1.0,
                .beta = 1.0,
                .lambda_scope = DrawScope::kPerBatch,
                .lambda_floor = false,
                .pairing = Pairing::kPermutation};
  return recipe;
}

Recipe Eval() {
  Recipe recipe;
  recipe.preset = "eval";
  recipe.rows = RowSource::kOrdered;
  recipe.ordered_pool = PoolId::kTest;
  recipe.views = 1;
  recipe.view = {.flip_probability = 0.0, .pad = 0, .pad_mode = PadMode::kReflect};
  recipe.mix.enabled = false;
  return recipe;
}

// How to add one: write a function above that fills in a Recipe and sets `preset` to the new name,
// and add its line here, with the source of its definition. Everything else (validation, OpenFeed,
// the CLI's --recipe and its help) reads this table; a test holds every line to ValidateRecipe. A
// variant of a preset is named PRESET/VARIANT, says in its summary what it does differently, and
// starts from the preset's function. If the struct cannot say what the recipe does, extend it
// first: a field in recipe.h, its check in recipe.cc, its line in feed_id.cc, its draw in plan/
// under a Purpose of its own.
constexpr Preset kPresets[] = {
    {"mixmatch", "K weak views, guessed and sharpened labels, everything mixed with everything",
     "Berthelot et al. 2019, https://github.com/google-research/mixmatch", &MixMatch},
    {"mixup", "labelled images mixed in pairs, one lambda a batch",
     "Zhang et al. 2018, https://github.com/facebookresearch/mixup-cifar10", &Mixup},
    {"supervised", "labelled images, flipped and cropped, nothing mixed",
     "the weak augmentation of https://github.com/google-research/mixmatch", &Supervised},
    {"eval", "one ordered pass over a pool, images as they are", "this project", &Eval},
};

}  // namespace

std::span<const Preset> Presets() { return kPresets; }

absl::StatusOr<Recipe> FindPreset(const std::string& name) {
  for (const Preset& preset : kPresets) {
    if (name == preset.name) return preset.make();
  }
  const auto append_name = [](std::string* out, const Preset& preset) { *out += preset.name; };
  return absl::NotFoundError(absl::StrCat(
      "recipe is \"", name, "\"; known: ", absl::StrJoin(kPresets, ", ", append_name)));
}

}  // namespace mixfeed
