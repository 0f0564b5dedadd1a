#include "augment/recipe/fields.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace mixfeed {

std::string FieldText(bool value) { return value ? "true" : "false"; }

std::string FieldText(int value) { return absl::StrCat(value); }

std::string FieldText(double value) {
  // -0.0 + 0.0 is 0.0, which has one spelling.
  return absl::StrFormat("%.17g", value + 0.0);
}

std::string FieldText(const std::string& value) { return value; }

std::string FieldText(const std::vector<int>& value) { return absl::StrJoin(value, " "); }

std::string FieldText(const std::array<int, 3>& value) { return absl::StrJoin(value, " "); }

}  // namespace mixfeed
