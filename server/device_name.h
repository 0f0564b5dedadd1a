#ifndef MIXFEED_SERVER_DEVICE_NAME_H_
#define MIXFEED_SERVER_DEVICE_NAME_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace mixfeed {

// What --device says: "auto", "cpu", "cuda" (the first GPU) or "cuda:N".
struct DeviceName {
  enum class Kind : uint8_t { kAuto, kCpu, kCuda };
  Kind kind = Kind::kAuto;
  int cuda_device = 0;
};

// InvalidArgument names the flag, its value and what is allowed.
absl::StatusOr<DeviceName> ParseDeviceName(const std::string& text);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_DEVICE_NAME_H_
