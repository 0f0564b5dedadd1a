#include "augment/target/target.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mixfeed {
namespace {

// How far a model's row may be from summing to 1; float32 softmax outputs are within 1e-6 or so,
// half-precision ones within 1e-3.
constexpr double kSumTolerance = 1e-3;

void SharpenRow(double exponent, std::span<float> row) {
  const double top = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float p : row) sum += std::pow(p / top, exponent);
  for (float& p : row) p = static_cast<float>(std::pow(p / top, exponent) / sum);
}

absl::Status CheckRow(std::span<const float> row, size_t index) {
  double sum = 0;
  for (size_t c = 0; c < row.size(); ++c) {
    if (!std::isfinite(row[c]) || row[c] < 0) {
      return absl::InvalidArgumentError(absl::StrCat("probability of row ", index, ", class ", c,
                                                     " is ", row[c],
                                                     "; allowed: finite values from 0"));
    }
    sum += row[c];
  }
  if (std::abs(sum - 1) <= kSumTolerance) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("probabilities of row ", index, " sum to ", sum,
                                                 "; allowed: 1 within ", kSumTolerance));
}

}  // namespace

void OneHot(int label, std::span<float> row) {
  assert(label >= 0 && static_cast<size_t>(label) < row.size());
  std::fill(row.begin(), row.end(), 0.0f);
  row[static_cast<size_t>(label)] = 1.0f;
}

void SmoothOneHot(int label, double smoothing, std::span<float> row) {
  OneHot(label, row);
  if (smoothing == 0) return;
  const double off = smoothing / static_cast<double>(row.size());
  std::fill(row.begin(), row.end(), static_cast<float>(off));
  row[static_cast<size_t>(label)] = static_cast<float>(1 - smoothing + off);
}

void AverageViews(std::span<const float> views, int view_count, std::span<float> mean) {
  assert(view_count >= 1 && views.size() == mean.size() * static_cast<size_t>(view_count));
  for (size_t i = 0; i < mean.size(); ++i) {
    double sum = 0;
    for (size_t at = i; at < views.size(); at += mean.size()) sum += views[at];
    mean[i] = static_cast<float>(sum / view_count);
  }
}

void Sharpen(double temperature, int classes, std::span<float> probabilities) {
  const auto stride = static_cast<size_t>(classes);
  for (size_t at = 0; at < probabilities.size(); at += stride) {
    SharpenRow(1 / temperature, probabilities.subspan(at, stride));
  }
}

absl::Status CheckProbabilities(std::span<const float> probabilities, int classes) {
  const auto stride = static_cast<size_t>(classes);
  if (classes < 1 || probabilities.size() % stride != 0) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", probabilities.size(),
                                                   " probabilities; allowed: a multiple of the ",
                                                   classes, " classes"));
  }
  for (size_t row = 0; row * stride < probabilities.size(); ++row) {
    const absl::Status status = CheckRow(probabilities.subspan(row * stride, stride), row);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

void MixTargets(float lambda, std::span<const float> a, std::span<const float> b,
                std::span<float> out) {
  assert(a.size() == out.size() && b.size() == out.size());
  const float rest = 1.0f - lambda;
  for (size_t c = 0; c < out.size(); ++c) out[c] = lambda * a[c] + rest * b[c];
}

void MixManyTargets(std::span<const float> weights, std::span<const float> sources,
                    std::span<float> out) {
  assert(weights.size() >= 2 && sources.size() == weights.size() * out.size());
  double rest = 1;
  for (size_t i = 0; i < weights.size(); ++i) rest -= i == 1 ? 0.0 : weights[i];
  for (size_t c = 0; c < out.size(); ++c) {
    double sum = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      sum += (i == 1 ? rest : weights[i]) * sources[i * out.size() + c];
    }
    out[c] = static_cast<float>(sum);
  }
}

void MixRowTarget(std::span<const int32_t> images, std::span<const float> weights,
                  absl::FunctionRef<void(int32_t image, std::span<float> out)> target_of,
                  std::span<float> out) {
  assert(!images.empty() && images.size() == weights.size());
  const bool alone = images.size() == 1 || (images.size() == 2 && images[0] == images[1]);
  if (alone) return target_of(images[0], out);
  std::vector<float> sources(images.size() * out.size());
  for (size_t i = 0; i < images.size(); ++i) {
    target_of(images[i], std::span(sources).subspan(i * out.size(), out.size()));
  }
  if (images.size() > 2) return MixManyTargets(weights, sources, out);
  const std::span<const float> both(sources);
  MixTargets(weights[0], both.first(out.size()), both.last(out.size()), out);
}

}  // namespace mixfeed
