#include "server/store/redis_address.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

constexpr char kScheme[] = "redis://";
constexpr int kMaxPort = 65535;

// What stands in `text` for itself or as %XX; nullopt for a % without two hex digits.
std::optional<std::string> DecodePercent(const std::string& text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const auto is_hex = [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); };
    if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return std::nullopt;
    decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  return decoded;
}

bool ParseUser(const std::string& text, RedisAddress* address) {
  const size_t colon = text.find(':');
  if (colon == text.npos) return false;
  const std::optional<std::string> user = DecodePercent(text.substr(0, colon));
  const std::optional<std::string> password = DecodePercent(text.substr(colon + 1));
  if (!user || !password || password->empty()) return false;
  address->user = *user;
  address->password = *password;
  return true;
}

bool ParseHostPort(const std::string& text, RedisAddress* address) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos || !absl::SimpleAtoi(text.substr(colon + 1), &address->port)) return false;
  address->host = text.substr(0, colon);
  const bool bracketed = absl::StartsWith(address->host, "[") && absl::EndsWith(address->host, "]");
  if (bracketed) address->host = address->host.substr(1, address->host.size() - 2);
  const bool bare = address->host.find(':') == std::string::npos;
  return !address->host.empty() && (bracketed || bare) && address->port >= 1 &&
         address->port <= kMaxPort;
}

bool ParseRest(std::string rest, RedisAddress* address) {
  if (const size_t at = rest.rfind('@'); at != rest.npos) {
    if (!ParseUser(rest.substr(0, at), address)) return false;
    rest = rest.substr(at + 1);
  }
  if (const size_t slash = rest.find('/'); slash != rest.npos) {
    const std::string database = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
    if (!absl::SimpleAtoi(database, &address->database) || address->database < 0) return false;
  }
  return ParseHostPort(rest, address);
}

// What may hold a password is not shown.
std::string WithoutPassword(const std::string& url) {
  const size_t at = url.rfind('@');
  return at == url.npos ? url : absl::StrCat("...", url.substr(at));
}

}  // namespace

std::string RedisAddress::Name() const {
  const bool colons = host.find(':') != host.npos;
  return absl::StrCat("redis ", colons ? absl::StrCat("[", host, "]") : host, ":", port);
}

absl::StatusOr<RedisAddress> ParseRedisUrl(const std::string& url) {
  RedisAddress address;
  if (absl::StartsWith(url, kScheme) && ParseRest(url.substr(sizeof(kScheme) - 1), &address)) {
    return address;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", WithoutPassword(url),
                   "\"; allowed: redis://[[USER]:PASSWORD@]HOST:PORT[/DB], port 1 to ", kMaxPort,
                   ", %XX for a byte of the user or the password"));
}

}  // namespace mixfeed
