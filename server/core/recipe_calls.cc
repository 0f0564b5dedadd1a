#include "server/core/recipe_calls.h"

#include <string>

#include "augment/base/status_macros.h"
#include "augment/recipe/describe.h"
#include "augment/recipe/presets.h"
#include "server/core/spec_convert.h"

namespace mixfeed {
namespace {

void Describe(const Preset& preset, v1::RecipeInfo* info) {
  info->set_name(preset.name);
  info->set_summary(preset.summary);
  info->set_source(preset.source);
  info->set_normalisation(preset.normalisation);
  FeedSpec spec;
  spec.recipe = preset.make();
  spec.recipe.preset = preset.name;
  spec.split = preset.split();
  const v1::FeedSpec proto = SpecToProto(spec);
  *info->mutable_recipe() = proto.recipe();
  *info->mutable_split() = proto.split();
  for (const DescribedField& field : DescribePreset(preset)) {
    v1::RecipeFieldInfo* const described = info->add_fields();
    described->set_path(field.path);
    described->set_value(field.value);
    described->set_meaning(field.meaning);
    described->set_allowed(field.allowed);
    described->set_source(field.source);
    described->set_read(field.read);
  }
  for (const char* note : preset.notes) info->add_notes(note);
}

}  // namespace

absl::StatusOr<v1::ListRecipesResponse> ListRecipes(const v1::ListRecipesRequest& request) {
  v1::ListRecipesResponse response;
  if (!request.name().empty()) {
    MIXFEED_ASSIGN_OR_RETURN(const Preset* const preset, FindPresetEntry(request.name()));
    Describe(*preset, response.add_recipes());
    return response;
  }
  for (const Preset& preset : Presets()) Describe(preset, response.add_recipes());
  return response;
}

}  // namespace mixfeed
