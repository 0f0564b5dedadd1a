#ifndef MIXFEED_AUGMENT_TARGET_MEASURES_H_
#define MIXFEED_AUGMENT_TARGET_MEASURES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mixfeed {

// Numbers that describe distributions (of values that sum to 1) and guesses. All are pure and
// computed in double precision, in index order.

// Shannon's entropy, -sum p ln p in nats; 0 ln 0 is 0.
double EntropyNats(std::span<const float> distribution);
double EntropyNats(std::span<const double> distribution);

// exp(entropy): how many classes the distribution is as good as uniform over (Hill's diversity of
// order 1); 1..classes.
double EffectiveClasses(std::span<const double> distribution);

// sum |a - b| / 2, 0..1.
double TotalVariation(std::span<const double> a, std::span<const double> b);

// Mean over rows of the total variation of `a` and `b`, both [rows][classes] with at least one row.
double MeanTotalVariation(std::span<const float> a, std::span<const float> b, size_t classes);

// Index of the largest value; the first of equals.
size_t MostLikely(std::span<const float> distribution);

// Guesses against the truth.
struct Calibration {
  size_t images = 0;
  double accuracy = 0;    // share of images whose most likely class is their label
  double confidence = 0;  // mean of the largest probability
  double error = 0;       // expected calibration error
};

inline constexpr size_t kCalibrationBins = 15;

// Of `probabilities`, [labels.size()][classes] with at least one row. The error is sum_m |B_m| / n
// * |accuracy(B_m) - confidence(B_m)|, where B_m are the images whose largest probability lies in
// ((m-1)/15, m/15] (Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3).
Calibration CalibrationOf(std::span<const float> probabilities, std::span<const int16_t> labels,
                          size_t classes);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_TARGET_MEASURES_H_
