#include "augment/figure/toy_data.h"

#include <cmath>

#include "augment/base/det_math.h"
#include "augment/plan/distributions.h"

namespace mixfeed {
namespace {

constexpr const char* kShapes[] = {"moons", "circles", "blobs"};
constexpr ChartPoint kMiddle{0.5, 0.25};  // of every shape

// Uniform in the unit disc without its centre.
ChartPoint InDisc(PhiloxStream* stream) {
  for (;;) {
    const ChartPoint at{2 * UniformInside(stream) - 1, 2 * UniformInside(stream) - 1};
    const double square = at.x * at.x + at.y * at.y;
    if (square > 0 && square < 1) return at;
  }
}

// Uniform on the unit circle. A direction taken from the disc needs neither sine nor cosine, which
// differ in their last bit between machines.
ChartPoint OnCircle(PhiloxStream* stream) {
  const ChartPoint at = InDisc(stream);
  const double length = std::sqrt(at.x * at.x + at.y * at.y);
  return {at.x / length, at.y / length};
}

ChartPoint OnShape(ToyShape shape, int label, PhiloxStream* stream) {
  if (shape == ToyShape::kBlobs) return {label == 0 ? -0.3 : 1.3, kMiddle.y};
  const ChartPoint at = OnCircle(stream);
  if (shape == ToyShape::kMoons) {
    const double above = std::abs(at.y);
    return label == 0 ? ChartPoint{at.x, above} : ChartPoint{1 + at.x, 0.5 - above};
  }
  const double radius = label == 0 ? 1 : 0.5;
  return {kMiddle.x + radius * at.x, kMiddle.y + radius * at.y};
}

}  // namespace

std::span<const char* const> NamesOf(ToyShape) { return kShapes; }

ChartPoint StandardNormals(PhiloxStream* stream) {
  const ChartPoint at = InDisc(stream);
  const double square = at.x * at.x + at.y * at.y;
  const double scale = std::sqrt(-2 * DetLog(square) / square);
  return {at.x * scale, at.y * scale};
}

std::vector<ToyPoint> DrawToyPoints(ToyShape shape, double noise, uint64_t seed, ToySample sample,
                                    int count) {
  const Purpose purpose =
      sample == ToySample::kTraining ? Purpose::kToyTraining : Purpose::kToyTruth;
  std::vector<ToyPoint> points;
  for (int i = 0; i < count; ++i) {
    PhiloxStream stream(seed, purpose, static_cast<uint64_t>(i));
    const int label = i % 2;
    const ChartPoint at = OnShape(shape, label, &stream);
    const ChartPoint normals = StandardNormals(&stream);
    points.push_back({{at.x + noise * normals.x, at.y + noise * normals.y}, label});
  }
  return points;
}

}  // namespace mixfeed
