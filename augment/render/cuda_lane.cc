#include "augment/render/cuda_lane.h"

#include <utility>

#include "augment/render/cuda_kernel.h"

namespace mixfeed {

absl::StatusOr<std::unique_ptr<CudaLane>> CudaLane::Create() {
  MIXFEED_ASSIGN_OR_RETURN(CudaStream stream, MakeStream());
  MIXFEED_ASSIGN_OR_RETURN(CudaEvent done, MakeEvent());
  return std::unique_ptr<CudaLane>(new CudaLane(std::move(stream), std::move(done)));
}

absl::Status CudaLane::Reserve(size_t plan_bytes, size_t out_bytes) {
  if (plan_bytes > plan_bytes_) {
    MIXFEED_ASSIGN_OR_RETURN(host_plan_, AllocatePageLocked(plan_bytes));
    MIXFEED_ASSIGN_OR_RETURN(device_plan_, AllocateDevice(plan_bytes));
    plan_bytes_ = plan_bytes;
  }
  if (out_bytes > out_bytes_) {
    MIXFEED_ASSIGN_OR_RETURN(device_out_, AllocateDevice(out_bytes));
    out_bytes_ = out_bytes;
  }
  return absl::OkStatus();
}

absl::Status CudaLane::Render(RenderJob job, const RowJobs& rows, std::span<const ToneTable> tables,
                              std::span<std::byte> out) {
  const size_t plan_bytes = PackedBytes(rows, tables);
  MIXFEED_RETURN_IF_ERROR(Reserve(plan_bytes, out.size()));
  Pack(rows, tables, host_plan_.get(), device_plan_.get(), &job);
  const absl::Status started = Start(job, plan_bytes, out);
  // Also after an error: what was started before it still reads and writes the lane's buffers and
  // the caller's.
  const absl::Status finished = Wait();
  return started.ok() ? finished : started;
}

absl::Status CudaLane::Start(RenderJob job, size_t plan_bytes, std::span<std::byte> out) {
  MIXFEED_RETURN_IF_CUDA_ERROR(cudaMemcpyAsync(device_plan_.get(), host_plan_.get(), plan_bytes,
                                               cudaMemcpyHostToDevice, stream_.get()));
  job.out = device_out_.get();
  MIXFEED_RETURN_IF_ERROR(LaunchRender(job, stream_.get()));
  MIXFEED_RETURN_IF_CUDA_ERROR(
      cudaMemcpyAsync(out.data(), job.out, out.size(), cudaMemcpyDeviceToHost, stream_.get()));
  return absl::OkStatus();
}

absl::Status CudaLane::Upload(std::span<const uint8_t> from, std::byte* to) {
  MIXFEED_RETURN_IF_CUDA_ERROR(
      cudaMemcpyAsync(to, from.data(), from.size(), cudaMemcpyHostToDevice, stream_.get()));
  return Wait();
}

absl::Status CudaLane::Wait() {
  const absl::Status recorded =
      CudaStatus(cudaEventRecord(done_.get(), stream_.get()), "cudaEventRecord");
  if (!recorded.ok()) {
    (void)cudaStreamSynchronize(stream_.get());  // spins, but nothing may be under way on return
    return recorded;
  }
  MIXFEED_RETURN_IF_CUDA_ERROR(cudaEventSynchronize(done_.get()));
  return absl::OkStatus();
}

std::unique_ptr<CudaLane> CudaLanes::Take() {
  MutexLock lock(&mu_);
  while (free_.empty()) returned_.Wait(&mu_);
  std::unique_ptr<CudaLane> lane = std::move(free_.back());
  free_.pop_back();
  return lane;
}

void CudaLanes::Return(std::unique_ptr<CudaLane> lane) {
  {
    MutexLock lock(&mu_);
    free_.push_back(std::move(lane));
  }
  returned_.NotifyOne();
}

}  // namespace mixfeed
