#include "augment/recipe/enum_names.h"

namespace mixfeed {
namespace {

constexpr const char* kRowSources[] = {"labelled", "labelled_and_unlabelled", "ordered"};
constexpr const char* kPools[] = {"labelled", "unlabelled", "validation", "test"};
constexpr const char* kSamplings[] = {"epochs", "with_replacement", "epochs_drop_last", "tiled"};
constexpr const char* kPadModes[] = {"reflect", "zero", "edge", "constant"};
constexpr const char* kWeightsPolicies[] = {"lockstep", "delayed", "newest", "pinned"};
constexpr const char* kDrawScopes[] = {"per_row", "per_batch", "per_pair"};
constexpr const char* kPairings[] = {"permutation", "reversed", "rolled", "halves"};
constexpr const char* kFlipRules[] = {"random", "alternating"};
constexpr const char* kCropRanges[] = {"all", "without_last"};
constexpr const char* kViewOrders[] = {"flip_first", "crop_first"};
constexpr const char* kCutoutPlaces[] = {"inside", "clipped"};
constexpr const char* kCutoutFills[] = {"levels", "normalised_zero"};
constexpr const char* kMixModes[] = {"xxy.yxy", "xx.yy", "xx.yxy", "xx.yx", "xx.",
                                     ".yy",     "xxy.",  ".yxy",   "."};
constexpr const char* kLambdaLaws[] = {"beta", "uniform", "size_biased_beta"};
constexpr const char* kTargetRules[] = {"mixed", "own"};
constexpr const char* kPartnerSources[] = {"batch", "labelled_pool", "unlabelled_pool"};
constexpr const char* kPartnerClasses[] = {"any", "same", "other"};
constexpr const char* kBoxRules[] = {"clipped", "min_max"};
constexpr const char* kRampUnits[] = {"none", "images", "steps"};
constexpr const char* kSplitRules[] = {"mixmatch",  "balanced", "random",
                                       "per_class", "all",      "lists"};

}  // namespace

std::span<const char* const> NamesOf(RowSource) { return kRowSources; }
std::span<const char* const> NamesOf(PoolId) { return kPools; }
std::span<const char* const> NamesOf(Sampling) { return kSamplings; }
std::span<const char* const> NamesOf(PadMode) { return kPadModes; }
std::span<const char* const> NamesOf(WeightsPolicy) { return kWeightsPolicies; }
std::span<const char* const> NamesOf(DrawScope) { return kDrawScopes; }
std::span<const char* const> NamesOf(Pairing) { return kPairings; }
std::span<const char* const> NamesOf(FlipRule) { return kFlipRules; }
std::span<const char* const> NamesOf(CropRange) { return kCropRanges; }
std::span<const char* const> NamesOf(ViewOrder) { return kViewOrders; }
std::span<const char* const> NamesOf(CutoutPlace) { return kCutoutPlaces; }
std::span<const char* const> NamesOf(CutoutFill) { return kCutoutFills; }
std::span<const char* const> NamesOf(MixMode) { return kMixModes; }
std::span<const char* const> NamesOf(LambdaLaw) { return kLambdaLaws; }
std::span<const char* const> NamesOf(TargetRule) { return kTargetRules; }
std::span<const char* const> NamesOf(PartnerSource) { return kPartnerSources; }
std::span<const char* const> NamesOf(PartnerClass) { return kPartnerClasses; }
std::span<const char* const> NamesOf(BoxRule) { return kBoxRules; }
std::span<const char* const> NamesOf(RampUnit) { return kRampUnits; }
std::span<const char* const> NamesOf(SplitRule) { return kSplitRules; }

}  // namespace mixfeed
