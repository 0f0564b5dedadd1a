#include "augment/pool/class_names.h"

#include <cstddef>
#include <cstdint>
#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/pool/file_io.h"

namespace mixfeed {
namespace {

// A lead byte of UTF-8 (RFC 3629): those with these upper bits are followed by as many bytes, and
// stand for code points from the least one on.
struct Lead {
  uint8_t mask;
  uint8_t bits;
  size_t followers;
  uint32_t least;
};
constexpr Lead kLeads[] = {
    {0x80, 0x00, 0, 0}, {0xE0, 0xC0, 1, 0x80}, {0xF0, 0xE0, 2, 0x800}, {0xF8, 0xF0, 3, 0x10000}};

constexpr uint32_t kLastCodePoint = 0x10FFFF;

bool IsSurrogate(uint32_t code) { return code >= 0xD800 && code <= 0xDFFF; }

// The bytes of the character that `text` begins with; 0 when it begins with none.
size_t CharacterBytes(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  for (const Lead& lead : kLeads) {
    if ((byte(0) & lead.mask) != lead.bits) continue;
    if (text.size() - at <= lead.followers) return 0;
    uint32_t code = byte(0) & static_cast<uint8_t>(~lead.mask);
    for (size_t i = 1; i <= lead.followers; ++i) {
      if ((byte(i) & 0xC0) != 0x80) return 0;
      code = code << 6 | (byte(i) & 0x3F);
    }
    const bool sound = code >= lead.least && code <= kLastCodePoint && !IsSurrogate(code);
    return sound ? 1 + lead.followers : 0;
  }
  return 0;
}

bool IsUtf8(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = CharacterBytes(text, at);
    if (bytes == 0) return false;
    at += bytes;
  }
  return true;
}

}  // namespace

absl::Status CheckClassNames(const std::string& path, const std::vector<std::string>& names) {
  std::map<std::string, size_t> known;
  for (size_t c = 0; c < names.size(); ++c) {
    if (!IsUtf8(names[c])) {
      return absl::DataLossError(absl::StrCat(path, ": the name of class ", c, ", \"",
                                              absl::CHexEscape(names[c]), "\", is not UTF-8"));
    }
    const auto [first, is_new] = known.emplace(names[c], c);
    if (!is_new) {
      return absl::DataLossError(absl::StrCat(path, ": classes ", first->second, " and ", c,
                                              " have the same name, \"", names[c], "\""));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReadClassNames(const std::string& path) {
  MIXFEED_ASSIGN_OR_RETURN(std::vector<std::string> names, ReadLines(path));
  std::erase(names, std::string());
  if (names.empty()) return absl::DataLossError(absl::StrCat(path, ": names no class"));
  MIXFEED_RETURN_IF_ERROR(CheckClassNames(path, names));
  return names;
}

absl::StatusOr<std::vector<std::string>> ReadClassNames(const std::string& path,
                                                        const std::string& title,
                                                        const std::vector<std::string>& known) {
  if (!IsFile(path)) return known;
  MIXFEED_ASSIGN_OR_RETURN(std::vector<std::string> names, ReadClassNames(path));
  if (names.size() == known.size()) return names;
  return absl::DataLossError(absl::StrCat(path, ": names ", names.size(), " classes; ", title,
                                          " has ", known.size(), " here"));
}

}  // namespace mixfeed
