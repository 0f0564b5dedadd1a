#include "tests/testing/naive_renderer.h"

#include <algorithm>
#include <array>
#include <cmath>
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

// The byte, 0..255, of an image's channel plane; `row` and `column` may lie in the padding.
double PaddedPixel(const NaiveSource& source, int64_t plane, int row, int column) {
  const ImageShape& shape = source.shape;
  const int y = Unpad(row, shape.height, source.mode);
  const int x = Unpad(column, shape.width, source.mode);
  if (y == kOutside || x == kOutside) return 0;
  return source.pixels[static_cast<size_t>((plane * shape.height + y) * shape.width + x)];
}

// Mirrored first, then padded, then cropped; padding is symmetric, so that mirroring may come last.
double CroppedPixel(const NaiveSource& source, const RenderView& view, int c, int y, int x) {
  const int row = y + view.crop_y - source.pad;
  const int column = x + view.crop_x - source.pad;
  const int64_t plane = int64_t{view.image} * source.shape.channels + c;
  return PaddedPixel(source, plane, row, view.flip == 1 ? source.shape.width - 1 - column : column);
}

// Walks back and forth between the centres of the first and the last of `size` pixels.
double FoldBack(double place, int size) {
  if (size == 1) return 0;
  const double last = size - 1;
  while (place < 0 || place > last) place = place < 0 ? -place : 2 * last - place;
  return place;
}

double ResampledPixel(const NaiveSource& source, const RenderView& view, int c, int y, int x) {
  const std::array<float, 8>& m = view.effects->map;
  const double d = double{m[6]} * x + double{m[7]} * y + 1;
  const int padded_width = source.shape.width + 2 * source.pad;
  const int padded_height = source.shape.height + 2 * source.pad;
  const double u = FoldBack((double{m[0]} * x + double{m[1]} * y + m[2]) / d, padded_width);
  const double v = FoldBack((double{m[3]} * x + double{m[4]} * y + m[5]) / d, padded_height);
  const int64_t plane = int64_t{view.image} * source.shape.channels + c;
  // The tent function of each of the four pixels around the point.
  double sum = 0;
  for (const double row : {std::floor(v), std::floor(v) + 1}) {
    for (const double column : {std::floor(u), std::floor(u) + 1}) {
      const double share = (1 - std::abs(v - row)) * (1 - std::abs(u - column));
      if (share == 0) continue;
      sum += share * PaddedPixel(source, plane, static_cast<int>(row) - source.pad,
                                 static_cast<int>(column) - source.pad);
    }
  }
  return sum;
}

// What a whole level of 0..255 becomes.
double TonedLevel(const ViewEffects& effects, double level) {
  const double p = std::clamp(level / 255, 1e-7, 1 - 1e-7);
  const double logit = -std::log(1 / p - 1);
  return 255 / (1 + std::exp(-effects.contrast * (logit + effects.brightness)));
}

double TonedPixel(const ViewEffects& effects, double pixel) {
  const double below = std::floor(pixel);
  const double part = pixel - below;
  const double low = TonedLevel(effects, below);
  return part == 0 ? low : (1 - part) * low + part * TonedLevel(effects, below + 1);
}

bool Holds(const Box& box, int y, int x) {
  return box.y0 <= y && y < box.y1 && box.x0 <= x && x < box.x1;
}

// What goes through the renderers: images, and the consumer's normalisation.
struct Request {
  const NaiveSource& source;
  const Normalisation& normalisation;
};

// The pixel, 0..255, that `view` shows at (c, y, x).
double ViewPixel(const Request& request, const RenderView& view, int c, int y, int x) {
  if (view.effects == nullptr) return CroppedPixel(request.source, view, c, y, x);
  const ViewEffects& effects = *view.effects;
  const auto channel = static_cast<size_t>(c);
  if (Holds(effects.hole, y, x)) {
    return effects.normalised_zero ? 255 * request.normalisation.mean[channel]
                                   : effects.fill[channel];
  }
  const double pixel = effects.resampled ? ResampledPixel(request.source, view, c, y, x)
                                         : CroppedPixel(request.source, view, c, y, x);
  return effects.toned ? TonedPixel(effects, pixel) : pixel;
}

double MixedPixel(const Request& request, const RenderRow& row, int c, int y, int x) {
  if (!row.box.empty()) {
    return ViewPixel(request, Holds(row.box, y, x) ? row.b : row.a, c, y, x);
  }
  const double lambda = row.lambda;
  double mixed = lambda * ViewPixel(request, row.a, c, y, x);
  double left = 1 - lambda;
  for (const WeightedView& further : row.more) {
    mixed += double{further.weight} * ViewPixel(request, further.view, c, y, x);
    left -= further.weight;
  }
  return left == 0 ? mixed : mixed + left * ViewPixel(request, row.b, c, y, x);
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
          out.push_back((MixedPixel({source, normalisation}, row, c, y, x) / 255 - mean) / std);
        }
      }
    }
  }
  return out;
}

}  // namespace mixfeed::testing
