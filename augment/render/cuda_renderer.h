#ifndef MIXFEED_AUGMENT_RENDER_CUDA_RENDERER_H_
#define MIXFEED_AUGMENT_RENDER_CUDA_RENDERER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// The renderer on GPU `device`: pools in device memory, one fused kernel a batch, the output copied
// into page-locked buffers on the renderer's own streams. FailedPrecondition in one line that says
// what to do: no driver, no such device, or a build without MIXFEED_CUDA.
absl::StatusOr<std::unique_ptr<Renderer>> MakeCudaRenderer(int device);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_CUDA_RENDERER_H_
