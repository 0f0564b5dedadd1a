#include "augment/plan/distributions.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "augment/base/det_math.h"

namespace mixfeed {
namespace {

constexpr double kLogFour = 0x1.62e42fefa39efp+0;

double LogLogisticScale(double a, double b) {
  const double smaller = std::min(a, b);
  if (smaller <= 1) return 1 / smaller;
  return std::sqrt((a + b - 2) / (2 * a * b - a - b));
}

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

BetaDistribution::BetaDistribution(double a, double b)
    : a_(a),
      b_(b),
      log_sum_(DetLog(a + b)),
      scale_(LogLogisticScale(a, b)),
      slope_(a + 1 / scale_) {}

// Loop after loop, because the operations of one trial wait for each other and those of different
// trials do not.
void BetaDistribution::Run(std::span<Trial> trials) const {
  for (Trial& t : trials) {
    t.u = UniformInside(t.stream);
    t.height = UniformInside(t.stream);
  }
  for (Trial& t : trials) t.v = scale_ * DetLog(t.u / (1 - t.u));
  for (Trial& t : trials) {
    // x : y is a e^v : b, scaled by e^-max(v, 0) so that neither overflows.
    const double tail = DetExp(-std::abs(t.v));
    t.x = a_ * (t.v > 0 ? 1 : tail);
    t.y = b_ * (t.v > 0 ? tail : 1);
  }
  for (Trial& t : trials) {
    const double log_sum = std::max(t.v, 0.0) + DetLog(t.x + t.y);
    const double log_ratio = (a_ + b_) * (log_sum_ - log_sum) + slope_ * t.v - kLogFour;
    t.accepted = log_ratio >= DetLog(t.u * t.u * t.height);
    *t.value = t.x / (t.x + t.y);
  }
}

void BetaDistribution::Draw(std::span<PhiloxStream> streams, std::span<double> values) const {
  std::vector<Trial> trials;
  trials.reserve(streams.size());
  for (size_t i = 0; i < streams.size(); ++i) {
    trials.push_back({.stream = &streams[i], .value = &values[i]});
  }
  while (!trials.empty()) {
    Run(trials);
    std::erase_if(trials, [](const Trial& t) { return t.accepted; });
  }
}

}  // namespace mixfeed
