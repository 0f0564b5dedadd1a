#ifndef MIXFEED_AUGMENT_GUESS_TORCH_ERRORS_H_
#define MIXFEED_AUGMENT_GUESS_TORCH_ERRORS_H_

#include <exception>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace mixfeed {

// The border at which LibTorch's exceptions stop: runs `work` and returns its status, or what it
// threw as a status of `code` (ResourceExhausted when memory ran out).
absl::Status CatchTorchErrors(absl::StatusCode code, const std::function<absl::Status()>& work);

// The part of an exception's message that says what went wrong: no C++ backtrace, of a TorchScript
// traceback the last line, and never more than a few hundred characters.
std::string TorchErrorMessage(const std::exception& error);

// An error with "guess model NAME: " in front; OK as it is.
absl::Status WithModelName(const std::string& name, const absl::Status& status);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_TORCH_ERRORS_H_
