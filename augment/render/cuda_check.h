#ifndef MIXFEED_AUGMENT_RENDER_CUDA_CHECK_H_
#define MIXFEED_AUGMENT_RENDER_CUDA_CHECK_H_

#include <cuda_runtime_api.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {

// OK, or what the CUDA call `what` failed with: ResourceExhausted for memory, else Internal.
inline absl::Status CudaStatus(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return absl::OkStatus();
  const auto code = error == cudaErrorMemoryAllocation ? absl::StatusCode::kResourceExhausted
                                                       : absl::StatusCode::kInternal;
  return absl::Status(code, absl::StrCat("CUDA error ", static_cast<int>(error), " (",
                                         cudaGetErrorString(error), ") from ", what));
}

}  // namespace mixfeed

// Returns from the enclosing function with the status of a CUDA call unless it succeeded.
#define MIXFEED_RETURN_IF_CUDA_ERROR(call) \
  MIXFEED_RETURN_IF_ERROR(::mixfeed::CudaStatus((call), #call))

#endif  // MIXFEED_AUGMENT_RENDER_CUDA_CHECK_H_
