#ifndef MIXFEED_CLIENT_SPEC_PARSE_NUMBER_H_
#define MIXFEED_CLIENT_SPEC_PARSE_NUMBER_H_

#include <charconv>
#include <string>
#include <system_error>
#include <type_traits>

#include "absl/strings/str_cat.h"

namespace mixfeed {

// Hands the number that `text` is to `set`; returns what is wrong with it, or nothing.
template <typename T, typename Set>
std::string ParseNumber(const std::string& text, const Set& set) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return absl::StrCat("'", text, "' is not a ",
                        std::is_integral_v<T> ? "whole number from 0 up, in its range" : "number");
  }
  set(value);
  return "";
}

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_SPEC_PARSE_NUMBER_H_
