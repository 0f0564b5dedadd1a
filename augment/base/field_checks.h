#ifndef MIXFEED_AUGMENT_BASE_FIELD_CHECKS_H_
#define MIXFEED_AUGMENT_BASE_FIELD_CHECKS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mixfeed {

// "FIELD is GIVEN; allowed: ALLOWED".
inline absl::Status FieldError(const std::string& field, const std::string& given,
                               const std::string& allowed) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", given, "; allowed: ", allowed));
}

// Both bounds are allowed. Refuses NaN.
template <typename Number>
absl::Status CheckRange(const std::string& field, Number value, Number low, Number high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return FieldError(field, absl::StrCat(value), absl::StrCat(low, "..", high));
}

// Refuses values that are no enumerators, as a cast from the wire can make them. NamesOf(value) is
// the enum's (recipe/enum_names.h).
template <typename Enum>
absl::Status CheckEnum(const std::string& field, Enum value) {
  const auto names = NamesOf(value);
  if (static_cast<size_t>(value) < names.size()) return absl::OkStatus();
  return FieldError(field, absl::StrCat(static_cast<int>(value)), absl::StrJoin(names, ", "));
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_BASE_FIELD_CHECKS_H_
