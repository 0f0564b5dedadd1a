#ifndef MIXFEED_SERVER_CORE_RECIPE_CALLS_H_
#define MIXFEED_SERVER_CORE_RECIPE_CALLS_H_

#include "absl/status/statusor.h"
#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed {

// What InspectService answers to ListRecipes. NotFound lists the known names.
absl::StatusOr<v1::ListRecipesResponse> ListRecipes(const v1::ListRecipesRequest& request);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_RECIPE_CALLS_H_
