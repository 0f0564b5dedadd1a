#ifndef MIXFEED_AUGMENT_RENDER_CPU_RENDERER_H_
#define MIXFEED_AUGMENT_RENDER_CPU_RENDERER_H_

#include <memory>

#include "augment/base/thread_pool.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// The renderer on the CPU's vector units (Highway, best target chosen at run time). `threads` is
// shared with other work and must outlive the renderer.
std::unique_ptr<Renderer> MakeCpuRenderer(ThreadPool* threads);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_CPU_RENDERER_H_
