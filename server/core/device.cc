#include "server/core/device.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/render/cpu_renderer.h"
#include "augment/render/cuda_renderer.h"

namespace mixfeed {
namespace {

constexpr int kMaxDevice = 1023;

// The number of the GPU that "cuda" or "cuda:N" names; nullopt for other names.
std::optional<int> CudaDevice(const std::string& name) {
  if (name == "cuda") return 0;
  constexpr char kPrefix[] = "cuda:";
  int device = 0;
  if (!absl::StartsWith(name, kPrefix)) return std::nullopt;
  if (!absl::SimpleAtoi(name.substr(sizeof(kPrefix) - 1), &device)) return std::nullopt;
  return device >= 0 && device <= kMaxDevice ? std::optional(device) : std::nullopt;
}

Device Describe(std::unique_ptr<Renderer> renderer, const std::string& remark = "") {
  std::string description = renderer->description() + remark;
  return {std::move(renderer), std::move(description)};
}

}  // namespace

absl::Status CheckDeviceName(const std::string& name) {
  if (name == "auto" || name == "cpu" || CudaDevice(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--device is \"", name, "\"; allowed: auto, cpu, cuda, cuda:N"));
}

absl::StatusOr<Device> OpenDevice(const std::string& name, ThreadPool* threads) {
  MIXFEED_RETURN_IF_ERROR(CheckDeviceName(name));
  if (name == "cpu") return Describe(MakeCpuRenderer(threads));
  absl::StatusOr<std::unique_ptr<Renderer>> cuda = MakeCudaRenderer(CudaDevice(name).value_or(0));
  if (cuda.ok()) return Describe(*std::move(cuda));
  if (name != "auto") return cuda.status();
  spdlog::warn("--device auto: rendering on the CPU, since CUDA cannot be used: {}",
               std::string(cuda.status().message()));
  return Describe(MakeCpuRenderer(threads), "; auto: no usable CUDA device");
}

}  // namespace mixfeed
