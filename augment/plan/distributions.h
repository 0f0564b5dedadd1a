#ifndef MIXFEED_AUGMENT_PLAN_DISTRIBUTIONS_H_
#define MIXFEED_AUGMENT_PLAN_DISTRIBUTIONS_H_

#include <cstdint>

#include "augment/plan/philox.h"

namespace mixfeed {

// Draws from a stream. Each is a fixed sequence of IEEE operations on the stream's words, so the
// same stream gives the same bits on every machine.

// Multiples of 2^-53, uniform on [0, 1).
inline double UniformBelowOne(PhiloxStream* stream) {
  return static_cast<double>(stream->NextUint64() >> 11) * 0x1p-53;
}

// Multiples of 2^-53, uniform on (0, 1]: never 0, so its logarithm is finite.
inline double UniformAboveZero(PhiloxStream* stream) {
  return static_cast<double>((stream->NextUint64() >> 11) + 1) * 0x1p-53;
}

// Uniform on 0..bound-1 without bias (Lemire 2019); bound >= 1.
uint32_t UniformInt(uint32_t bound, PhiloxStream* stream);

// True with this probability: never for 0, always for 1.
inline bool Bernoulli(double probability, PhiloxStream* stream) {
  return UniformBelowOne(stream) < probability;
}

struct NormalPair {
  double first;
  double second;
};

// Two independent standard normal values (Marsaglia's polar method).
NormalPair DrawNormals(PhiloxStream* stream);

// Draws the logarithm of a Gamma(shape, 1) value (Marsaglia and Tsang 2000; shapes below 1 by their
// section 6). In logarithms because values of small shapes underflow: at shape 0.01 one in a
// thousand is below 1e-300.
class LogGamma {
 public:
  explicit LogGamma(double shape);

  // `normal` is a standard normal value for the first attempt; the stream gives all else.
  double Draw(double normal, PhiloxStream* stream) const;

 private:
  const double boost_;  // 1 / shape for shapes below 1, else 0
  const double d_;
  const double c_;
  const double log_d_;
};

// Beta(a, b) for a and b of 0.01..100.
class BetaDistribution {
 public:
  BetaDistribution(double a, double b) : first_(a), second_(b) {}

  // In [0, 1]; values nearer to an end than a double can tell are the end itself.
  double Draw(PhiloxStream* stream) const;

  // log(x / (1 - x)) of a Beta(a, b) value x; what Draw is made of.
  double DrawLogit(PhiloxStream* stream) const;

 private:
  const LogGamma first_;
  const LogGamma second_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_DISTRIBUTIONS_H_
