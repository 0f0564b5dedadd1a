#include "augment/guess/torch_errors.h"

#include <c10/util/Exception.h>

#include <new>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace mixfeed {
namespace {

constexpr size_t kMaxLines = 3;
constexpr size_t kMaxCharacters = 400;

std::string FullMessage(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  return torch_error == nullptr ? error.what() : torch_error->what_without_backtrace();
}

// LibTorch's CPU allocator has no exception type of its own.
bool IsOutOfMemory(const std::exception& error) {
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         absl::StrContains(error.what(), "DefaultCPUAllocator");
}

}  // namespace

std::string TorchErrorMessage(const std::exception& error) {
  const std::string full = FullMessage(error);
  std::vector<std::string> lines = absl::StrSplit(full, '\n', absl::SkipWhitespace());
  if (absl::StrContains(full, "Traceback of TorchScript") && !lines.empty()) {
    lines.erase(lines.begin(), lines.end() - 1);
  }
  if (lines.size() > kMaxLines) lines.resize(kMaxLines);
  return absl::StrJoin(lines, "; ").substr(0, kMaxCharacters);
}

absl::Status WithModelName(const std::string& name, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("guess model ", name, ": ", status.message()));
}

absl::Status CatchTorchErrors(absl::StatusCode code, const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    const bool out_of_memory = IsOutOfMemory(error);
    return absl::Status(out_of_memory ? absl::StatusCode::kResourceExhausted : code,
                        TorchErrorMessage(error));
  } catch (...) {
    return absl::Status(code, "an exception that is no std::exception");
  }
}

}  // namespace mixfeed
