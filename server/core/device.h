#ifndef MIXFEED_SERVER_CORE_DEVICE_H_
#define MIXFEED_SERVER_CORE_DEVICE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "augment/base/thread_pool.h"
#include "augment/render/renderer.h"

namespace mixfeed {

struct Device {
  std::unique_ptr<Renderer> renderer;
  std::string description;  // for people; says so when "auto" fell back to the CPU
};

// Starts the renderer that `name` asks for: "cpu", "cuda", "cuda:N", or "auto", which takes CUDA
// where it works and else falls back to the CPU with a warning in the log. InvalidArgument for
// other names, FailedPrecondition when CUDA was asked for and does not work. `threads` must outlive
// it.
absl::StatusOr<Device> OpenDevice(const std::string& name, ThreadPool* threads);

// Whether OpenDevice knows `name`.
absl::Status CheckDeviceName(const std::string& name);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_DEVICE_H_
