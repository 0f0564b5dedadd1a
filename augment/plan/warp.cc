#include "augment/plan/warp.h"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

#include "augment/base/det_math.h"
#include "augment/plan/distributions.h"

namespace mixfeed {
namespace {

// A projective map of homogeneous coordinates, row by row.
using Matrix = std::array<std::array<double, 3>, 3>;

Matrix Multiply(const Matrix& a, const Matrix& b) {
  Matrix product{};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      product[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j];
    }
  }
  return product;
}

// Eight equations, each with its right-hand side behind it.
using Equations = std::array<std::array<double, 9>, 8>;

void SwapInLargest(Equations* e, size_t column) {
  size_t largest = column;
  for (size_t row = column + 1; row < e->size(); ++row) {
    if (std::abs((*e)[row][column]) > std::abs((*e)[largest][column])) largest = row;
  }
  std::swap((*e)[column], (*e)[largest]);
}

// Gauss and Jordan, with the largest pivot of each column.
std::array<double, 8> Solve(Equations e) {
  for (size_t column = 0; column < e.size(); ++column) {
    SwapInLargest(&e, column);
    for (size_t row = 0; row < e.size(); ++row) {
      if (row == column) continue;
      const double factor = e[row][column] / e[column][column];
      for (size_t k = column; k < 9; ++k) e[row][k] -= factor * e[column][k];
    }
  }
  std::array<double, 8> solution{};
  for (size_t i = 0; i < e.size(); ++i) solution[i] = e[i][8] / e[i][i];
  return solution;
}

// The map that takes the corners, moved by the magnitudes, to the corners.
Matrix Perspective(const std::array<double, 4>& m) {
  constexpr double kCorners[4][2] = {{-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
  const double moved[4][2] = {
      {-1 - m[3], -1 - m[1]}, {-1 - m[2], 1 + m[1]}, {1 + m[3], -1 - m[0]}, {1 + m[2], 1 + m[0]}};
  Equations e{};
  for (size_t i = 0; i < 4; ++i) {
    const double x = moved[i][0], y = moved[i][1];
    const double u = kCorners[i][0], v = kCorners[i][1];
    e[2 * i] = {x, y, 1, 0, 0, 0, -u * x, -u * y, u};
    e[2 * i + 1] = {0, 0, 0, x, y, 1, -v * x, -v * y, v};
  }
  const std::array<double, 8> h = Solve(e);
  return {{{h[0], h[1], h[2]}, {h[3], h[4], h[5]}, {h[6], h[7], 1}}};
}

Matrix Rotation(double degrees) {
  const double angle = degrees * std::numbers::pi / 180;
  const double sine = DetSin(angle);
  const double cosine = DetCos(angle);
  return {{{cosine, -sine, 0}, {sine, cosine, 0}, {0, 0, 1}}};
}

Matrix Zoom(const WarpDraw& draw) {
  const double scale = 1 / draw.zoom;
  const double rest = 1 - scale;
  return {{{scale, 0, rest * draw.zoom_u}, {0, scale, rest * draw.zoom_v}, {0, 0, 1}}};
}

// Rotation of the zoomed view. Where the sides differ, fastai scales the off-diagonal parts of the
// product by their ratio, but not the shift that the zoom brings.
Matrix Affine(const WarpDraw& draw, double height, double width) {
  Matrix affine = Multiply(Rotation(draw.rotation), Zoom(draw));
  affine[0][1] *= height / width;
  affine[1][0] *= width / height;
  return affine;
}

double UniformOn(double low, double high, PhiloxStream* stream) {
  return low + (high - low) * UniformBelowOne(stream);
}

}  // namespace

WarpDraw DrawWarp(const WarpSpec& spec, PhiloxStream* stream) {
  WarpDraw draw;
  if (spec.max_perspective > 0 && Bernoulli(spec.probability, stream)) {
    for (double& magnitude : draw.perspective) {
      magnitude = UniformOn(-spec.max_perspective, spec.max_perspective, stream);
    }
  }
  if (spec.max_rotation > 0 && Bernoulli(spec.probability, stream)) {
    draw.rotation = UniformOn(-spec.max_rotation, spec.max_rotation, stream);
  }
  if (spec.max_zoom > 1 && Bernoulli(spec.probability, stream)) {
    draw.zoom = UniformOn(1, spec.max_zoom, stream);
    draw.zoom_v = UniformOn(-1, 1, stream);
    draw.zoom_u = UniformOn(-1, 1, stream);
  }
  return draw;
}

void DrawTone(const WarpSpec& spec, PhiloxStream* stream, ViewEffects* effects) {
  const double most = spec.max_lighting;
  if (Bernoulli(spec.lighting_probability, stream)) {
    const double change = UniformOn(0.5 * (1 - most), 0.5 * (1 + most), stream);
    effects->brightness = DetLog(change / (1 - change));
    effects->toned = true;
  }
  if (Bernoulli(spec.lighting_probability, stream)) {
    const double low = DetLog(1 - most);
    effects->contrast = DetExp(UniformOn(low, -low, stream));
    effects->toned = true;
  }
}

std::array<float, 8> WarpMap(const WarpDraw& draw, const WarpFrame& frame) {
  const double right = frame.image.width - 1;
  const double bottom = frame.image.height - 1;
  const double side = frame.flip ? -1 : 1;
  const Matrix to_units = {{{side * 2 / right, 0, -side}, {0, 2 / bottom, -1}, {0, 0, 1}}};
  const int left = frame.flip ? 2 * frame.pad - frame.crop_x : frame.crop_x;
  const Matrix to_pixels = {
      {{right / 2, 0, right / 2 + left}, {0, bottom / 2, bottom / 2 + frame.crop_y}, {0, 0, 1}}};
  const Matrix affine = Affine(draw, frame.image.height, frame.image.width);
  const Matrix all =
      Multiply(to_pixels, Multiply(affine, Multiply(Perspective(draw.perspective), to_units)));
  std::array<float, 8> map;
  for (size_t i = 0; i < map.size(); ++i) {
    map[i] = static_cast<float>(all[i / 3][i % 3] / all[2][2]);
  }
  return map;
}

}  // namespace mixfeed
