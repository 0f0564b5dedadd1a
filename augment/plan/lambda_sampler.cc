#include "augment/plan/lambda_sampler.h"

#include <algorithm>

namespace mixfeed {
namespace {

BetaDistribution BetaOf(const MixSpec& mix) {
  if (mix.lambda_law == LambdaLaw::kSizeBiasedBeta) return {mix.alpha + 1, mix.alpha};
  return {mix.alpha, mix.beta};
}

}  // namespace

LambdaSampler::LambdaSampler(const MixSpec& mix)
    : law_(mix.lambda_law),
      beta_(BetaOf(mix)),
      low_(mix.lambda_low),
      high_(mix.lambda_high),
      floor_(mix.lambda_floor) {}

void LambdaSampler::Draw(std::span<PhiloxStream> streams, std::span<double> values) const {
  if (law_ != LambdaLaw::kUniform) {
    beta_.Draw(streams, values);
  } else {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = low_ + (high_ - low_) * UniformBelowOne(&streams[i]);
    }
  }
  if (!floor_) return;
  for (double& value : values) value = std::max(value, 1 - value);
}

}  // namespace mixfeed
