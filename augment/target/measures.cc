#include "augment/target/measures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace mixfeed {
namespace {

template <typename Number>
double Entropy(std::span<const Number> distribution) {
  double nats = 0;
  for (const double p : distribution) {
    if (p > 0) nats -= p * std::log(p);
  }
  return nats;
}

template <typename Number>
double HalfDistance(std::span<const Number> a, std::span<const Number> b) {
  double sum = 0;
  for (size_t c = 0; c < a.size(); ++c) sum += std::abs(double{a[c]} - double{b[c]});
  return sum / 2;
}

// The bin ((m-1)/15, m/15] of a probability; 0 is in the first.
size_t CalibrationBin(double confidence) {
  const double bin = std::ceil(confidence * static_cast<double>(kCalibrationBins)) - 1;
  return static_cast<size_t>(std::clamp(bin, 0.0, static_cast<double>(kCalibrationBins - 1)));
}

}  // namespace

double EntropyNats(std::span<const float> distribution) { return Entropy(distribution); }
double EntropyNats(std::span<const double> distribution) { return Entropy(distribution); }

double EffectiveClasses(std::span<const double> distribution) {
  return std::exp(EntropyNats(distribution));
}

double TotalVariation(std::span<const double> a, std::span<const double> b) {
  return HalfDistance(a, b);
}

double MeanTotalVariation(std::span<const float> a, std::span<const float> b, size_t classes) {
  double sum = 0;
  for (size_t at = 0; at < a.size(); at += classes) {
    sum += HalfDistance(a.subspan(at, classes), b.subspan(at, classes));
  }
  return sum * static_cast<double>(classes) / static_cast<double>(a.size());
}

size_t MostLikely(std::span<const float> distribution) {
  return static_cast<size_t>(std::max_element(distribution.begin(), distribution.end()) -
                             distribution.begin());
}

Calibration CalibrationOf(std::span<const float> probabilities, std::span<const int16_t> labels,
                          size_t classes) {
  struct Bin {
    double confidence = 0;
    double correct = 0;
  };
  std::array<Bin, kCalibrationBins> bins;
  for (size_t row = 0; row < labels.size(); ++row) {
    const std::span<const float> guess = probabilities.subspan(row * classes, classes);
    const size_t top = MostLikely(guess);
    Bin& bin = bins[CalibrationBin(guess[top])];
    bin.confidence += guess[top];
    bin.correct += std::cmp_equal(top, labels[row]);
  }
  Calibration calibration{.images = labels.size()};
  for (const Bin& bin : bins) {
    calibration.accuracy += bin.correct;
    calibration.confidence += bin.confidence;
    calibration.error += std::abs(bin.correct - bin.confidence);
  }
  const auto images = static_cast<double>(labels.size());
  calibration.accuracy /= images;
  calibration.confidence /= images;
  calibration.error /= images;
  return calibration;
}

}  // namespace mixfeed
