#include "augment/render/render_request.h"

#include <array>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/render/resample.h"
#include "augment/render/tone.h"

namespace mixfeed {
namespace {

// How far a sum of float weights may be above 1.
constexpr double kWeightSlack = 1e-6;

absl::Status RowError(size_t row, const std::string& field, double value, double lowest,
                      double highest) {
  return absl::InvalidArgumentError(absl::StrCat("row ", row, ": ", field, " is ", value,
                                                 "; allowed is ", lowest, " to ", highest));
}

// A box that is not empty lies in the image.
absl::Status ValidateBox(const ImageShape& shape, size_t row, const char* field, const Box& box) {
  if (box.empty()) return absl::OkStatus();
  const auto check = [&](const char* side, int value, int highest) {
    if (value >= 0 && value <= highest) return absl::OkStatus();
    return RowError(row, absl::StrCat(field, ".", side), value, 0, highest);
  };
  MIXFEED_RETURN_IF_ERROR(check("y0", box.y0, shape.height));
  MIXFEED_RETURN_IF_ERROR(check("x0", box.x0, shape.width));
  MIXFEED_RETURN_IF_ERROR(check("y1", box.y1, shape.height));
  return check("x1", box.x1, shape.width);
}

// What the map shows at pixel (x, y). The extremes over an image are at its corners.
absl::Status ValidateCorner(size_t row, const std::array<float, 8>& map, int x, int y) {
  const auto at = [&](size_t first, double constant) {
    return double{map[first]} * x + double{map[first + 1]} * y + constant;
  };
  const double denominator = at(6, 1);
  if (!(denominator >= kMinMapDenominator)) {
    return absl::InvalidArgumentError(absl::StrCat("row ", row, ": map's denominator is ",
                                                   denominator, " at x ", x, ", y ", y,
                                                   "; allowed is from ", kMinMapDenominator));
  }
  for (const double shown : {at(0, map[2]) / denominator, at(3, map[5]) / denominator}) {
    if (shown >= -kMaxMapCoordinate && shown <= kMaxMapCoordinate) continue;
    return RowError(row, absl::StrCat("what the map shows at x ", x, ", y ", y), shown,
                    -kMaxMapCoordinate, kMaxMapCoordinate);
  }
  return absl::OkStatus();
}

absl::Status ValidateMap(const ImageShape& shape, size_t row, const std::array<float, 8>& map) {
  for (size_t i = 0; i < map.size(); ++i) {
    if (map[i] >= -kMaxMapNumber && map[i] <= kMaxMapNumber) continue;
    return RowError(row, absl::StrCat("map[", i, "]"), map[i], -kMaxMapNumber, kMaxMapNumber);
  }
  for (const int y : {0, shape.height - 1}) {
    for (const int x : {0, shape.width - 1}) {
      MIXFEED_RETURN_IF_ERROR(ValidateCorner(row, map, x, y));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateTone(size_t row, const ViewEffects& effects) {
  if (!(effects.contrast >= 0 && effects.contrast <= kMaxContrast)) {
    return RowError(row, "contrast", effects.contrast, 0, kMaxContrast);
  }
  if (!(effects.brightness >= -kMaxBrightness && effects.brightness <= kMaxBrightness)) {
    return RowError(row, "brightness", effects.brightness, -kMaxBrightness, kMaxBrightness);
  }
  return absl::OkStatus();
}

absl::Status ValidateFill(const ImageShape& shape, size_t row, const std::array<float, 4>& fill) {
  for (size_t c = 0; c < static_cast<size_t>(shape.channels); ++c) {
    if (fill[c] >= 0 && fill[c] <= 255) continue;
    return RowError(row, absl::StrCat("fill[", c, "]"), fill[c], 0, 255);
  }
  return absl::OkStatus();
}

absl::Status ValidateEffects(const ResidentPool& pool, size_t row, const ViewEffects& effects) {
  const ImageShape& shape = pool.shape();
  if (effects.resampled) MIXFEED_RETURN_IF_ERROR(ValidateMap(shape, row, effects.map));
  if (effects.toned) MIXFEED_RETURN_IF_ERROR(ValidateTone(row, effects));
  MIXFEED_RETURN_IF_ERROR(ValidateBox(shape, row, "hole", effects.hole));
  const bool filled = !effects.hole.empty() && !effects.normalised_zero;
  return filled ? ValidateFill(shape, row, effects.fill) : absl::OkStatus();
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
  return view.effects == nullptr ? absl::OkStatus() : ValidateEffects(pool, row, *view.effects);
}

absl::Status ValidateMore(const ResidentPool& pool, size_t index, const RenderRow& row) {
  if (row.more.size() > kMaxMoreViews) {
    return RowError(index, "more.size()", static_cast<double>(row.more.size()), 0, kMaxMoreViews);
  }
  if (!row.box.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("row ", index, ": box and ", row.more.size(),
                     " further images in one row; allowed is one of the two"));
  }
  double sum = row.lambda;
  for (size_t i = 0; i < row.more.size(); ++i) {
    const WeightedView& further = row.more[i];
    if (!(further.weight >= 0.0f && further.weight <= 1.0f)) {
      return RowError(index, absl::StrCat("more[", i, "].weight"), further.weight, 0, 1);
    }
    MIXFEED_RETURN_IF_ERROR(ValidateView(pool, index, further.view));
    sum += further.weight;
  }
  if (sum <= 1 + kWeightSlack) return absl::OkStatus();
  return RowError(index, "sum of lambda and more's weights", sum, 0, 1);
}

absl::Status ValidateRow(const ResidentPool& pool, size_t index, const RenderRow& row) {
  MIXFEED_RETURN_IF_ERROR(ValidateView(pool, index, row.a));
  if (!(row.lambda >= 0.0f && row.lambda <= 1.0f)) {
    return RowError(index, "lambda", row.lambda, 0, 1);
  }
  MIXFEED_RETURN_IF_ERROR(ValidateBox(pool.shape(), index, "box", row.box));
  if (!row.more.empty()) MIXFEED_RETURN_IF_ERROR(ValidateMore(pool, index, row));
  const bool shows_b = row.lambda != 1.0f || !row.box.empty() || !row.more.empty();
  return shows_b ? ValidateView(pool, index, row.b) : absl::OkStatus();
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

}  // namespace mixfeed
