#ifndef MIXFEED_AUGMENT_RENDER_RENDER_JOB_H_
#define MIXFEED_AUGMENT_RENDER_RENDER_JOB_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "augment/render/pixel.h"
#include "augment/render/pixel_format.h"
#include "augment/render/renderer.h"
#include "augment/render/resample.h"
#include "augment/render/tone.h"

// Requests made ready for their pixels: no division and no double is left to do. The structs are
// trivially copyable and shared with device code.
namespace mixfeed {

// An index that stands for none.
inline constexpr int32_t kNone = -1;

// ViewEffects.
struct EffectsJob {
  bool resampled = false;
  ProjectiveMap map = {};
  int32_t tone = kNone;  // index into RenderJob::tones
  Box hole;
  float fill[kMaxChannels] = {};  // levels
};

// One view.
struct SourceJob {
  ViewSource view;          // of a resampled one: its padded image
  int32_t effects = kNone;  // index into RenderJob::effects
};

// RenderRow::more.
struct MoreJob {
  SourceJob source;
  float weights[kMaxChannels] = {};  // as ChannelMix's
};

// How a row is made of its images.
enum class RowKind : uint8_t {
  kSingle,  // `a` alone; `b` is `a` again, with a weight of 0
  kPair,    // `a` and `b`
  kBoxed,   // as kSingle, but inside the box of `b` instead of `a`
  kMany,    // `a`, `b` and `more`
};

// A RenderRow.
struct RowJob {
  SourceJob a;
  SourceJob b;
  ChannelMix channels[kMaxChannels];
  Box box;  // of kBoxed
  RowKind kind = RowKind::kSingle;
  int32_t first_more = 0;  // index into RenderJob::more
  int32_t more_count = 0;
};

// One batch to render: what a back end's inner loops need, and the arguments of the CUDA kernel.
// The pointers are into the memory of whoever renders.
struct RenderJob {
  int32_t channels = 0;
  int32_t height = 0;
  int32_t width = 0;
  PixelType type = PixelType::kFloat32;
  PixelLayout layout = PixelLayout::kNchw;
  PoolStrides strides;
  ReflectedAxis x_axis;  // of the padded image
  ReflectedAxis y_axis;
  int64_t row_count = 0;
  const uint8_t* pool = nullptr;
  const RowJob* rows = nullptr;
  const MoreJob* more = nullptr;
  const EffectsJob* effects = nullptr;
  const ToneTable* tones = nullptr;
  std::byte* out = nullptr;
};

// A batch's rows and what they refer to.
struct RowJobs {
  std::vector<RowJob> rows;
  std::vector<MoreJob> more;
  std::vector<EffectsJob> effects;
  std::vector<Tone> tones;  // of the tables
};

// Both expect a valid request. The job's pointers are left for the back end to set.
RowJobs MakeRowJobs(const ResidentPool& pool, std::span<const RenderRow> rows,
                    const Normalisation& normalisation);
RenderJob MakeRenderJob(const ResidentPool& pool, const PixelFormat& format, int64_t row_count);

// Sets the job's pointers but `pool` and `out` to `rows` and `tables`, the tables of its tones.
void PointTo(const RowJobs& rows, std::span<const ToneTable> tables, RenderJob* job);

// For memory that is not the host's: bytes that Pack writes, and the same arrays copied one after
// another to `copy` (aligned for any type), with the job's pointers into `there`, where the copy is
// going to be.
size_t PackedBytes(const RowJobs& rows, std::span<const ToneTable> tables);
void Pack(const RowJobs& rows, std::span<const ToneTable> tables, std::byte* copy,
          const std::byte* there, RenderJob* job);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_RENDER_JOB_H_
