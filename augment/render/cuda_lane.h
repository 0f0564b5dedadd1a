#ifndef MIXFEED_AUGMENT_RENDER_CUDA_LANE_H_
#define MIXFEED_AUGMENT_RENDER_CUDA_LANE_H_

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/render/cuda_memory.h"
#include "augment/render/render_job.h"

namespace mixfeed {

// A stream with the buffers of one batch under way, which grow to the largest batch seen. Used by
// one thread at a time, with its device current.
class CudaLane {
 public:
  static absl::StatusOr<std::unique_ptr<CudaLane>> Create();

  // Renders `job` of `rows` with `tables` of their tones, copies the result to `out` (any host
  // memory; fastest if page-locked) and returns when it is there. The job's pool is in device
  // memory.
  absl::Status Render(RenderJob job, const RowJobs& rows, std::span<const ToneTable> tables,
                      std::span<std::byte> out);

  // Copies `from`, in host memory, to the device and returns when it is there.
  absl::Status Upload(std::span<const uint8_t> from, std::byte* to);

 private:
  CudaLane(CudaStream stream, CudaEvent done)
      : stream_(std::move(stream)), done_(std::move(done)) {}
  absl::Status Reserve(size_t plan_bytes, size_t out_bytes);
  // Starts what Render does, with `plan_bytes` of the job's arrays in host_plan_; some of it may be
  // under way when it fails.
  absl::Status Start(RenderJob job, size_t plan_bytes, std::span<std::byte> out);
  // Returns when nothing is under way on the stream.
  absl::Status Wait();

  const CudaStream stream_;
  const CudaEvent done_;
  size_t plan_bytes_ = 0;
  size_t out_bytes_ = 0;
  CudaHostMemory host_plan_;  // a job's rows and what they refer to
  CudaDeviceMemory device_plan_;
  CudaDeviceMemory device_out_;
};

// A fixed set of lanes; whoever finds all of them taken waits for one. Thread safe.
class CudaLanes {
 public:
  explicit CudaLanes(std::vector<std::unique_ptr<CudaLane>> lanes) : free_(std::move(lanes)) {}

  std::unique_ptr<CudaLane> Take();
  void Return(std::unique_ptr<CudaLane> lane);

 private:
  Mutex mu_;
  CondVar returned_;
  std::vector<std::unique_ptr<CudaLane>> free_ ABSL_GUARDED_BY(mu_);
};

// A lane for the length of a scope.
class ScopedCudaLane {
 public:
  explicit ScopedCudaLane(CudaLanes* lanes) : lanes_(lanes), lane_(lanes->Take()) {}
  ~ScopedCudaLane() { lanes_->Return(std::move(lane_)); }
  ScopedCudaLane(const ScopedCudaLane&) = delete;
  ScopedCudaLane& operator=(const ScopedCudaLane&) = delete;

  CudaLane* operator->() const { return lane_.get(); }

 private:
  CudaLanes* const lanes_;
  std::unique_ptr<CudaLane> lane_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_CUDA_LANE_H_
