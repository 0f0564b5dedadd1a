#include "augment/recipe/feed_spec.h"

#include <limits>

#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/enum_names.h"

namespace mixfeed {
namespace {

constexpr int64_t kMaxImages = std::numeric_limits<int32_t>::max();

bool HasLabelledCount(SplitRule rule) {
  return rule == SplitRule::kMixMatch || rule == SplitRule::kBalanced || rule == SplitRule::kRandom;
}

absl::Status CheckPerClass(const SplitSpec& split) {
  if (split.per_class.empty()) {
    return FieldError("split.per_class", "empty", "a count for each class");
  }
  for (size_t c = 0; c < split.per_class.size(); ++c) {
    MIXFEED_RETURN_IF_ERROR(CheckRange(absl::StrCat("split.per_class[", c, "]"), split.per_class[c],
                                       int64_t{0}, kMaxImages));
  }
  return absl::OkStatus();
}

absl::Status CheckSplit(const SplitSpec& split) {
  MIXFEED_RETURN_IF_ERROR(CheckEnum("split.rule", split.rule));
  MIXFEED_RETURN_IF_ERROR(CheckRange("split.validation", split.validation, int64_t{0}, kMaxImages));
  if (split.rule != SplitRule::kLists) {
    MIXFEED_RETURN_IF_ERROR(CheckRange("split.seed", split.seed, uint64_t{0}, kMaxSplitSeed));
  }
  if (HasLabelledCount(split.rule)) {
    return CheckRange("split.labelled", split.labelled, int64_t{0}, kMaxImages);
  }
  if (split.rule == SplitRule::kPerClass) return CheckPerClass(split);
  return absl::OkStatus();
}

// What the batch must be for the recipe's rows.
absl::Status CheckRows(const FeedSpec& spec) {
  const MixSpec& mix = spec.recipe.mix;
  const bool paired =
      mix.enabled && (mix.half || mix.lambda_scope == DrawScope::kPerPair ||
                      (mix.probability < 1 && mix.probability_scope == DrawScope::kPerPair));
  if (paired && spec.batch % 2 != 0) {
    return FieldError("batch", absl::StrCat(spec.batch),
                      "even numbers when rows are drawn in pairs or halves");
  }
  if (spec.rows() <= kMaxRows) return absl::OkStatus();
  return FieldError("batch", absl::StrCat(spec.batch, ", of ", spec.rows(), " rows a step"),
                    absl::StrCat("batches of up to ", kMaxRows, " rows"));
}

bool LeavesNothingUnlabelled(const SplitSpec& split) {
  return split.rule == SplitRule::kAll && !split.unlabelled_includes_labelled;
}

}  // namespace

absl::Status ValidateFeedSpec(const FeedSpec& spec) {
  if (spec.dataset.empty()) return FieldError("dataset", "empty", "the name of a dataset");
  MIXFEED_RETURN_IF_ERROR(CheckRange("batch", spec.batch, 1, kMaxBatch));
  MIXFEED_RETURN_IF_ERROR(
      CheckRange("plan_version", spec.plan_version, kPlanVersion, kPlanVersion));
  MIXFEED_RETURN_IF_ERROR(CheckSplit(spec.split));
  MIXFEED_RETURN_IF_ERROR(ValidateRecipe(spec.recipe));
  MIXFEED_RETURN_IF_ERROR(CheckRows(spec));
  if (spec.recipe.reads_unlabelled() && LeavesNothingUnlabelled(spec.split)) {
    return FieldError("split.rule", "all",
                      "any other when the recipe reads unlabelled images, or "
                      "split.unlabelled_includes_labelled");
  }
  return absl::OkStatus();
}

}  // namespace mixfeed
