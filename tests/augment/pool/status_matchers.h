#ifndef MIXFEED_TESTS_AUGMENT_POOL_STATUS_MATCHERS_H_
#define MIXFEED_TESTS_AUGMENT_POOL_STATUS_MATCHERS_H_

#include <gmock/gmock.h>

#include <string>

#include "absl/status/statusor.h"

namespace mixfeed::testing {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return arg.ok();
}

// An error of `code` whose message has `text` in it.
MATCHER_P2(FailsWith, code, text, "") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code &&
         std::string(StatusOf(arg).message()).find(text) != std::string::npos;
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_POOL_STATUS_MATCHERS_H_
