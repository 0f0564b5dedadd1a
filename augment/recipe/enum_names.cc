#include "augment/recipe/enum_names.h"

namespace mixfeed {
namespace {

constexpr const char* kRowSources[] = {"labelled", "labelled_and_unlabelled", "ordered"};
constexpr const char* kPools[] = {"labelled", "unlabelled", "validation", "test"};
constexpr const char* kSamplings[] = {"epochs", "with_replacement"};
constexpr const char* kPadModes[] = {"reflect", "zero", "edge"};
constexpr const char* kLambdaScopes[] = {"per_row", "per_batch"};
constexpr const char* kPairings[] = {"permutation", "reversed", "rolled"};
constexpr const char* kSplitRules[] = {"mixmatch",  "balanced", "random",
                                       "per_class", "all",      "lists"};

}  // namespace

std::span<const char* const> NamesOf(RowSource) { return kRowSources; }
std::span<const char* const> NamesOf(PoolId) { return kPools; }
std::span<const char* const> NamesOf(Sampling) { return kSamplings; }
std::span<const char* const> NamesOf(PadMode) { return kPadModes; }
std::span<const char* const> NamesOf(LambdaScope) { return kLambdaScopes; }
std::span<const char* const> NamesOf(Pairing) { return kPairings; }
std::span<const char* const> NamesOf(SplitRule) { return kSplitRules; }

}  // namespace mixfeed
