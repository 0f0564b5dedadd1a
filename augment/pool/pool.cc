#include "augment/pool/pool.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "augment/base/field_checks.h"
#include "augment/base/memory.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

constexpr int64_t kPaddedPerChunk = 64;

// Source coordinate of padded coordinate `i`; -1 stands for the fill.
int SourceCoordinate(int i, int pad, int size, PadMode mode) {
  const int source = i - pad;
  if (source >= 0 && source < size) return source;
  switch (mode) {
    case PadMode::kReflect:
      return source < 0 ? -source : 2 * (size - 1) - source;
    case PadMode::kEdge:
      return source < 0 ? 0 : size - 1;
    case PadMode::kZero:
    case PadMode::kConstant:
      break;
  }
  return -1;
}

std::vector<int> SourceCoordinates(int size, int pad, PadMode mode) {
  std::vector<int> sources;
  for (int i = 0; i < size + 2 * pad; ++i) {
    sources.push_back(SourceCoordinate(i, pad, size, mode));
  }
  return sources;
}

// Pads one plane of `width` pixels a row. `to` is the fill before the call.
void PadPlane(const uint8_t* from, int width, int pad, const std::vector<int>& rows,
              const std::vector<int>& columns, uint8_t* to) {
  for (int row : rows) {
    if (row >= 0) {
      const uint8_t* const source = from + int64_t{row} * width;
      std::memcpy(to + pad, source, static_cast<size_t>(width));
      const auto pad_column = [&](int x) {
        const int column = columns[static_cast<size_t>(x)];
        if (column >= 0) to[x] = source[column];
      };
      for (int x = 0; x < pad; ++x) {
        pad_column(x);
        pad_column(pad + width + x);
      }
    }
    to += columns.size();
  }
}

absl::Status CheckPad(const ImageShape& shape, int pad, PadMode mode) {
  if (pad < 0 || pad > kMaxPad) {
    return FieldError("recipe.view.pad", absl::StrCat(pad), absl::StrCat("0..", kMaxPad));
  }
  const int smaller_side = std::min(shape.height, shape.width);
  if (mode == PadMode::kReflect && pad >= smaller_side) {
    return FieldError("recipe.view.pad", absl::StrCat(pad),
                      absl::StrCat("0..", smaller_side - 1, " on images of ", shape.height, "x",
                                   shape.width, " with recipe.view.pad_mode reflect"));
  }
  return absl::OkStatus();
}

absl::Status AllocatePixels(Pool* pool) {
  const int64_t bytes = pool->count * pool->image_bytes();
  return CatchOutOfMemory("a padded pool", bytes, [&] {
    pool->pixels.resize(static_cast<size_t>(bytes));
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<Pool> MakePool(const ImageShape& shape, std::span<const uint8_t> images, int pad,
                              PadMode mode, ThreadPool* threads, const PadFill& fill) {
  const int64_t bytes = static_cast<int64_t>(images.size());
  if (shape.channels < 1 || shape.height < 1 || shape.width < 1 || bytes % shape.pixels() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("images are ", bytes, " bytes, not a whole number of images of ",
                     shape.channels, "x", shape.height, "x", shape.width));
  }
  MIXFEED_RETURN_IF_ERROR(CheckPad(shape, pad, mode));

  Pool pool{.shape = shape, .pad = pad, .count = bytes / shape.pixels(), .pixels = {}};
  MIXFEED_RETURN_IF_ERROR(AllocatePixels(&pool));
  const std::vector<int> rows = SourceCoordinates(shape.height, pad, mode);
  const std::vector<int> columns = SourceCoordinates(shape.width, pad, mode);
  const int64_t from_plane_bytes = int64_t{shape.height} * shape.width;
  threads->ParallelFor(pool.count, kPaddedPerChunk, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin * shape.channels; plane < end * shape.channels; ++plane) {
      uint8_t* const to = pool.pixels.data() + plane * pool.plane_bytes();
      if (mode == PadMode::kConstant) {
        std::memset(to, fill[static_cast<size_t>(plane % shape.channels)],
                    static_cast<size_t>(pool.plane_bytes()));
      }
      PadPlane(images.data() + plane * from_plane_bytes, shape.width, pad, rows, columns, to);
    }
  });
  return pool;
}

}  // namespace mixfeed
