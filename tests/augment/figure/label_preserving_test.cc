// Mixup with mixed labels and lambda ~ Beta(a, a) against mixup with the own label and lambda ~
// Beta(a + 1, a), on a fixed model and every ordered pair of a few points (Huszar 2017, "mixup:
// Data-Dependent Data Augmentation"). For a loss L that is linear in the label,
//   E_ij E_lambda [lambda L(y_i) + (1 - lambda) L(y_j)] = 2 E_ij E_lambda [lambda L(y_i)]
// since swapping i and j and lambda and 1 - lambda changes nothing, and 2 lambda times the density
// of Beta(a, a) is that of Beta(a + 1, a).

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <span>
#include <vector>

#include "augment/figure/vicinity.h"
#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

const std::vector<ToyPoint> kPoints = {
    {{0.3, -0.2}, 0}, {{-1.1, 0.4}, 1}, {{0.7, 1.5}, 1}, {{2.0, 0.1}, 0}, {{-0.6, -1.3}, 0}};

// Of class 1, by a fixed linear model.
double Probability(const ChartPoint& at) {
  return 1 / (1 + std::exp(0.4 - 1.3 * at.x + 0.8 * at.y));
}

using Loss = std::function<double(const SoftPoint&)>;

double CrossEntropy(const SoftPoint& point) {
  const double p = Probability(point.at);
  return -point.second * std::log(p) - (1 - point.second) * std::log(1 - p);
}

double SquaredError(const SoftPoint& point) {
  return std::pow(Probability(point.at) - point.second, 2);
}

// The integral of f over Beta(a, b), by the midpoint rule in theta, lambda = sin^2 theta: the
// density becomes smooth for a and b of 1/2, 1, 3/2, ...
double OverBeta(double a, double b, const std::function<double(double)>& f) {
  constexpr int kSteps = 2000;
  double sum = 0, norm = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double theta = (i + 0.5) / kSteps * M_PI / 2;
    const double weight =
        std::pow(std::sin(theta), 2 * a - 1) * std::pow(std::cos(theta), 2 * b - 1);
    sum += weight * f(std::pow(std::sin(theta), 2));
    norm += weight;
  }
  return sum / norm;
}

SoftPoint Mix(const ToyPoint& a, const ToyPoint& b, double lambda, bool own_label) {
  return {{lambda * a.at.x + (1 - lambda) * b.at.x, lambda * a.at.y + (1 - lambda) * b.at.y},
          own_label ? a.label : lambda * a.label + (1 - lambda) * b.label};
}

double ExpectedLoss(const Loss& loss, double alpha, bool own_label) {
  double sum = 0;
  for (const ToyPoint& a : kPoints) {
    for (const ToyPoint& b : kPoints) {
      sum += OverBeta(own_label ? alpha + 1 : alpha, alpha,
                      [&](double lambda) { return loss(Mix(a, b, lambda, own_label)); });
    }
  }
  return sum / static_cast<double>(kPoints.size() * kPoints.size());
}

TEST(LabelPreservingTest, EqualsMixupInExpectationUnderCrossEntropy) {
  for (const double alpha : {0.5, 1.0, 2.0}) {
    EXPECT_NEAR(ExpectedLoss(CrossEntropy, alpha, true), ExpectedLoss(CrossEntropy, alpha, false),
                1e-10);
  }
}

// It is larger by the labels' own variance E[lambda (1 - lambda)] E[(y_i - y_j)^2]: of lambda that
// is a / (2 (2a + 1)), and 12 of the 25 pairs have two classes. The model has no part in it.
TEST(LabelPreservingTest, DoesNotEqualMixupUnderSquaredError) {
  for (const double alpha : {0.5, 1.0, 2.0}) {
    const double variance = alpha / (2 * (2 * alpha + 1)) * 12 / 25;
    EXPECT_NEAR(ExpectedLoss(SquaredError, alpha, true) - ExpectedLoss(SquaredError, alpha, false),
                variance, 1e-7);
    EXPECT_GT(variance, 0.05);
  }
}

TEST(LabelPreservingTest, DrawnPointsHaveTheExpectedLoss) {
  for (const VicinityRule rule : {VicinityRule::kMixup, VicinityRule::kLabelPreserving}) {
    const auto drawn =
        DrawVicinity(kPoints, {.rule = rule, .alpha = 0.5, .labelled = 5, .draws = 100000});
    ASSERT_TRUE(drawn.ok()) << drawn.status();
    double sum = 0, squares = 0;
    for (const SoftPoint& point : *drawn) {
      sum += CrossEntropy(point);
      squares += CrossEntropy(point) * CrossEntropy(point);
    }
    const auto count = static_cast<double>(drawn->size());
    const double deviation = std::sqrt((squares / count - sum / count * sum / count) / count);
    EXPECT_NEAR(sum / count, ExpectedLoss(CrossEntropy, 0.5, true), testing::kSigmas * deviation);
  }
}

}  // namespace
}  // namespace mixfeed
