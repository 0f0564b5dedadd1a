#include "augment/recipe/presets.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/nearest.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/preset_tables.h"

namespace mixfeed {
namespace {

// How to add one: write a function in one of the *_presets.cc that fills in a Recipe, and add its
// line to that file's table, with the source of its definition. Everything else (validation,
// OpenFeed, `mixfeed recipes`, --recipe and its help) reads the tables; a test holds every line to
// ValidateRecipe. A variant of a preset is named PRESET/VARIANT, says in its summary what it does
// differently, and starts from the preset's function. If the struct cannot say what the recipe
// does, extend it first (fields.h).
std::vector<Preset> JoinTables() {
  std::vector<Preset> all;
  for (const std::span<const Preset> table :
       {SemiSupervisedPresets(), MixupPresets(), CutMixPresets(), PlainPresets()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

}  // namespace

std::span<const Preset> Presets() {
  static const auto* const all = new std::vector<Preset>(JoinTables());
  return *all;
}

std::vector<std::string> PresetNames(const std::string& given) {
  std::vector<std::string> names;
  for (const Preset& preset : Presets()) names.emplace_back(preset.name);
  return NearestFirst(given, std::move(names));
}

absl::StatusOr<const Preset*> FindPresetEntry(const std::string& name) {
  for (const Preset& preset : Presets()) {
    if (name == preset.name) return &preset;
  }
  return absl::NotFoundError(
      absl::StrCat("recipe is \"", name, "\"; known: ", absl::StrJoin(PresetNames(name), ", ")));
}

absl::StatusOr<Recipe> FindPreset(const std::string& name) {
  MIXFEED_ASSIGN_OR_RETURN(const Preset* const preset, FindPresetEntry(name));
  Recipe recipe = preset->make();
  recipe.preset = preset->name;
  return recipe;
}

Recipe LabelledRecipe(int pad, PadMode pad_mode) {
  Recipe recipe;
  recipe.rows = RowSource::kLabelled;
  recipe.views = 1;
  recipe.view.pad = pad;
  recipe.view.pad_mode = pad_mode;
  return recipe;
}

SplitSpec AllLabelled() { return {.rule = SplitRule::kAll}; }

}  // namespace mixfeed
