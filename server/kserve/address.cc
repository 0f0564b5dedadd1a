#include "server/kserve/address.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

constexpr char kAddressForm[] =
    "HOST:PORT/MODEL[/VERSION][?output=logits|probabilities][&deadline_ms=1..600000]";
constexpr char kDigits[] = "0123456789";
constexpr char kNameCharacters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr int kHighestPort = 65535;
constexpr int64_t kLongestDeadlineMs = 600'000;

bool ConsistsOf(const std::string& text, const char* characters) {
  return !text.empty() && text.find_first_not_of(characters) == text.npos;
}

bool IsServer(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return false;
  const std::string host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  int number = 0;
  const bool bracketed = absl::StartsWith(host, "[") && absl::EndsWith(host, "]") &&
                         ConsistsOf(host, "[]0123456789abcdefABCDEF:.");
  return (bracketed || ConsistsOf(host, kNameCharacters)) && ConsistsOf(port, kDigits) &&
         absl::SimpleAtoi(port, &number) && number >= 1 && number <= kHighestPort;
}

bool ReadSetting(const std::string& setting, KserveAddress* address) {
  const size_t equals = setting.find('=');
  if (equals == setting.npos) return false;
  const std::string key = setting.substr(0, equals);
  const std::string value = setting.substr(equals + 1);
  if (key == "output") {
    if (value != "logits" && value != "probabilities") return false;
    address->output =
        value == "logits" ? KserveAddress::Output::kLogits : KserveAddress::Output::kProbabilities;
    return true;
  }
  return key == "deadline_ms" && ConsistsOf(value, kDigits) &&
         absl::SimpleAtoi(value, &address->deadline_ms) && address->deadline_ms >= 1 &&
         address->deadline_ms <= kLongestDeadlineMs;
}

}  // namespace

std::string KserveAddress::Url() const {
  return absl::StrCat(kKserveScheme, server, "/", model, version.empty() ? "" : "/", version);
}

absl::StatusOr<KserveAddress> ParseKserveAddress(const std::string& text) {
  const auto wrong = [&](const std::string& part) {
    return FieldError("address", absl::StrCat("\"", text, "\", with the ", part), kAddressForm);
  };
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('?', 1));
  const std::vector<std::string> path = absl::StrSplit(parts.first, '/');
  KserveAddress address;
  if (!IsServer(path[0])) return wrong(absl::StrCat("server \"", path[0], "\""));
  address.server = path[0];
  if (path.size() < 2 || !ConsistsOf(path[1], kNameCharacters)) {
    return wrong(absl::StrCat("model \"", path.size() < 2 ? "" : path[1], "\""));
  }
  address.model = path[1];
  if (path.size() > 3 || (path.size() == 3 && !ConsistsOf(path[2], kDigits))) {
    return wrong(absl::StrCat("version \"", path[2], "\""));
  }
  if (path.size() == 3) address.version = path[2];
  if (!absl::StrContains(text, '?')) return address;
  for (const std::string& setting : std::vector<std::string>(absl::StrSplit(parts.second, '&'))) {
    if (!ReadSetting(setting, &address)) return wrong(absl::StrCat("setting \"", setting, "\""));
  }
  return address;
}

}  // namespace mixfeed
