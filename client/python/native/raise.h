#ifndef MIXFEED_CLIENT_PYTHON_NATIVE_RAISE_H_
#define MIXFEED_CLIENT_PYTHON_NATIVE_RAISE_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed::python {

// Throws the exception of mixfeed._errors that stands for an error. With the GIL held.
[[noreturn]] void Raise(const absl::Status& status);
// Throws mixfeed.BatchReleased.
[[noreturn]] void RaiseReleased();
// Throws mixfeed.ForkedProcess.
[[noreturn]] void RaiseForked();

inline void RaiseUnlessOk(const absl::Status& status) {
  if (!status.ok()) Raise(status);
}

template <typename T>
T ValueOrRaise(absl::StatusOr<T> value) {
  if (!value.ok()) Raise(value.status());
  return *std::move(value);
}

}  // namespace mixfeed::python

#endif  // MIXFEED_CLIENT_PYTHON_NATIVE_RAISE_H_
