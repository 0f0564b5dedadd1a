#include "augment/render/mix_images.h"

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/render/cpu_kernels.h"
#include "augment/render/render_element.h"
#include "augment/render/render_job.h"
#include "augment/render/render_request.h"

namespace mixfeed {
namespace {

// What checks and jobs need to know of the images.
class LentImages final : public ResidentPool {
 public:
  explicit LentImages(const Pool& described) : ResidentPool(described) {}
};

// SourceLevel of images whose levels are float32.
struct FloatLevels {
  float operator()(const RenderJob& job, const SourceJob& source, const Coordinates& at) const {
    if (source.effects != kNone) {
      const EffectsJob& effects = job.effects[source.effects];
      if (InBox(effects.hole, at.y, at.x)) return effects.fill[at.c];
    }
    return levels[SourceByte(job.strides, source.view, at.c, at.y, at.x)];
  }

  const float* levels;
};

// As RenderElement of every element, without its divisions.
void MixRow(const RenderJob& job, int64_t row, const FloatLevels& levels) {
  const int64_t first = row * job.channels * job.height * job.width;
  Coordinates at;
  for (at.c = 0; at.c < job.channels; ++at.c) {
    for (at.y = 0; at.y < job.height; ++at.y) {
      for (at.x = 0; at.x < job.width; ++at.x) {
        const float value = RowPixel(job, job.rows[row], at, levels);
        StorePixel(job.type, value, job.out, first + IndexOf(job, at));
      }
    }
  }
}

absl::Status CheckImages(const ImageLevels& images) {
  if (images.type != PixelType::kUint8 && images.type != PixelType::kFloat32) {
    return absl::InvalidArgumentError("images are of a 16-bit type; allowed: uint8, float32");
  }
  const ImageShape& shape = images.shape;
  if (shape.channels < 1 || shape.height < 1 || shape.width < 1) {
    return absl::InvalidArgumentError(absl::StrCat("images are ", shape.channels, "x", shape.height,
                                                   "x", shape.width, "; allowed: from 1x1x1"));
  }
  const size_t bytes = static_cast<size_t>(images.count) * ImageBytes(shape, images.type);
  if (images.pixels.size() != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("images have ", images.pixels.size(),
                                                   " bytes; allowed: ", bytes, ", those of ",
                                                   images.count, " images"));
  }
  const size_t alignment = PixelTypeBytes(images.type);
  if (reinterpret_cast<uintptr_t>(images.pixels.data()) % alignment == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("images are not aligned to the ", alignment, " bytes of their type"));
}

bool HasOnlyHoles(const RenderView& view) {
  return view.effects == nullptr || (!view.effects->resampled && !view.effects->toned);
}

absl::Status CheckViews(std::span<const RenderRow> rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    bool fine = HasOnlyHoles(rows[i].a) && HasOnlyHoles(rows[i].b);
    for (const WeightedView& further : rows[i].more) fine = fine && HasOnlyHoles(further.view);
    if (fine) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("row ", i, ": a view is resampled or toned; allowed: holes alone"));
  }
  return absl::OkStatus();
}

}  // namespace

MixedRows::MixedRows(const RowMixing& mixing, absl::FunctionRef<RenderView(int32_t)> view_of)
    : rows_(mixing.row.size()) {
  const size_t rows = mixing.row.size();
  const size_t each = rows == 0 || !mixing.mixed ? 0 : mixing.more_partner.size() / rows;
  further_.reserve(each * rows);
  for (size_t r = 0; r < rows; ++r) {
    RenderRow& row = rows_[r];
    row.a = view_of(mixing.row[r]);
    if (!mixing.mixed) continue;
    row.b = view_of(mixing.partner[r]);
    row.lambda = mixing.lambda[r];
    if (!mixing.box.empty()) row.box = mixing.box[r];
    for (size_t at = r; at < each * rows; at += rows) {
      further_.push_back({view_of(mixing.more_partner[at]), mixing.more_weight[at]});
    }
    row.more = std::span(further_).last(each);
  }
}

absl::Status MixImages(const ImageLevels& images, std::span<const RenderRow> rows,
                       const PixelFormat& format, std::span<std::byte> out) {
  MIXFEED_RETURN_IF_ERROR(CheckImages(images));
  MIXFEED_RETURN_IF_ERROR(CheckViews(rows));
  Pool described;
  described.shape = images.shape;
  described.count = images.count;
  const LentImages pool(described);
  MIXFEED_RETURN_IF_ERROR(ValidateRequest(pool, rows, format, out));
  const RowJobs jobs = MakeRowJobs(pool, rows, format.normalisation);
  RenderJob job = MakeRenderJob(pool, format, static_cast<int64_t>(rows.size()));
  PointTo(jobs, {}, &job);
  job.out = out.data();
  if (images.type == PixelType::kUint8) {
    job.pool = reinterpret_cast<const uint8_t*>(images.pixels.data());
    RenderRowsOnCpu(job, 0, job.row_count);
    return absl::OkStatus();
  }
  const FloatLevels levels{reinterpret_cast<const float*>(images.pixels.data())};
  for (int64_t row = 0; row < job.row_count; ++row) MixRow(job, row, levels);
  return absl::OkStatus();
}

}  // namespace mixfeed
