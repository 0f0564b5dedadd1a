#ifndef MIXFEED_AUGMENT_RENDER_CUDA_KERNEL_H_
#define MIXFEED_AUGMENT_RENDER_CUDA_KERNEL_H_

#include <cuda_runtime_api.h>

#include "absl/status/status.h"
#include "augment/render/render_job.h"

namespace mixfeed {

// FailedPrecondition when this build has no code for the current device.
absl::Status CheckKernelFitsDevice();

// Starts the kernel that renders `job`, whose pointers are to the current device's memory, on
// `stream`. The job has at least one row.
absl::Status LaunchRender(const RenderJob& job, cudaStream_t stream);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_CUDA_KERNEL_H_
