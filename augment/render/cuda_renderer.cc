#include "augment/render/cuda_renderer.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "augment/render/cuda_kernel.h"
#include "augment/render/cuda_lane.h"
#include "augment/render/cuda_memory.h"
#include "augment/render/render_job.h"
#include "augment/render/render_request.h"
#include "augment/render/tone.h"

namespace mixfeed {
namespace {

// Batches under way at once: enough to make one while others are copied.
constexpr int kLanes = 4;

class CudaPool : public ResidentPool {
 public:
  CudaPool(const Pool& pool, int device, CudaDeviceMemory pixels)
      : ResidentPool(pool), device_(device), pixels_(std::move(pixels)) {}
  int device() const { return device_; }
  const uint8_t* pixels() const { return reinterpret_cast<const uint8_t*>(pixels_.get()); }

 private:
  const int device_;
  const CudaDeviceMemory pixels_;
};

class CudaBuffer : public HostBuffer {
 public:
  CudaBuffer(CudaHostMemory data, size_t size) : data_(std::move(data)), size_(size) {}
  std::byte* data() override { return data_.get(); }
  size_t size() const override { return size_; }

 private:
  const CudaHostMemory data_;
  const size_t size_;
};

class CudaRenderer : public Renderer {
 public:
  CudaRenderer(int device, std::string name, std::vector<std::unique_ptr<CudaLane>> lanes)
      : device_(device), name_(std::move(name)), lanes_(std::move(lanes)) {}

  absl::StatusOr<std::shared_ptr<const ResidentPool>> Load(Pool pool) override {
    MIXFEED_RETURN_IF_ERROR(ValidatePool(pool));
    MIXFEED_RETURN_IF_CUDA_ERROR(cudaSetDevice(device_));
    MIXFEED_ASSIGN_OR_RETURN(CudaDeviceMemory pixels, AllocateDevice(pool.pixels.size()));
    const ScopedCudaLane lane(&lanes_);
    MIXFEED_RETURN_IF_ERROR(lane->Upload(pool.pixels, pixels.get()));
    return std::make_shared<const CudaPool>(pool, device_, std::move(pixels));
  }

  absl::StatusOr<std::unique_ptr<HostBuffer>> Allocate(size_t bytes) override {
    MIXFEED_RETURN_IF_CUDA_ERROR(cudaSetDevice(device_));
    MIXFEED_ASSIGN_OR_RETURN(CudaHostMemory data, AllocatePageLocked(bytes));
    return std::make_unique<CudaBuffer>(std::move(data), bytes);
  }

  absl::Status Render(const ResidentPool& pool, std::span<const RenderRow> rows,
                      const PixelFormat& format, std::span<std::byte> out) override {
    const auto* resident = dynamic_cast<const CudaPool*>(&pool);
    if (resident == nullptr || resident->device() != device_) {
      return absl::InvalidArgumentError(
          absl::StrCat("pool was loaded by another renderer than this, cuda:", device_));
    }
    MIXFEED_RETURN_IF_ERROR(ValidateRequest(pool, rows, format, out));
    if (rows.empty()) return absl::OkStatus();
    MIXFEED_RETURN_IF_CUDA_ERROR(cudaSetDevice(device_));
    const RowJobs row_jobs = MakeRowJobs(pool, rows, format.normalisation);
    const std::vector<ToneTable> tables = MakeToneTables(row_jobs.tones);
    RenderJob job = MakeRenderJob(pool, format, static_cast<int64_t>(rows.size()));
    job.pool = resident->pixels();
    const ScopedCudaLane lane(&lanes_);
    return lane->Render(job, row_jobs, tables,
                        out.first(rows.size() * ImageBytes(pool.shape(), format.type)));
  }

  std::string description() const override {
    return absl::StrCat("cuda:", device_, " (", name_, ")");
  }

 private:
  const int device_;
  const std::string name_;
  CudaLanes lanes_;
};

absl::Status CheckDevice(int device) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    return absl::FailedPreconditionError(absl::StrCat(
        "no usable NVIDIA driver or GPU (CUDA error ", static_cast<int>(error), ": ",
        cudaGetErrorString(error), "): install a driver for CUDA ", CUDART_VERSION / 1000,
        " or newer and, in a container, pass the GPU in, or run with --device cpu"));
  }
  if (device >= 0 && device < count) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("there is no GPU ", device, ": this machine has ", count,
                   ", counted from 0; choose another with --device cuda:N, or run with "
                   "--device cpu"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Renderer>> MakeCudaRenderer(int device) {
  MIXFEED_RETURN_IF_ERROR(CheckDevice(device));
  MIXFEED_RETURN_IF_CUDA_ERROR(cudaSetDevice(device));
  MIXFEED_RETURN_IF_ERROR(CheckKernelFitsDevice());
  cudaDeviceProp properties;
  MIXFEED_RETURN_IF_CUDA_ERROR(cudaGetDeviceProperties(&properties, device));
  std::vector<std::unique_ptr<CudaLane>> lanes;
  for (int i = 0; i < kLanes; ++i) {
    MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<CudaLane> lane, CudaLane::Create());
    lanes.push_back(std::move(lane));
  }
  return std::make_unique<CudaRenderer>(device, properties.name, std::move(lanes));
}

}  // namespace mixfeed
