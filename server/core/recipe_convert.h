#ifndef MIXFEED_SERVER_CORE_RECIPE_CONVERT_H_
#define MIXFEED_SERVER_CORE_RECIPE_CONVERT_H_

#include "absl/status/status.h"
#include "augment/recipe/recipe.h"
#include "mixfeed/v1/spec.pb.h"

namespace mixfeed {

// Recipes and their messages have the same fields under the same names (augment/recipe/fields.h);
// both ways go through that list.

// Replaces what the message sets; an alpha alone sets its beta too. InvalidArgument names the
// message's field ("recipe.mix.pairing"), its value and what is allowed. The preset's name is left
// alone.
absl::Status OverrideRecipe(const v1::Recipe& proto, Recipe* recipe);

// Sets every field of the message, the preset's name too.
void FillRecipe(const Recipe& recipe, v1::Recipe* proto);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_RECIPE_CONVERT_H_
