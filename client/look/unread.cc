#include "client/look/unread.h"

#include "absl/strings/str_cat.h"
#include "augment/recipe/describe.h"
#include "augment/recipe/fields.h"

namespace mixfeed {
namespace {

// Why a field is not read, by the condition under which it is.
struct Reason {
  bool (*read)(const Recipe& recipe);
  const char* text;
};

constexpr Reason kReasons[] = {
    {recipe_fields::Ordered, "the recipe is no ordered pass (recipe.rows)"},
    {recipe_fields::Drawn, "an ordered pass sends images as they are (recipe.rows)"},
    {recipe_fields::Guesses, "nothing is guessed (recipe.rows)"},
    {recipe_fields::Pads, "nothing is padded (recipe.view.pad)"},
    {recipe_fields::PadsConstant, "no border has a colour (recipe.view.pad_mode)"},
    {recipe_fields::OrderMatters,
     "flip and crop are equal in distribution in either order (recipe.view.crop_range)"},
    {recipe_fields::Warps, "nothing is warped (the largest rotation, zoom and perspective)"},
    {recipe_fields::Tones, "nothing is lit (recipe.view.warp.max_lighting)"},
    {recipe_fields::Cuts, "nothing is cut out (recipe.view.cutout.size)"},
    {recipe_fields::CutsLevels, "no hole has a colour (recipe.view.cutout.fill_with)"},
    {recipe_fields::Mixes, "nothing is mixed (recipe.mix.enabled)"},
    {recipe_fields::TwoWay, "no two images are mixed (recipe.mix.enabled, sources)"},
    {recipe_fields::Blends, "nothing is blended (recipe.mix.cutmix.probability)"},
    {recipe_fields::DrawsBeta,
     "no blend draws from Beta(alpha, beta) (recipe.mix.lambda_law, cutmix.probability)"},
    {recipe_fields::ReadsBeta,
     "no blend draws from Beta(alpha, beta) (recipe.mix.lambda_law, cutmix.probability)"},
    {recipe_fields::Uniform, "lambda has no uniform law (recipe.mix.lambda_law)"},
    {recipe_fields::Boxes, "no box is pasted (recipe.mix.cutmix.probability)"},
    {recipe_fields::BetaBoxes,
     "no box draws its size from a Beta (recipe.mix.cutmix.probability, box)"},
    {recipe_fields::MinMaxBoxes,
     "no box has sides of min_side..max_side (recipe.mix.cutmix.probability, box)"},
    {recipe_fields::MixesByChance, "mixing is not left to chance (recipe.mix.probability)"},
    {recipe_fields::PairsRows, "partners are no rows of the batch (recipe.mix.partner.source)"},
    {recipe_fields::MixesGroups, "there are no labelled and unlabelled rows to mix (recipe.rows)"},
    {recipe_fields::HasNeighbours,
     "partners are no nearest neighbours (recipe.mix.partner.neighbours)"},
    {recipe_fields::Delayed, "no delayed weights guess (recipe.guess.policy)"},
    {recipe_fields::Pinned, "no pinned version guesses (recipe.guess.policy)"},
    {recipe_fields::Ramps, "lambda_u has no ramp (recipe.weight.ramp)"},
};

}  // namespace

std::string WhyUnread(const std::string& path, const Recipe& recipe) {
  // The split's fields have no condition in fields.h.
  std::string text = "the other fields leave it unread";
  if (path == "split.seed") text = "every image is labelled and none held out (split.rule)";
  if (path == "split.labelled") text = "the rule of the split takes no count (split.rule)";
  if (path == "split.unlabelled_includes_labelled") text = "no unlabelled image is used";
  VisitFields(recipe, [&](const RecipeField& field, const auto&) {
    if (path != absl::StrCat("recipe.", field.path)) return;
    for (const Reason& reason : kReasons) {
      if (reason.read == field.read) text = reason.text;
    }
  });
  return text;
}

std::vector<std::string> NotesOfUnread(const std::vector<GivenField>& given,
                                       const LocalSpec& spec) {
  const std::vector<DescribedField> fields = DescribeRecipe(*spec.preset, spec.recipe, spec.split);
  std::vector<std::string> notes;
  for (const GivenField& one : given) {
    for (const DescribedField& field : fields) {
      if (field.path != one.path || field.read) continue;
      notes.push_back(absl::StrCat(one.shown, " has no effect, since ",
                                   WhyUnread(one.path, spec.recipe), "; see `mixfeed recipes show ",
                                   spec.preset->name, "`"));
    }
  }
  return notes;
}

}  // namespace mixfeed
