#ifndef MIXFEED_AUGMENT_RECIPE_PRESETS_H_
#define MIXFEED_AUGMENT_RECIPE_PRESETS_H_

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

struct Preset {
  const char* name;
  const char* summary;  // one line for people
  const char* source;   // where the definition comes from
  Recipe (*make)();
};

// All presets, in the order in which they are shown. "How to add one" stands at the table in
// presets.cc.
std::span<const Preset> Presets();

// NotFound lists the known names.
absl::StatusOr<Recipe> FindPreset(const std::string& name);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_PRESETS_H_
