#ifndef MIXFEED_AUGMENT_RENDER_CUDA_MEMORY_H_
#define MIXFEED_AUGMENT_RENDER_CUDA_MEMORY_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "augment/render/cuda_check.h"

namespace mixfeed {

// Owned CUDA objects. Freeing cannot report: what fails then has failed, and was reported, before.
struct CudaDeviceFree {
  void operator()(std::byte* data) const { (void)cudaFree(data); }
};
struct CudaHostFree {
  void operator()(std::byte* data) const { (void)cudaFreeHost(data); }
};
struct CudaStreamDestroy {
  void operator()(cudaStream_t stream) const { (void)cudaStreamDestroy(stream); }
};
struct CudaEventDestroy {
  void operator()(cudaEvent_t event) const { (void)cudaEventDestroy(event); }
};

using CudaDeviceMemory = std::unique_ptr<std::byte, CudaDeviceFree>;
using CudaHostMemory = std::unique_ptr<std::byte, CudaHostFree>;
using CudaStream = std::unique_ptr<CUstream_st, CudaStreamDestroy>;
using CudaEvent = std::unique_ptr<CUevent_st, CudaEventDestroy>;

inline absl::StatusOr<CudaDeviceMemory> AllocateDevice(size_t bytes) {
  void* data = nullptr;
  MIXFEED_RETURN_IF_CUDA_ERROR(cudaMalloc(&data, bytes));
  return CudaDeviceMemory(static_cast<std::byte*>(data));
}

// Page-locked, for every device.
inline absl::StatusOr<CudaHostMemory> AllocatePageLocked(size_t bytes) {
  void* data = nullptr;
  MIXFEED_RETURN_IF_CUDA_ERROR(cudaHostAlloc(&data, bytes, cudaHostAllocPortable));
  return CudaHostMemory(static_cast<std::byte*>(data));
}

inline absl::StatusOr<CudaStream> MakeStream() {
  cudaStream_t stream = nullptr;
  MIXFEED_RETURN_IF_CUDA_ERROR(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return CudaStream(stream);
}

// One whose waiters sleep and do not spin.
inline absl::StatusOr<CudaEvent> MakeEvent() {
  cudaEvent_t event = nullptr;
  MIXFEED_RETURN_IF_CUDA_ERROR(
      cudaEventCreateWithFlags(&event, cudaEventBlockingSync | cudaEventDisableTiming));
  return CudaEvent(event);
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_CUDA_MEMORY_H_
