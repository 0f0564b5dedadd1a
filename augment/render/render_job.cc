#include "augment/render/render_job.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

absl::Status RowError(size_t row, const char* field, double value, double lowest, double highest) {
  return absl::InvalidArgumentError(absl::StrCat("row ", row, ": ", field, " is ", value,
                                                 "; allowed is ", lowest, " to ", highest));
}

absl::Status ValidateView(const ResidentPool& pool, size_t row, const RenderView& view) {
  const auto highest_image = static_cast<double>(pool.count() - 1);
  if (view.image < 0 || view.image >= pool.count()) {
    return RowError(row, "image", view.image, 0, highest_image);
  }
  const int highest_offset = 2 * pool.pad();
  if (view.crop_y < 0 || view.crop_y > highest_offset) {
    return RowError(row, "crop_y", view.crop_y, 0, highest_offset);
  }
  if (view.crop_x < 0 || view.crop_x > highest_offset) {
    return RowError(row, "crop_x", view.crop_x, 0, highest_offset);
  }
  if (view.flip > 1) return RowError(row, "flip", view.flip, 0, 1);
  return absl::OkStatus();
}

absl::Status ValidateRow(const ResidentPool& pool, size_t index, const RenderRow& row) {
  MIXFEED_RETURN_IF_ERROR(ValidateView(pool, index, row.a));
  if (!(row.lambda >= 0.0f && row.lambda <= 1.0f)) {
    return RowError(index, "lambda", row.lambda, 0, 1);
  }
  return row.lambda == 1.0f ? absl::OkStatus() : ValidateView(pool, index, row.b);
}

absl::Status ValidateOut(const ResidentPool& pool, size_t rows, PixelType type,
                         std::span<const std::byte> out) {
  const size_t needed = rows * ImageBytes(pool.shape(), type);
  if (out.size() < needed) {
    return absl::InvalidArgumentError(
        absl::StrCat("out has ", out.size(), " bytes; ", rows, " images need ", needed));
  }
  const size_t alignment = PixelTypeBytes(type);
  if (reinterpret_cast<uintptr_t>(out.data()) % alignment != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("out is not aligned to the ", alignment, " bytes of its pixel type"));
  }
  return absl::OkStatus();
}

ViewSource Locate(const PoolStrides& strides, const RenderView& view) {
  return LocateView(strides, view.image, view.crop_y, view.crop_x, view.flip != 0);
}

// Distances inside an image and image numbers are 32 bits, offsets in a pool 64: with both below
// 2^31 none of them overflows.
absl::Status ValidatePoolFitsIndices(const Pool& pool) {
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  const int64_t height = pool.shape.height + int64_t{2} * pool.pad;
  const int64_t width = pool.shape.width + int64_t{2} * pool.pad;
  if (height <= kMax / width / pool.shape.channels && pool.count <= kMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("pool of ", pool.count, " padded images of ", pool.shape.channels, "x", height,
                   "x", width, "; allowed are up to ", kMax, " images of up to ", kMax, " bytes"));
}

}  // namespace

absl::Status ValidatePool(const Pool& pool) {
  const ImageShape& shape = pool.shape;
  if (shape.channels < 1 || shape.channels > kMaxChannels || shape.height < 1 || shape.width < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("pool of images of ", shape.channels, "x", shape.height, "x", shape.width,
                     "; allowed are 1 to ", kMaxChannels, " channels and sides from 1"));
  }
  if (pool.pad < 0 || pool.pad > kMaxPad || pool.count < 0) {
    return absl::InvalidArgumentError(absl::StrCat("pool of ", pool.count, " images with pad ",
                                                   pool.pad, "; allowed is a pad of 0 to ",
                                                   kMaxPad));
  }
  MIXFEED_RETURN_IF_ERROR(ValidatePoolFitsIndices(pool));
  if (static_cast<int64_t>(pool.pixels.size()) < pool.count * pool.image_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("pool of ", pool.count, " padded images of ",
                                                   pool.image_bytes(), " bytes has only ",
                                                   pool.pixels.size(), " bytes"));
  }
  return absl::OkStatus();
}

absl::Status ValidateRequest(const ResidentPool& pool, std::span<const RenderRow> rows,
                             const PixelFormat& format, std::span<const std::byte> out) {
  MIXFEED_RETURN_IF_ERROR(ValidatePixelFormat(format, pool.shape().channels));
  MIXFEED_RETURN_IF_ERROR(ValidateOut(pool, rows.size(), format.type, out));
  for (size_t i = 0; i < rows.size(); ++i) {
    MIXFEED_RETURN_IF_ERROR(ValidateRow(pool, i, rows[i]));
  }
  return absl::OkStatus();
}

std::vector<RowJob> MakeRowJobs(const ResidentPool& pool, std::span<const RenderRow> rows,
                                const Normalisation& normalisation) {
  const PoolStrides strides = MakePoolStrides(pool.shape(), pool.pad());
  const auto channels = static_cast<size_t>(pool.shape().channels);
  std::vector<RowJob> jobs(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const RenderRow& row = rows[i];
    RowJob& job = jobs[i];
    job.a = Locate(strides, row.a);
    job.b = row.lambda == 1.0f ? job.a : Locate(strides, row.b);
    for (size_t c = 0; c < channels; ++c) {
      job.channels[c] = MakeChannelMix(normalisation.mean[c], normalisation.std[c], row.lambda);
    }
  }
  return jobs;
}

RenderJob MakeRenderJob(const ResidentPool& pool, const PixelFormat& format, int64_t row_count) {
  RenderJob job;
  job.channels = pool.shape().channels;
  job.height = pool.shape().height;
  job.width = pool.shape().width;
  job.type = format.type;
  job.layout = format.layout;
  job.strides = MakePoolStrides(pool.shape(), pool.pad());
  job.row_count = row_count;
  return job;
}

}  // namespace mixfeed
