#ifndef MIXFEED_CLIENT_LOOK_RECIPES_H_
#define MIXFEED_CLIENT_LOOK_RECIPES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/look/look.h"

namespace mixfeed {

// The recipes that this program knows; no server is asked. `edits` are of the form PATH=VALUE
// (client/spec/spec_field.h). Errors: NotFound for a name, InvalidArgument for an edit.

// Names, summaries and sources: `mixfeed recipes`.
Look LookAtRecipes();
// Every field of one: `mixfeed recipes show`.
absl::StatusOr<Look> LookAtRecipe(const std::string& name, const std::vector<std::string>& edits);
// What differs between `a` and the edited `b`: `mixfeed recipes diff`.
absl::StatusOr<Look> CompareRecipes(const std::string& a, const std::string& b,
                                    const std::vector<std::string>& edits);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_RECIPES_H_
