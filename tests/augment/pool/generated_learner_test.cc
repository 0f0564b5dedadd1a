// That the generated dataset can be learned, and not by colour alone: two small learners that have
// nothing in common with the networks that are trained on it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "augment/pool/generated_dataset.h"

namespace mixfeed {
namespace {

constexpr int kSide = 32;
constexpr size_t kPlane = size_t{kSide} * kSide;

using Features = std::vector<float>;
using Image = std::span<const uint8_t>;  // [3][32][32]

Image ImageOf(const ImageSet& images, int64_t i) {
  return Image(images.pixels).subspan(static_cast<size_t>(i) * 3 * kPlane, 3 * kPlane);
}

Features MeanColour(Image image) {
  Features mean(3);
  for (size_t i = 0; i < image.size(); ++i) mean[i / kPlane] += image[i] / float{kPlane};
  return mean;
}

// Brightness at (y, x), the edge repeated.
float Grey(Image image, int y, int x) {
  const auto at =
      static_cast<size_t>(std::clamp(y, 0, kSide - 1) * kSide + std::clamp(x, 0, kSide - 1));
  return static_cast<float>(image[at] + image[kPlane + at] + image[2 * kPlane + at]) / 3.0f;
}

// Histograms of oriented gradients (Dalal and Triggs 2005): the strength of grey edges by
// direction, in overlapping windows, each normalised by its length.
Features OrientedGradients(Image image) {
  constexpr int kDirections = 9;
  constexpr int kCell = 8;
  constexpr int kStride = 4;
  constexpr int kCells = (kSide - kCell) / kStride + 1;
  Features features;
  for (int cell = 0; cell < kCells * kCells; ++cell) {
    std::array<float, kDirections> histogram{};
    for (int pixel = 0; pixel < kCell * kCell; ++pixel) {
      const int y = cell / kCells * kStride + pixel / kCell;
      const int x = cell % kCells * kStride + pixel % kCell;
      const float dy = Grey(image, y + 1, x) - Grey(image, y - 1, x);
      const float dx = Grey(image, y, x + 1) - Grey(image, y, x - 1);
      const double turn = std::atan2(dy, dx) / M_PI + 1;  // 0..2, opposite directions alike
      const auto direction = static_cast<size_t>(turn * kDirections) % kDirections;
      histogram[direction] += std::hypot(dx, dy);
    }
    float squares = 100.0f;
    for (const float value : histogram) squares += value * value;
    for (const float value : histogram) features.push_back(value / std::sqrt(squares));
  }
  return features;
}

struct Example {
  Features features;
  int16_t label;
};

template <typename FeaturesOf>
std::vector<Example> Examples(const ImageSet& images, const FeaturesOf& features_of) {
  std::vector<Example> examples;
  for (int64_t i = 0; i < images.count(); ++i) {
    examples.push_back({features_of(ImageOf(images, i)), images.labels[static_cast<size_t>(i)]});
  }
  return examples;
}

float Distance(const Features& a, const Features& b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

// The class that most of the nearest training images are of.
int16_t Classify(const std::vector<Example>& known, const Features& features) {
  constexpr std::ptrdiff_t kNeighbours = 15;
  std::vector<std::pair<float, int16_t>> nearest;
  for (const Example& example : known) {
    nearest.emplace_back(Distance(example.features, features), example.label);
  }
  std::partial_sort(nearest.begin(), nearest.begin() + kNeighbours, nearest.end());
  std::map<int16_t, int> votes;
  for (std::ptrdiff_t n = 0; n < kNeighbours; ++n) ++votes[nearest[static_cast<size_t>(n)].second];
  return std::max_element(votes.begin(), votes.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

// Fraction of the test images that are classified rightly, of ten classes.
template <typename FeaturesOf>
double TestAccuracy(const Dataset& dataset, const FeaturesOf& features_of) {
  const std::vector<Example> known = Examples(dataset.train, features_of);
  const std::vector<Example> asked = Examples(dataset.test, features_of);
  const auto right = std::count_if(asked.begin(), asked.end(), [&](const Example& example) {
    return Classify(known, example.features) == example.label;
  });
  return static_cast<double>(right) / static_cast<double>(asked.size());
}

TEST(GeneratedLearnerTest, ShapesTellTheClassAndColourAloneDoesNot) {
  ThreadPool threads(2);
  const Dataset dataset =
      *GenerateDataset({.seed = 0, .train_images = 4000, .test_images = 500}, &threads);
  const double by_shape = TestAccuracy(dataset, OrientedGradients);
  const double by_colour = TestAccuracy(dataset, MeanColour);
  EXPECT_GT(by_shape, 0.6);  // chance is 0.1
  EXPECT_LT(by_colour, 0.25);
}

}  // namespace
}  // namespace mixfeed
