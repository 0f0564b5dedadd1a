#ifndef MIXFEED_AUGMENT_PLAN_LAMBDA_SAMPLER_H_
#define MIXFEED_AUGMENT_PLAN_LAMBDA_SAMPLER_H_

#include <span>

#include "augment/plan/distributions.h"
#include "augment/plan/philox.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// Draws the lambdas of blends as a recipe's MixSpec says: its law, then the floor. (CutMix's, which
// depend on the box, are CutMixSampler's; the weights of more than two sources DirichletSampler's.)
class LambdaSampler {
 public:
  explicit LambdaSampler(const MixSpec& mix);

  // values[i] from streams[i], in 0..1. Each depends on its own stream only.
  void Draw(std::span<PhiloxStream> streams, std::span<double> values) const;

 private:
  const LambdaLaw law_;
  const BetaDistribution beta_;  // of both Beta laws
  const double low_;
  const double high_;
  const bool floor_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_LAMBDA_SAMPLER_H_
