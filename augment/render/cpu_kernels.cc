#include "augment/render/cpu_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "augment/render/cpu_kernels.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which compiles what follows once for every instruction set.
#include "augment/render/cpu_kernels-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace HWY_NAMESPACE {

void RenderRows(const RenderJob& job, int64_t begin, int64_t end) {
  switch (job.type) {
    case PixelType::kUint8:
      return RenderRowsAs<Uint8Pixels>(job, begin, end);
    case PixelType::kFloat16:
      return RenderRowsAs<Float16Pixels>(job, begin, end);
    case PixelType::kBfloat16:
      return RenderRowsAs<Bfloat16Pixels>(job, begin, end);
    case PixelType::kFloat32:
      return RenderRowsAs<Float32Pixels>(job, begin, end);
  }
}

const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mixfeed {

HWY_EXPORT(RenderRows);
HWY_EXPORT(TargetName);

void RenderRowsOnCpu(const RenderJob& job, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(RenderRows)(job, begin, end);
}

std::string CpuTargetName() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

}  // namespace mixfeed
#endif  // HWY_ONCE
