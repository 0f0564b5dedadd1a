#include "server/core/device.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/render/cpu_renderer.h"
#include "augment/render/cuda_renderer.h"

namespace mixfeed {
namespace {

Device Describe(std::unique_ptr<Renderer> renderer, const std::string& remark = "") {
  std::string description = renderer->description() + remark;
  return {std::move(renderer), std::move(description)};
}

}  // namespace

absl::StatusOr<Device> OpenDevice(const DeviceName& name, ThreadPool* threads) {
  if (name.kind == DeviceName::Kind::kCpu) return Describe(MakeCpuRenderer(threads));
  absl::StatusOr<std::unique_ptr<Renderer>> cuda = MakeCudaRenderer(name.cuda_device);
  if (cuda.ok()) return Describe(*std::move(cuda));
  const std::string reason(cuda.status().message());
  if (name.kind == DeviceName::Kind::kCuda) {
    return absl::FailedPreconditionError(absl::StrCat("--device cuda: ", reason));
  }
  spdlog::warn("--device auto: rendering on the CPU, since CUDA cannot be used: {}", reason);
  return Describe(MakeCpuRenderer(threads), "; auto: no usable CUDA device");
}

}  // namespace mixfeed
