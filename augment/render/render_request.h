#ifndef MIXFEED_AUGMENT_RENDER_RENDER_REQUEST_H_
#define MIXFEED_AUGMENT_RENDER_RENDER_REQUEST_H_

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "augment/render/pixel_format.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// InvalidArgument for a pool whose numbers and pixels do not fit together: the checks of
// Renderer::Load that do not depend on the back end.
absl::Status ValidatePool(const Pool& pool);

// The InvalidArgument cases of Renderer::Render that do not depend on the back end.
absl::Status ValidateRequest(const ResidentPool& pool, std::span<const RenderRow> rows,
                             const PixelFormat& format, std::span<const std::byte> out);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_RENDER_REQUEST_H_
