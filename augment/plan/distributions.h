#ifndef MIXFEED_AUGMENT_PLAN_DISTRIBUTIONS_H_
#define MIXFEED_AUGMENT_PLAN_DISTRIBUTIONS_H_

#include <cstdint>
#include <span>

#include "augment/plan/philox.h"

namespace mixfeed {

// Draws from a stream. Each is a fixed sequence of IEEE operations on the stream's words, so the
// same stream gives the same bits on every machine.

// Multiples of 2^-53, uniform on [0, 1).
inline double UniformBelowOne(PhiloxStream* stream) {
  return static_cast<double>(stream->NextUint64() >> 11) * 0x1p-53;
}

// Odd multiples of 2^-53, uniform on (0, 1): the centres of 2^52 equal cells, so that both u and 1
// - u are exact and have a logarithm.
inline double UniformInside(PhiloxStream* stream) {
  return (static_cast<double>(stream->NextUint64() >> 12) + 0.5) * 0x1p-52;
}

// Uniform on 0..bound-1 without bias (Lemire 2019); bound >= 1.
uint32_t UniformInt(uint32_t bound, PhiloxStream* stream);

// True with this probability: never for 0, always for 1.
inline bool Bernoulli(double probability, PhiloxStream* stream) {
  return UniformBelowOne(stream) < probability;
}

// Draws Beta(a, b) values, a and b of 0.01..101, by rejection from the log-logistic distribution
// (algorithm BA of Cheng 1978, "Generating beta variates with nonintegral shape parameters"): at
// most four trials on average, 1.1 at a = b = 0.75. Works on the value's logit, so nothing under-
// or overflows at small shapes, where Gamma variates would.
class BetaDistribution {
 public:
  BetaDistribution(double a, double b);

  // values[i] from streams[i], in [0, 1]; values nearer to an end than a double can tell are the
  // end itself. Each value depends on its own stream only; many at once take half the time that one
  // by one would, since their trials run side by side.
  void Draw(std::span<PhiloxStream> streams, std::span<double> values) const;

 private:
  // A trial: u and height are its random numbers, x : y the proposed value's odds.
  struct Trial {
    PhiloxStream* stream;
    double* value;
    double u = 0, height = 0, v = 0, x = 0, y = 0;
    bool accepted = false;
  };
  void Run(std::span<Trial> trials) const;

  const double a_;
  const double b_;
  const double log_sum_;  // log(a + b)
  const double scale_;    // of the log-logistic distribution: beta in the paper
  const double slope_;    // gamma in the paper
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_DISTRIBUTIONS_H_
