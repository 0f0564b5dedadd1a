#include "server/device_name.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {

absl::StatusOr<DeviceName> ParseDeviceName(const std::string& text) {
  constexpr char kCudaPrefix[] = "cuda:";
  constexpr int kMaxDevice = 1023;
  DeviceName name;
  if (text == "auto") return name;
  name.kind = DeviceName::Kind::kCpu;
  if (text == "cpu") return name;
  name.kind = DeviceName::Kind::kCuda;
  if (text == "cuda") return name;
  if (absl::StartsWith(text, kCudaPrefix) &&
      absl::SimpleAtoi(text.substr(sizeof(kCudaPrefix) - 1), &name.cuda_device) &&
      name.cuda_device >= 0 && name.cuda_device <= kMaxDevice) {
    return name;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--device is \"", text, "\"; allowed: auto, cpu, cuda, cuda:N"));
}

}  // namespace mixfeed
