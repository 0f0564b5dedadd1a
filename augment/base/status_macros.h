#ifndef MIXFEED_AUGMENT_BASE_STATUS_MACROS_H_
#define MIXFEED_AUGMENT_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function with `expression`'s status unless it is OK.
#define MIXFEED_RETURN_IF_ERROR(expression)            \
  do {                                                 \
    ::absl::Status mixfeed_status_ = (expression);     \
    if (!mixfeed_status_.ok()) return mixfeed_status_; \
  } while (false)

// Evaluates `expression`, an absl::StatusOr<T>; returns its status on error, else assigns the value
// to `target`, which may declare a variable: MIXFEED_ASSIGN_OR_RETURN(Plan plan, MakePlan(step));
#define MIXFEED_ASSIGN_OR_RETURN(target, expression) \
  MIXFEED_ASSIGN_OR_RETURN_IMPL_(MIXFEED_CONCAT_(mixfeed_value_, __LINE__), target, expression)

#define MIXFEED_ASSIGN_OR_RETURN_IMPL_(value, target, expression) \
  auto value = (expression);                                      \
  if (!value.ok()) return std::move(value).status();              \
  target = *std::move(value)

#define MIXFEED_CONCAT_(a, b) MIXFEED_CONCAT_IMPL_(a, b)
#define MIXFEED_CONCAT_IMPL_(a, b) a##b

#endif  // MIXFEED_AUGMENT_BASE_STATUS_MACROS_H_
