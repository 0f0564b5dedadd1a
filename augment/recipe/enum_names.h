#ifndef MIXFEED_AUGMENT_RECIPE_ENUM_NAMES_H_
#define MIXFEED_AUGMENT_RECIPE_ENUM_NAMES_H_

#include <cstddef>
#include <span>

#include "augment/pool/split.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// The spellings of an enum's values, in the order of its enumerators; the argument only selects the
// enum. They are part of CanonicalText, so an existing spelling never changes.
std::span<const char* const> NamesOf(RowSource);
std::span<const char* const> NamesOf(PoolId);
std::span<const char* const> NamesOf(Sampling);
std::span<const char* const> NamesOf(PadMode);
std::span<const char* const> NamesOf(WeightsPolicy);
std::span<const char* const> NamesOf(DrawScope);
std::span<const char* const> NamesOf(Pairing);
std::span<const char* const> NamesOf(FlipRule);
std::span<const char* const> NamesOf(CropRange);
std::span<const char* const> NamesOf(ViewOrder);
std::span<const char* const> NamesOf(CutoutPlace);
std::span<const char* const> NamesOf(CutoutFill);
std::span<const char* const> NamesOf(MixMode);
std::span<const char* const> NamesOf(LambdaLaw);
std::span<const char* const> NamesOf(TargetRule);
std::span<const char* const> NamesOf(PartnerSource);
std::span<const char* const> NamesOf(PartnerClass);
std::span<const char* const> NamesOf(BoxRule);
std::span<const char* const> NamesOf(RampUnit);
std::span<const char* const> NamesOf(SplitRule);

// "unknown" for a value that is no enumerator.
template <typename Enum>
const char* NameOf(Enum value) {
  const std::span<const char* const> names = NamesOf(value);
  const auto index = static_cast<size_t>(value);
  return index < names.size() ? names[index] : "unknown";
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RECIPE_ENUM_NAMES_H_
