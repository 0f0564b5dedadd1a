#include "augment/render/cuda_renderer.h"

namespace mixfeed {

absl::StatusOr<std::unique_ptr<Renderer>> MakeCudaRenderer(int) {
  return absl::FailedPreconditionError(
      "this build has no CUDA renderer: configure with -DMIXFEED_CUDA=ON (preset cuda, needs "
      "nvcc), "
      "or run with --device cpu");
}

}  // namespace mixfeed
