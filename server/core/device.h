#ifndef MIXFEED_SERVER_CORE_DEVICE_H_
#define MIXFEED_SERVER_CORE_DEVICE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "augment/base/thread_pool.h"
#include "augment/render/renderer.h"
#include "server/device_name.h"

namespace mixfeed {

struct Device {
  std::unique_ptr<Renderer> renderer;
  std::string description;  // for people; says so when "auto" fell back to the CPU
};

// Starts the renderer that `name` asks for; "auto" takes CUDA where it works and else falls back to
// the CPU with a warning in the log. FailedPrecondition when CUDA was asked for and does not work.
// `threads` must outlive it.
absl::StatusOr<Device> OpenDevice(const DeviceName& name, ThreadPool* threads);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_DEVICE_H_
