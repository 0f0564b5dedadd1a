#include "server/core/spec_convert.h"

#include <limits>
#include <string>
#include <vector>

#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/presets.h"
#include "server/core/enum_table.h"
#include "server/core/recipe_convert.h"

namespace mixfeed {
namespace {

// ValidateFeedSpec wants a dataset's name; the message may leave it to the server.
constexpr char kAnyDataset[] = "any";

constexpr EnumPair<v1::Split::Rule, SplitRule> kSplitRules[] = {
    {v1::Split::MIXMATCH, SplitRule::kMixMatch}, {v1::Split::BALANCED, SplitRule::kBalanced},
    {v1::Split::RANDOM, SplitRule::kRandom},     {v1::Split::PER_CLASS, SplitRule::kPerClass},
    {v1::Split::ALL, SplitRule::kAll},           {v1::Split::LISTS, SplitRule::kLists},
};
constexpr EnumPair<v1::Pool, PoolId> kPools[] = {
    {v1::LABELLED, PoolId::kLabelled},
    {v1::UNLABELLED, PoolId::kUnlabelled},
    {v1::VALIDATION, PoolId::kValidation},
    {v1::TEST, PoolId::kTest},
};
// The wire's unsigned counts are the library's signed ones.
template <typename From, typename To>
absl::Status SetCount(const std::string& field, From value, To* out) {
  constexpr auto kMost = std::numeric_limits<To>::max();
  if (value > static_cast<std::make_unsigned_t<To>>(kMost)) {
    return FieldError(field, absl::StrCat(value), absl::StrCat("at most ", kMost));
  }
  *out = static_cast<To>(value);
  return absl::OkStatus();
}

template <typename Values, typename To>
absl::Status SetCounts(const std::string& field, const Values& values, std::vector<To>* out) {
  out->resize(static_cast<size_t>(values.size()));
  for (size_t i = 0; i < out->size(); ++i) {
    MIXFEED_RETURN_IF_ERROR(
        SetCount(absl::StrCat(field, "[", i, "]"), values[static_cast<int>(i)], &(*out)[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<SplitSpec> SplitFromProto(const v1::Split& proto, SplitSpec split) {
  // A count asks for a split, also with recipes that label everything by default.
  if (proto.has_labelled() && split.rule == SplitRule::kAll) split.rule = SplitRule::kMixMatch;
  MIXFEED_RETURN_IF_ERROR(EnumFromProto("split.rule", proto.rule(), kSplitRules,
                                        v1::Split::Rule_Name<v1::Split::Rule>, &split.rule));
  if (proto.has_seed()) split.seed = proto.seed();
  if (proto.has_labelled()) {
    MIXFEED_RETURN_IF_ERROR(SetCount("split.labelled", proto.labelled(), &split.labelled));
  }
  if (proto.has_validation()) {
    MIXFEED_RETURN_IF_ERROR(SetCount("split.validation", proto.validation(), &split.validation));
  }
  if (proto.has_unlabelled_includes_labelled()) {
    split.unlabelled_includes_labelled = proto.unlabelled_includes_labelled();
  }
  MIXFEED_RETURN_IF_ERROR(SetCounts("split.per_class", proto.per_class(), &split.per_class));
  MIXFEED_RETURN_IF_ERROR(
      SetCounts("split.labelled_list", proto.labelled_list(), &split.lists.labelled));
  MIXFEED_RETURN_IF_ERROR(
      SetCounts("split.unlabelled_list", proto.unlabelled_list(), &split.lists.unlabelled));
  MIXFEED_RETURN_IF_ERROR(
      SetCounts("split.validation_list", proto.validation_list(), &split.lists.validation));
  return split;
}

absl::StatusOr<const Preset*> PresetOf(const v1::Recipe& proto) {
  const std::string name = proto.preset().empty() ? kDefaultPreset : proto.preset();
  absl::StatusOr<const Preset*> found = FindPresetEntry(name);
  if (found.ok()) return found;
  return FieldError("recipe.preset", absl::StrCat("\"", name, "\""),
                    absl::StrJoin(PresetNames(name), ", "));
}

template <typename From, typename To>
void CopyList(const std::vector<From>& from, google::protobuf::RepeatedField<To>* to) {
  for (const From value : from) to->Add(static_cast<To>(value));
}

void FillSplit(const SplitSpec& split, v1::Split* proto) {
  proto->set_rule(EnumToProto(split.rule, kSplitRules));
  proto->set_seed(split.seed);
  proto->set_labelled(static_cast<uint64_t>(split.labelled));
  proto->set_validation(static_cast<uint64_t>(split.validation));
  proto->set_unlabelled_includes_labelled(split.unlabelled_includes_labelled);
  CopyList(split.per_class, proto->mutable_per_class());
  CopyList(split.lists.labelled, proto->mutable_labelled_list());
  CopyList(split.lists.unlabelled, proto->mutable_unlabelled_list());
  CopyList(split.lists.validation, proto->mutable_validation_list());
}

}  // namespace

absl::StatusOr<FeedSpec> SpecFromProto(const v1::FeedSpec& proto) {
  FeedSpec spec;
  MIXFEED_ASSIGN_OR_RETURN(const Preset* const preset, PresetOf(proto.recipe()));
  spec.recipe = preset->make();
  spec.recipe.preset = preset->name;
  MIXFEED_RETURN_IF_ERROR(OverrideRecipe(proto.recipe(), &spec.recipe));
  MIXFEED_ASSIGN_OR_RETURN(spec.split, SplitFromProto(proto.split(), preset->split()));
  if (proto.has_seed()) spec.seed = proto.seed();
  if (proto.has_batch()) MIXFEED_RETURN_IF_ERROR(SetCount("batch", proto.batch(), &spec.batch));
  if (proto.has_plan_version()) spec.plan_version = proto.plan_version();
  spec.dataset = proto.dataset().empty() ? kAnyDataset : proto.dataset();
  MIXFEED_RETURN_IF_ERROR(ValidateFeedSpec(spec));
  spec.dataset = proto.dataset();
  return spec;
}

v1::FeedSpec SpecToProto(const FeedSpec& spec) {
  v1::FeedSpec proto;
  proto.set_dataset(spec.dataset);
  FillSplit(spec.split, proto.mutable_split());
  FillRecipe(spec.recipe, proto.mutable_recipe());
  proto.set_seed(spec.seed);
  proto.set_batch(static_cast<uint32_t>(spec.batch));
  proto.set_plan_version(spec.plan_version);
  return proto;
}

v1::Pool PoolToProto(PoolId pool) { return EnumToProto(pool, kPools); }

}  // namespace mixfeed
