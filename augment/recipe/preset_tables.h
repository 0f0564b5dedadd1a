#ifndef MIXFEED_AUGMENT_RECIPE_PRESET_TABLES_H_
#define MIXFEED_AUGMENT_RECIPE_PRESET_TABLES_H_

#include <array>
#include <cstddef>
#include <span>

#include "augment/recipe/presets.h"

namespace mixfeed {

// The parts of Presets(), each in a file of its own.
std::span<const Preset> SemiSupervisedPresets();
std::span<const Preset> MixupPresets();
std::span<const Preset> CutMixPresets();
std::span<const Preset> PlainPresets();

// Shared between them. Labelled images, flipped and cropped, nothing mixed.
Recipe LabelledRecipe(int pad, PadMode pad_mode);
// Every training image is labelled.
SplitSpec AllLabelled();

// The sources of a variant: its own, then those of what it starts from. Of two with one path the
// first counts.
template <size_t... N>
constexpr std::array<FieldSource, (N + ...)> JoinSources(const FieldSource (&... lists)[N]) {
  std::array<FieldSource, (N + ...)> all = {};
  size_t size = 0;
  const auto append = [&](const auto& list) {
    for (const FieldSource& source : list) all[size++] = source;
  };
  (append(lists), ...);
  return all;
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_PRESET_TABLES_H_
