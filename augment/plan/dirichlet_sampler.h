#ifndef MIXFEED_AUGMENT_PLAN_DIRICHLET_SAMPLER_H_
#define MIXFEED_AUGMENT_PLAN_DIRICHLET_SAMPLER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "augment/plan/distributions.h"

namespace mixfeed {

// Draws weights of n sources from Dirichlet(alpha, ..., alpha), by breaking a stick: of what is
// left, the i-th source takes Beta(alpha, (n - 1 - i) alpha), the last one all.
class DirichletSampler {
 public:
  DirichletSampler(int sources, double alpha);

  // Weights of unit u's sources are weights[u * sources ...], summing to 1; drawn from streams
  // (seed; kWeights, step, u, i). `weights` is a multiple of the sources.
  void Draw(uint64_t seed, int64_t step, std::span<double> weights) const;

 private:
  const int sources_;
  std::vector<BetaDistribution> breaks_;  // of every source but the last
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_DIRICHLET_SAMPLER_H_
