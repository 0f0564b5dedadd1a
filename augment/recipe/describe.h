#ifndef MIXFEED_AUGMENT_RECIPE_DESCRIBE_H_
#define MIXFEED_AUGMENT_RECIPE_DESCRIBE_H_

#include <string>
#include <vector>

#include "augment/recipe/presets.h"

namespace mixfeed {

// A field of a preset for people.
struct DescribedField {
  std::string path;  // below the spec: "recipe.mix.alpha", "split.labelled"
  std::string value;
  std::string meaning;
  std::string allowed;  // "0..1", or an enum's names; empty for text
  std::string source;   // where the preset's source says so, or empty
  bool read = true;     // whether batches depend on it, given the others
};

// All fields of the preset's recipe and split, in the order of fields.h. Lists of a split are left
// out: no preset has any.
std::vector<DescribedField> DescribePreset(const Preset& preset);
// Likewise of a recipe and a split that were made from the preset and then changed.
std::vector<DescribedField> DescribeRecipe(const Preset& preset, const Recipe& recipe,
                                           const SplitSpec& split);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_DESCRIBE_H_
