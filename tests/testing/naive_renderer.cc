#include "tests/testing/naive_renderer.h"

#include <algorithm>
#include <cstddef>

namespace mixfeed::testing {
namespace {

constexpr int kOutside = -1;

// The place in an image of `size` that padding shows at `place` (negative: before the image).
int Unpad(int place, int size, PadMode mode) {
  if (place >= 0 && place < size) return place;
  if (mode == PadMode::kZero) return kOutside;
  if (mode == PadMode::kEdge) return std::clamp(place, 0, size - 1);
  return place < 0 ? -place : 2 * (size - 1) - place;
}

// The pixel, 0..255, that `view` shows at (c, y, x): mirrored first, then padded, then cropped.
double ViewPixel(const NaiveSource& source, const RenderView& view, int c, int y, int x) {
  const ImageShape& shape = source.shape;
  const int row = Unpad(y + view.crop_y - source.pad, shape.height, source.mode);
  const int mirrored = Unpad(x + view.crop_x - source.pad, shape.width, source.mode);
  if (row == kOutside || mirrored == kOutside) return 0;
  const int column = view.flip == 1 ? shape.width - 1 - mirrored : mirrored;
  const int64_t plane = int64_t{view.image} * shape.channels + c;
  return source.pixels[static_cast<size_t>((plane * shape.height + row) * shape.width + column)];
}

double MixedPixel(const NaiveSource& source, const RenderRow& row, int c, int y, int x) {
  const double lambda = row.lambda;
  const double a = ViewPixel(source, row.a, c, y, x);
  if (lambda == 1) return a;
  return lambda * a + (1 - lambda) * ViewPixel(source, row.b, c, y, x);
}

}  // namespace

std::vector<double> RenderNaively(const NaiveSource& source, std::span<const RenderRow> rows,
                                  const Normalisation& normalisation) {
  std::vector<double> out;
  out.reserve(rows.size() * static_cast<size_t>(source.shape.pixels()));
  for (const RenderRow& row : rows) {
    for (int c = 0; c < source.shape.channels; ++c) {
      const double mean = normalisation.mean[static_cast<size_t>(c)];
      const double std = normalisation.std[static_cast<size_t>(c)];
      for (int y = 0; y < source.shape.height; ++y) {
        for (int x = 0; x < source.shape.width; ++x) {
          out.push_back((MixedPixel(source, row, c, y, x) / 255 - mean) / std);
        }
      }
    }
  }
  return out;
}

}  // namespace mixfeed::testing
