#include "augment/plan/dirichlet_sampler.h"

#include "augment/plan/philox.h"

namespace mixfeed {

DirichletSampler::DirichletSampler(int sources, double alpha) : sources_(sources) {
  for (int i = 0; i + 1 < sources; ++i) breaks_.emplace_back(alpha, (sources - 1 - i) * alpha);
}

void DirichletSampler::Draw(uint64_t seed, int64_t step, std::span<double> weights) const {
  const auto sources = static_cast<size_t>(sources_);
  const size_t units = weights.size() / sources;
  std::vector<double> left(units, 1.0);
  std::vector<double> share(units);
  for (size_t i = 0; i + 1 < sources; ++i) {
    std::vector<PhiloxStream> streams;
    streams.reserve(units);
    for (size_t u = 0; u < units; ++u) {
      streams.emplace_back(seed, Purpose::kWeights, static_cast<uint64_t>(step),
                           static_cast<uint32_t>(u), static_cast<uint32_t>(i));
    }
    breaks_[i].Draw(streams, share);
    for (size_t u = 0; u < units; ++u) {
      weights[u * sources + i] = left[u] * share[u];
      left[u] -= weights[u * sources + i];
    }
  }
  for (size_t u = 0; u < units; ++u) weights[u * sources + sources - 1] = left[u];
}

}  // namespace mixfeed
