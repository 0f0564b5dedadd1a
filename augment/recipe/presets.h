#ifndef MIXFEED_AUGMENT_RECIPE_PRESETS_H_
#define MIXFEED_AUGMENT_RECIPE_PRESETS_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/pool/split.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// Where a preset's source says a field's value.
struct FieldSource {
  const char* path;  // as RecipeField::path
  const char* place;
};

// A named recipe, with what people need to compare it with its source.
struct Preset {
  const char* name;
  const char* summary;  // one line; of a variant what it does differently
  const char* source;   // where the definition comes from
  Recipe (*make)();
  // The split that feeds of the recipe have unless they say otherwise.
  SplitSpec (*split)();
  const char* normalisation;  // the consumer's, as the source has it (FindNormalisation)
  // Of every field that the recipe reads and that is not as in Recipe{}; of two with one path the
  // first counts.
  std::span<const FieldSource> sources = {};
  // What the source does on the trainer's side, and its defects that are left out.
  std::span<const char* const> notes = {};
};

// All presets, in the order in which they are shown. "How to add one" stands at the table in
// presets.cc.
std::span<const Preset> Presets();

// The names of all presets, those nearest to the one that was given first.
std::vector<std::string> PresetNames(const std::string& given);

inline constexpr char kDefaultPreset[] = "mixmatch";  // of a spec that names none; see spec.proto

// NotFound lists the known names, the nearest first.
absl::StatusOr<const Preset*> FindPresetEntry(const std::string& name);
absl::StatusOr<Recipe> FindPreset(const std::string& name);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_PRESETS_H_
