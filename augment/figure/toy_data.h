#ifndef MIXFEED_AUGMENT_FIGURE_TOY_DATA_H_
#define MIXFEED_AUGMENT_FIGURE_TOY_DATA_H_

#include <cstdint>
#include <span>
#include <vector>

#include "augment/figure/chart.h"
#include "augment/plan/philox.h"

namespace mixfeed {

// Two classes in the plane, each half of the probability.
enum class ToyShape : uint8_t {
  kMoons,    // half circles of radius 1, about (0, 0) above and about (1, 0.5) below
  kCircles,  // circles about (0.5, 0.25) of radius 1 and 0.5
  kBlobs,    // the places (-0.3, 0.25) and (1.3, 0.25)
};

// "moons", "circles", "blobs": in the order of the enumerators.
std::span<const char* const> NamesOf(ToyShape);

struct ToyPoint {
  ChartPoint at;
  int label = 0;  // 0 or 1
};

// What a sample is for: both are of one distribution, and independent.
enum class ToySample : uint8_t { kTraining, kTruth };

// `count` points: uniform on their class' part of the shape, plus normal noise of standard
// deviation `noise` (>= 0) on each coordinate. Point i is of class i mod 2 and a pure function of
// (shape, noise, seed, sample, i), the same bits on every machine: so a smaller sample begins a
// larger one.
std::vector<ToyPoint> DrawToyPoints(ToyShape shape, double noise, uint64_t seed, ToySample sample,
                                    int count);

// Two independent standard normal values (Marsaglia's polar method, 1964).
ChartPoint StandardNormals(PhiloxStream* stream);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_TOY_DATA_H_
