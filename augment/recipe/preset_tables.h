#ifndef MIXFEED_AUGMENT_RECIPE_PRESET_TABLES_H_
#define MIXFEED_AUGMENT_RECIPE_PRESET_TABLES_H_

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

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_PRESET_TABLES_H_
