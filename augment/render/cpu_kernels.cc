#include "augment/render/cpu_kernels.h"

#include "augment/render/cuda_kernel_body.h"

namespace mixfeed {

void RenderRowsOnCpu(const RenderJob& job, int64_t begin, int64_t end) {
  const auto elements = static_cast<uint32_t>(job.channels * job.height * job.width);
  for (int64_t row = begin; row < end; ++row) {
    for (uint32_t i = 0; i < elements; ++i) RenderElement(job, row, i);
  }
}

std::string CpuTargetName() { return "scalar"; }

}  // namespace mixfeed
