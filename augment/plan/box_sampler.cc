#include "augment/plan/box_sampler.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace mixfeed {
namespace {

struct Span {
  int begin = 0;
  int end = 0;
};

Span ClippedSpan(int side, double lambda, int centre) {
  const int half = static_cast<int>(side * std::sqrt(1 - lambda)) / 2;
  return {std::max(centre - half, 0), std::min(centre + half, side)};
}

int DrawCentre(int side, PhiloxStream* stream) {
  return static_cast<int>(UniformInt(static_cast<uint32_t>(side), stream));
}

// NumPy's randint(low, high): the high end is not drawn.
int RandInt(int low, int high, PhiloxStream* stream) {
  return low + static_cast<int>(UniformInt(static_cast<uint32_t>(std::max(high - low, 1)), stream));
}

Span MinMaxSpan(int side, const CutMixSpec& spec, PhiloxStream* stream) {
  const int length = RandInt(static_cast<int>(side * spec.min_side),
                             static_cast<int>(side * spec.max_side), stream);
  const int begin = RandInt(0, side - length, stream);
  return {begin, begin + length};
}

Box MakeBox(const Span& y, const Span& x) {
  return {.y0 = static_cast<int16_t>(y.begin),
          .x0 = static_cast<int16_t>(x.begin),
          .y1 = static_cast<int16_t>(y.end),
          .x1 = static_cast<int16_t>(x.end)};
}

}  // namespace

Box ClippedBox(const ImageShape& shape, double lambda, int centre_y, int centre_x) {
  return MakeBox(ClippedSpan(shape.height, lambda, centre_y),
                 ClippedSpan(shape.width, lambda, centre_x));
}

BoxSampler::BoxSampler(const CutMixSpec& spec, const ImageShape& shape)
    : spec_(spec), shape_(shape), lambda_(spec.alpha, spec.beta) {}

void BoxSampler::Draw(std::span<PhiloxStream> streams, std::span<DrawnBox> boxes) const {
  if (spec_.box == BoxRule::kClipped) return DrawClipped(streams, boxes);
  for (size_t i = 0; i < boxes.size(); ++i) boxes[i] = DrawMinMax(&streams[i]);
}

void BoxSampler::DrawClipped(std::span<PhiloxStream> streams, std::span<DrawnBox> boxes) const {
  std::vector<double> lambdas(boxes.size());
  lambda_.Draw(streams, lambdas);
  for (size_t i = 0; i < boxes.size(); ++i) {
    const int centre_y = DrawCentre(shape_.height, &streams[i]);
    const int centre_x = DrawCentre(shape_.width, &streams[i]);
    boxes[i].box = ClippedBox(shape_, lambdas[i], centre_y, centre_x);
    const bool by_area = spec_.correct_lambda || boxes[i].box.empty();
    boxes[i].lambda = by_area ? AreaLambda(boxes[i].box) : lambdas[i];
  }
}

DrawnBox BoxSampler::DrawMinMax(PhiloxStream* stream) const {
  const Span y = MinMaxSpan(shape_.height, spec_, stream);
  const Span x = MinMaxSpan(shape_.width, spec_, stream);
  const Box box = MakeBox(y, x);
  return {.box = box, .lambda = AreaLambda(box)};
}

double BoxSampler::AreaLambda(const Box& box) const {
  return 1 - static_cast<double>(box.area()) / (shape_.height * shape_.width);
}

}  // namespace mixfeed
