#include "augment/plan/distributions.h"

#include <cmath>

#include "augment/plan/det_math.h"

namespace mixfeed {
namespace {

// Marsaglia and Tsang's squeeze: accepts without a logarithm where 1 - 0.0331 x^4 is a lower bound.
constexpr double kSqueeze = 0.0331;

double BoostedShape(double shape) { return shape < 1 ? shape + 1 : shape; }

}  // namespace

uint32_t UniformInt(uint32_t bound, PhiloxStream* stream) {
  uint64_t product = uint64_t{stream->NextWord()} * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t threshold = -bound % bound;
    while (static_cast<uint32_t>(product) < threshold) {
      product = uint64_t{stream->NextWord()} * bound;
    }
  }
  return static_cast<uint32_t>(product >> 32);
}

NormalPair DrawNormals(PhiloxStream* stream) {
  for (;;) {
    const double x = 2 * UniformBelowOne(stream) - 1;
    const double y = 2 * UniformBelowOne(stream) - 1;
    const double square = x * x + y * y;
    if (square >= 1 || square == 0) continue;
    const double scale = std::sqrt(-2 * DetLog(square) / square);
    return {x * scale, y * scale};
  }
}

LogGamma::LogGamma(double shape)
    : boost_(shape < 1 ? 1 / shape : 0),
      d_(BoostedShape(shape) - 1.0 / 3),
      c_(1 / std::sqrt(9 * d_)),
      log_d_(DetLog(d_)) {}

double LogGamma::Draw(double normal, PhiloxStream* stream) const {
  for (;; normal = DrawNormals(stream).first) {
    const double root = 1 + c_ * normal;
    if (root <= 0) continue;
    const double v = root * root * root;
    const double u = UniformAboveZero(stream);
    const double square = normal * normal;
    const double log_v = DetLog(v);
    if (u >= 1 - kSqueeze * square * square && DetLog(u) >= 0.5 * square + d_ * (1 - v + log_v)) {
      continue;
    }
    const double log_gamma = log_d_ + log_v;
    return boost_ == 0 ? log_gamma : log_gamma + DetLog(UniformAboveZero(stream)) * boost_;
  }
}

double BetaDistribution::DrawLogit(PhiloxStream* stream) const {
  const NormalPair normals = DrawNormals(stream);
  const double first = first_.Draw(normals.first, stream);
  return first - second_.Draw(normals.second, stream);
}

double BetaDistribution::Draw(PhiloxStream* stream) const {
  return 1 / (1 + DetExp(-DrawLogit(stream)));
}

}  // namespace mixfeed
