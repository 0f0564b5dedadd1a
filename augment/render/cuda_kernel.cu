#include <algorithm>

#include "augment/render/cuda_check.h"
#include "augment/render/cuda_kernel.h"
#include "augment/render/render_element.h"

namespace mixfeed {
namespace {

constexpr unsigned kThreadsPerBlock = 256;
constexpr int64_t kMaxGridRows = 65535;  // CUDA's limit of gridDim.y

// A column of blocks is one image, in the order of the output, so that writes are coalesced.
__global__ void RenderKernel(const __grid_constant__ RenderJob job, uint32_t elements) {
  const uint32_t index = blockIdx.x * kThreadsPerBlock + threadIdx.x;
  if (index >= elements) return;
  for (int64_t row = blockIdx.y; row < job.row_count; row += gridDim.y) {
    RenderElement(job, row, index);
  }
}

}  // namespace

absl::Status CheckKernelFitsDevice() {
  cudaFuncAttributes attributes;
  const cudaError_t error = cudaFuncGetAttributes(&attributes, RenderKernel);
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "this build has no code for this GPU (CUDA error ", static_cast<int>(error), ": ",
      cudaGetErrorString(error),
      "): rebuild with its architecture in CMAKE_CUDA_ARCHITECTURES, or run with --device cpu"));
}

absl::Status LaunchRender(const RenderJob& job, cudaStream_t stream) {
  const auto elements = static_cast<uint32_t>(job.channels * job.height * job.width);
  const dim3 grid((elements + kThreadsPerBlock - 1) / kThreadsPerBlock,
                  static_cast<unsigned>(std::min(job.row_count, kMaxGridRows)));
  RenderKernel<<<grid, kThreadsPerBlock, 0, stream>>>(job, elements);
  return CudaStatus(cudaGetLastError(), "the render kernel's launch");
}

}  // namespace mixfeed
