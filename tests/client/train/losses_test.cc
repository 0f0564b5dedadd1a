#include "client/train/losses.h"

// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace mixfeed {
namespace {

constexpr size_t kRows = 6;
constexpr size_t kClasses = 5;
using Matrix = std::vector<std::vector<double>>;

at::Tensor ToTensor(const Matrix& matrix) {
  std::vector<float> values;
  for (const auto& row : matrix) values.insert(values.end(), row.begin(), row.end());
  return at::tensor(values).view(
      {static_cast<int64_t>(matrix.size()), static_cast<int64_t>(matrix[0].size())});
}

std::vector<double> Softmax(const std::vector<double>& logits) {
  double sum = 0;
  std::vector<double> out;
  for (const double z : logits) sum += std::exp(z);
  for (const double z : logits) out.push_back(std::exp(z) / sum);
  return out;
}

class LossesTest : public ::testing::Test {
 protected:
  LossesTest() {
    std::mt19937 random(3);
    std::normal_distribution<double> normal(0, 2);
    for (size_t row = 0; row < kRows; ++row) {
      std::vector<double> logits, weights;
      for (size_t c = 0; c < kClasses; ++c) {
        logits.push_back(static_cast<float>(normal(random)));
        weights.push_back(normal(random));
      }
      logits_.push_back(logits);
      targets_.push_back(Softmax(weights));
      for (double& q : targets_.back()) q = static_cast<float>(q);
    }
  }

  Matrix logits_, targets_;
};

TEST_F(LossesTest, SoftCrossEntropyIsTheMeanOverRows) {
  double expected = 0;
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t c = 0; c < kClasses; ++c) {
      expected -= targets_[row][c] * std::log(Softmax(logits_[row])[c]) / kRows;
    }
  }
  EXPECT_NEAR(SoftCrossEntropy(ToTensor(logits_), ToTensor(targets_)).item<double>(), expected,
              1e-5 * expected);
}

TEST_F(LossesTest, SquaredErrorIsTheMeanOverRowsAndClasses) {
  double expected = 0;
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t c = 0; c < kClasses; ++c) {
      expected += std::pow(Softmax(logits_[row])[c] - targets_[row][c], 2) / (kRows * kClasses);
    }
  }
  EXPECT_NEAR(SquaredError(ToTensor(logits_), ToTensor(targets_)).item<double>(), expected,
              1e-5 * expected);
}

TEST_F(LossesTest, BinaryCrossEntropyIsThatOfTheSoftmax) {
  double expected = 0;
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t c = 0; c < kClasses; ++c) {
      const double p = Softmax(logits_[row])[c], q = targets_[row][c];
      expected -= (q * std::log(p) + (1 - q) * std::log(1 - p)) / (kRows * kClasses);
    }
  }
  EXPECT_NEAR(BinaryCrossEntropy(ToTensor(logits_), ToTensor(targets_)).item<double>(), expected,
              1e-5 * expected);
}

TEST_F(LossesTest, PairsWeighTwoClassesAndLeaveOutHiddenOnes) {
  const Matrix pairs = {{0, 1, 0.25},  {2, 2, 0.5},  {4, 0, 1},
                        {1, -1, 0.75}, {-1, 3, 0.5}, {3, 4, 0}};
  double expected = 0;
  for (size_t row = 0; row < kRows; ++row) {
    const auto& [a, b, lambda] = std::tie(pairs[row][0], pairs[row][1], pairs[row][2]);
    const auto p = Softmax(logits_[row]);
    if (a >= 0) expected -= lambda * std::log(p[static_cast<size_t>(a)]) / kRows;
    if (b >= 0) expected -= (1 - lambda) * std::log(p[static_cast<size_t>(b)]) / kRows;
  }
  EXPECT_NEAR(PairCrossEntropy(ToTensor(logits_), ToTensor(pairs)).item<double>(), expected,
              1e-5 * expected);
}

TEST_F(LossesTest, EveryKindIsItsFunction) {
  const at::Tensor logits = ToTensor(logits_), targets = ToTensor(targets_);
  EXPECT_EQ(SoftLoss(LossKind::kCrossEntropy, logits, targets).item<float>(),
            SoftCrossEntropy(logits, targets).item<float>());
  EXPECT_EQ(SoftLoss(LossKind::kSquaredError, logits, targets).item<float>(),
            SquaredError(logits, targets).item<float>());
  EXPECT_EQ(SoftLoss(LossKind::kBinaryCrossEntropy, logits, targets).item<float>(),
            BinaryCrossEntropy(logits, targets).item<float>());
}

// Probabilities that round to 0 or 1 leave the losses finite.
TEST_F(LossesTest, FarLogitsGiveFiniteLosses) {
  const at::Tensor logits = ToTensor({{1000, -1000}, {-1000, 1000}});
  const at::Tensor targets = ToTensor({{0, 1}, {0, 1}});
  EXPECT_EQ(SoftCrossEntropy(logits, targets).item<double>(), 1000);
  EXPECT_EQ(SquaredError(logits, targets).item<double>(), 0.5);
  EXPECT_EQ(BinaryCrossEntropy(logits, targets).item<double>(), 50);
}

}  // namespace
}  // namespace mixfeed
