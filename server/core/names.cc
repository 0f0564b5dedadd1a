#include "server/core/names.h"

#include <algorithm>
#include <cstdint>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

constexpr size_t kMaxNameLength = 128;

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

}  // namespace

absl::Status CheckName(const std::string& field, const std::string& name) {
  const bool fits = !name.empty() && name.size() <= kMaxNameLength;
  if (fits && std::all_of(name.begin(), name.end(), IsNameCharacter)) return absl::OkStatus();
  const std::string shown = name.substr(0, kMaxNameLength);
  return absl::InvalidArgumentError(absl::StrCat(field, " is \"", shown, "\"; allowed: 1 to ",
                                                 kMaxNameLength, " characters of [A-Za-z0-9._-]"));
}

std::string RandomName() {
  std::random_device random;
  const uint64_t high = random();
  return absl::StrCat(absl::Hex((high << 32) | random(), absl::kZeroPad16));
}

}  // namespace mixfeed
