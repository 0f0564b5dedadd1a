#ifndef MIXFEED_AUGMENT_RENDER_CPU_KERNELS_H_
#define MIXFEED_AUGMENT_RENDER_CPU_KERNELS_H_

#include <cstdint>
#include <string>

#include "augment/render/render_job.h"

namespace mixfeed {

// Renders rows [begin, end) of `job` on the calling thread, bit for bit as pixel.h and narrow.h
// define them.
void RenderRowsOnCpu(const RenderJob& job, int64_t begin, int64_t end);

// Name of the instruction set that RenderRowsOnCpu uses, e.g. "AVX3".
std::string CpuTargetName();

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_CPU_KERNELS_H_
