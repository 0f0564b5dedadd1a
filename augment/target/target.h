#ifndef MIXFEED_AUGMENT_TARGET_TARGET_H_
#define MIXFEED_AUGMENT_TARGET_TARGET_H_

#include <cstdint>
#include <span>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace mixfeed {

// Functions on labels and probabilities. Distributions are rows of `classes` float32 values that
// sum to 1 within 1e-6; sums are taken in double precision, in index order. All are pure.

// Writes the one-hot row of `label` (0..classes-1).
void OneHot(int label, std::span<float> row);

// The same with label smoothing s of 0..1 over C classes (Szegedy et al. 2016): 1 - s + s/C for the
// label, s/C for the others.
void SmoothOneHot(int label, double smoothing, std::span<float> row);

// mean[i][c] = sum_k views[k][i][c] / K for `views` of shape [K][rows][classes]; K >= 1. The mean
// is of probabilities, not of logits (MixMatch, equation 6). `mean` is [rows][classes].
void AverageViews(std::span<const float> views, int view_count, std::span<float> mean);

// Row by row p <- p^(1/T) / sum_c p_c^(1/T) (MixMatch, equation 7), computed on p / max p so that
// no temperature of 0.01..100 over- or underflows. Rows renormalise to sum 1.
void Sharpen(double temperature, int classes, std::span<float> probabilities);

// Checks that `probabilities` ([rows][classes]) are finite, not negative, and sum to 1 within 1e-3
// a row: InvalidArgument names the row and the value.
absl::Status CheckProbabilities(std::span<const float> probabilities, int classes);

// out = lambda * a + (1 - lambda) * b, each float32 operation rounded once.
void MixTargets(float lambda, std::span<const float> a, std::span<const float> b,
                std::span<float> out);

// Of n sources, [n][out.size()]: out = sum of weights[i] * source i, in double precision and index
// order. The second weight is not read: it is what the others leave of 1. n >= 2.
void MixManyTargets(std::span<const float> weights, std::span<const float> sources,
                    std::span<float> out);

// Writes the target of a row that is mixed of `images`, its own first: MixTargets of two,
// MixManyTargets of more, its own alone where there is nothing else. Weights as in MixManyTargets,
// one an image. `target_of` writes an image's own target.
void MixRowTarget(std::span<const int32_t> images, std::span<const float> weights,
                  absl::FunctionRef<void(int32_t image, std::span<float> out)> target_of,
                  std::span<float> out);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_TARGET_TARGET_H_
