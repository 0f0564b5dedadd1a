#ifndef MIXFEED_AUGMENT_RENDER_RENDER_JOB_H_
#define MIXFEED_AUGMENT_RENDER_RENDER_JOB_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "augment/render/pixel.h"
#include "augment/render/pixel_format.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// A RenderRow made ready for its pixels: no division and no double is left to do, and no branch:
// where lambda is 1, `b` is `a` again, with a weight of 0.
// Trivially copyable; shared with device code.
struct RowJob {
  ViewSource a;
  ViewSource b;
  ChannelMix channels[kMaxChannels];
};

// One batch to render: what a back end's inner loops need, and the arguments of the CUDA kernel.
// `pool`, `rows` and `out` point into the memory of whoever renders.
struct RenderJob {
  int32_t channels = 0;
  int32_t height = 0;
  int32_t width = 0;
  PixelType type = PixelType::kFloat32;
  PixelLayout layout = PixelLayout::kNchw;
  PoolStrides strides;
  const uint8_t* pool = nullptr;
  const RowJob* rows = nullptr;
  int64_t row_count = 0;
  std::byte* out = nullptr;
};

// InvalidArgument for a pool whose numbers and pixels do not fit together: the checks of
// Renderer::Load that do not depend on the back end.
absl::Status ValidatePool(const Pool& pool);

// The InvalidArgument cases of Renderer::Render that do not depend on the back end.
absl::Status ValidateRequest(const ResidentPool& pool, std::span<const RenderRow> rows,
                             const PixelFormat& format, std::span<const std::byte> out);

// Both expect a valid request. The job's three pointers are left for the back end to set.
std::vector<RowJob> MakeRowJobs(const ResidentPool& pool, std::span<const RenderRow> rows,
                                const Normalisation& normalisation);
RenderJob MakeRenderJob(const ResidentPool& pool, const PixelFormat& format, int64_t row_count);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_RENDER_JOB_H_
