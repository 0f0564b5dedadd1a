#include "augment/recipe/describe.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "augment/recipe/fields.h"

namespace mixfeed {
namespace {

// Short forms for people, unlike FieldText's, which round-trip.
std::string Shown(double value) { return absl::StrFormat("%.10g", value); }
std::string Shown(const std::string& value) { return absl::StrCat("\"", value, "\""); }
std::string Shown(const std::vector<int>& value) {
  return absl::StrCat("[", absl::StrJoin(value, ", "), "]");
}
std::string Shown(const std::array<int, 3>& value) {
  return absl::StrCat("[", absl::StrJoin(value, ", "), "]");
}
template <typename Value>
std::string Shown(const Value& value) {
  return FieldText(value);
}

std::string AllowedOf(const RecipeField&, bool) { return "true, false"; }
std::string AllowedOf(const RecipeField&, const std::string&) { return ""; }
template <typename Enum>
requires std::is_enum_v<Enum> std::string AllowedOf(const RecipeField&, Enum value) {
  return absl::StrJoin(NamesOf(value), ", ");
}
// Numbers and lists of them.
template <typename Number>
requires(!std::is_enum_v<Number>) std::string AllowedOf(const RecipeField& field, const Number&) {
  if (field.high >= recipe_fields::kNoLimit) return absl::StrCat("from ", Shown(field.low));
  return absl::StrCat(Shown(field.low), "..", Shown(field.high));
}

std::string SourceOf(const Preset& preset, const std::string& path) {
  const auto found =
      std::find_if(preset.sources.begin(), preset.sources.end(),
                   [&path](const FieldSource& source) { return path == source.path; });
  return found == preset.sources.end() ? "" : found->place;
}

bool HasCount(SplitRule rule) {
  return rule == SplitRule::kMixMatch || rule == SplitRule::kBalanced || rule == SplitRule::kRandom;
}

void DescribeSplit(const SplitSpec& split, bool reads_unlabelled,
                   std::vector<DescribedField>* fields) {
  const bool drawn = split.rule != SplitRule::kAll || split.validation > 0;
  const DescribedField described[] = {
      {"split.rule", FieldText(split.rule), "which training images are labelled",
       absl::StrJoin(NamesOf(split.rule), ", "), "", true},
      {"split.seed", absl::StrCat(split.seed), "of the split alone",
       absl::StrCat("0..", kMaxSplitSeed), "", drawn},
      {"split.labelled", absl::StrCat(split.labelled), "labelled images", "from 0", "",
       HasCount(split.rule)},
      {"split.validation", absl::StrCat(split.validation), "images held out from training",
       "from 0", "", true},
      {"split.unlabelled_includes_labelled", FieldText(split.unlabelled_includes_labelled),
       "labelled images are in the unlabelled pool too", "true, false", "", reads_unlabelled},
  };
  fields->insert(fields->end(), std::begin(described), std::end(described));
}

}  // namespace

std::vector<DescribedField> DescribePreset(const Preset& preset) {
  return DescribeRecipe(preset, preset.make(), preset.split());
}

std::vector<DescribedField> DescribeRecipe(const Preset& preset, const Recipe& recipe,
                                           const SplitSpec& split) {
  std::vector<DescribedField> fields;
  VisitFields(recipe, [&](const RecipeField& field, const auto& value) {
    fields.push_back({.path = absl::StrCat("recipe.", field.path),
                      .value = Shown(value),
                      .meaning = field.meaning,
                      .allowed = AllowedOf(field, value),
                      .source = SourceOf(preset, field.path),
                      .read = field.read(recipe)});
  });
  DescribeSplit(split, recipe.reads_unlabelled(), &fields);
  return fields;
}

}  // namespace mixfeed
