#ifndef MIXFEED_SERVER_CORE_ENUM_TABLE_H_
#define MIXFEED_SERVER_CORE_ENUM_TABLE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {

// One line of a table that maps the wire's enumerators to the library's.
template <typename Proto, typename Core>
struct EnumPair {
  Proto proto;
  Core core;
};

// Sets `out` to what `value` maps to; leaves it alone for the unspecified value 0. InvalidArgument
// names `field`, the value and the allowed names. `name_of` is the generated V_Name function.
template <typename Proto, typename Core, size_t kCount, typename NameOfProto>
absl::Status EnumFromProto(const std::string& field, Proto value,
                           const EnumPair<Proto, Core> (&table)[kCount], NameOfProto name_of,
                           Core* out) {
  if (static_cast<int>(value) == 0) return absl::OkStatus();
  std::string allowed;
  for (const EnumPair<Proto, Core>& pair : table) {
    if (pair.proto == value) {
      *out = pair.core;
      return absl::OkStatus();
    }
    absl::StrAppend(&allowed, allowed.empty() ? "" : ", ", std::string(name_of(pair.proto)));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", static_cast<int>(value), "; allowed: ", allowed));
}

// The enumerator of the wire for one of the library's; every one of those is in its table.
template <typename Proto, typename Core, size_t kCount>
Proto EnumToProto(Core value, const EnumPair<Proto, Core> (&table)[kCount]) {
  for (const EnumPair<Proto, Core>& pair : table) {
    if (pair.core == value) return pair.proto;
  }
  return static_cast<Proto>(0);
}

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_ENUM_TABLE_H_
