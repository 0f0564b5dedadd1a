#include "server/core/spec_convert.h"

#include <limits>
#include <string>
#include <vector>

#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/presets.h"
#include "server/core/enum_table.h"

namespace mixfeed {
namespace {

constexpr char kDefaultPreset[] = "mixmatch";
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
constexpr EnumPair<v1::Sampling, Sampling> kSamplings[] = {
    {v1::EPOCHS, Sampling::kEpochs},
    {v1::WITH_REPLACEMENT, Sampling::kWithReplacement},
};
constexpr EnumPair<v1::View::PadMode, PadMode> kPadModes[] = {
    {v1::View::REFLECT, PadMode::kReflect},
    {v1::View::ZERO, PadMode::kZero},
    {v1::View::EDGE, PadMode::kEdge},
};
constexpr EnumPair<v1::Mix::LambdaScope, DrawScope> kLambdaScopes[] = {
    {v1::Mix::PER_ROW, DrawScope::kPerRow},
    {v1::Mix::PER_BATCH, DrawScope::kPerBatch},
};
constexpr EnumPair<v1::Mix::Pairing, Pairing> kPairings[] = {
    {v1::Mix::PERMUTATION, Pairing::kPermutation},
    {v1::Mix::REVERSED, Pairing::kReversed},
    {v1::Mix::ROLLED, Pairing::kRolled},
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

absl::StatusOr<SplitSpec> SplitFromProto(const v1::Split& proto, bool guesses) {
  SplitSpec split;
  split.rule = guesses ? SplitRule::kMixMatch : SplitRule::kAll;
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

absl::Status OverrideView(const v1::View& proto, ViewSpec* view) {
  if (proto.has_flip_probability()) view->flip_probability = proto.flip_probability();
  if (proto.has_pad()) {
    MIXFEED_RETURN_IF_ERROR(SetCount("recipe.view.pad", proto.pad(), &view->pad));
  }
  return EnumFromProto("recipe.view.pad_mode", proto.pad_mode(), kPadModes,
                       v1::View::PadMode_Name<v1::View::PadMode>, &view->pad_mode);
}

void OverrideGuess(const v1::Guess& proto, GuessSpec* guess) {
  if (!proto.model().empty()) guess->model = proto.model();
  if (proto.has_temperature()) guess->temperature = proto.temperature();
  if (proto.has_batch_statistics()) guess->batch_statistics = proto.batch_statistics();
}

absl::Status OverrideMix(const v1::Mix& proto, MixSpec* mix) {
  if (proto.has_enabled()) mix->enabled = proto.enabled();
  if (proto.has_alpha()) mix->alpha = mix->beta = proto.alpha();
  if (proto.has_beta()) mix->beta = proto.beta();
  if (proto.has_lambda_floor()) mix->lambda_floor = proto.lambda_floor();
  MIXFEED_RETURN_IF_ERROR(
      EnumFromProto("recipe.mix.lambda_scope", proto.lambda_scope(), kLambdaScopes,
                    v1::Mix::LambdaScope_Name<v1::Mix::LambdaScope>, &mix->lambda_scope));
  return EnumFromProto("recipe.mix.pairing", proto.pairing(), kPairings,
                       v1::Mix::Pairing_Name<v1::Mix::Pairing>, &mix->pairing);
}

absl::StatusOr<Recipe> RecipeFromProto(const v1::Recipe& proto) {
  const std::string preset = proto.preset().empty() ? kDefaultPreset : proto.preset();
  absl::StatusOr<Recipe> found = FindPreset(preset);
  if (!found.ok()) {
    const auto append_name = [](std::string* out, const Preset& known) { *out += known.name; };
    return FieldError("recipe.preset", absl::StrCat("\"", preset, "\""),
                      absl::StrJoin(Presets(), ", ", append_name));
  }
  Recipe recipe = *std::move(found);
  if (proto.has_views()) {
    MIXFEED_RETURN_IF_ERROR(SetCount("recipe.views", proto.views(), &recipe.views));
  }
  MIXFEED_RETURN_IF_ERROR(OverrideView(proto.view(), &recipe.view));
  OverrideGuess(proto.guess(), &recipe.guess);
  MIXFEED_RETURN_IF_ERROR(OverrideMix(proto.mix(), &recipe.mix));
  MIXFEED_RETURN_IF_ERROR(EnumFromProto("recipe.labelled_sampling", proto.labelled_sampling(),
                                        kSamplings, v1::Sampling_Name<v1::Sampling>,
                                        &recipe.labelled_sampling));
  MIXFEED_RETURN_IF_ERROR(EnumFromProto("recipe.unlabelled_sampling", proto.unlabelled_sampling(),
                                        kSamplings, v1::Sampling_Name<v1::Sampling>,
                                        &recipe.unlabelled_sampling));
  MIXFEED_RETURN_IF_ERROR(EnumFromProto("recipe.ordered_pool", proto.ordered_pool(), kPools,
                                        v1::Pool_Name<v1::Pool>, &recipe.ordered_pool));
  return recipe;
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

void FillRecipe(const Recipe& recipe, v1::Recipe* proto) {
  proto->set_preset(recipe.preset);
  proto->set_views(static_cast<uint32_t>(recipe.views));
  proto->mutable_view()->set_flip_probability(recipe.view.flip_probability);
  proto->mutable_view()->set_pad(static_cast<uint32_t>(recipe.view.pad));
  proto->mutable_view()->set_pad_mode(EnumToProto(recipe.view.pad_mode, kPadModes));
  proto->mutable_guess()->set_model(recipe.guess.model);
  proto->mutable_guess()->set_temperature(recipe.guess.temperature);
  proto->mutable_guess()->set_batch_statistics(recipe.guess.batch_statistics);
  v1::Mix* mix = proto->mutable_mix();
  mix->set_enabled(recipe.mix.enabled);
  mix->set_alpha(recipe.mix.alpha);
  mix->set_beta(recipe.mix.beta);
  mix->set_lambda_scope(EnumToProto(recipe.mix.lambda_scope, kLambdaScopes));
  mix->set_lambda_floor(recipe.mix.lambda_floor);
  mix->set_pairing(EnumToProto(recipe.mix.pairing, kPairings));
  proto->set_labelled_sampling(EnumToProto(recipe.labelled_sampling, kSamplings));
  proto->set_unlabelled_sampling(EnumToProto(recipe.unlabelled_sampling, kSamplings));
  proto->set_ordered_pool(EnumToProto(recipe.ordered_pool, kPools));
}

}  // namespace

absl::StatusOr<FeedSpec> SpecFromProto(const v1::FeedSpec& proto) {
  FeedSpec spec;
  MIXFEED_ASSIGN_OR_RETURN(spec.recipe, RecipeFromProto(proto.recipe()));
  MIXFEED_ASSIGN_OR_RETURN(spec.split, SplitFromProto(proto.split(), spec.recipe.guesses()));
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
