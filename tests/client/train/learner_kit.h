#ifndef MIXFEED_TESTS_CLIENT_TRAIN_LEARNER_KIT_H_
#define MIXFEED_TESTS_CLIENT_TRAIN_LEARNER_KIT_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "augment/weights/state_dict.h"
#include "client/received_batch.h"
#include "client/train/learner.h"
#include "tests/testing/largest_difference.h"

namespace mixfeed::testing {

// Tensors by name, float32.
using Tensors = std::map<std::string, std::vector<float>>;

inline Tensors ToTensors(const absl::StatusOr<std::string>& safetensors,
                         const std::string& prefix = "") {
  if (!safetensors.ok()) return {};
  const StateDict state = *StateDict::Parse(*safetensors);
  Tensors tensors;
  for (const WeightTensor& tensor : state.tensors()) {
    if (!tensor.name.starts_with(prefix)) continue;
    std::vector<float>& values = tensors[tensor.name.substr(prefix.size())];
    values.resize(tensor.data.size() / sizeof(float));
    std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  }
  return tensors;
}

// Of the weights in the states of two checkpoints, which must have the same ones.
inline double LargestWeightDifference(const std::string& state, const std::string& other) {
  const Tensors weights = ToTensors(state, "weights/");
  Tensors others = ToTensors(other, "weights/");
  EXPECT_FALSE(weights.empty());
  EXPECT_EQ(weights.size(), others.size());
  double largest = 0;
  for (const auto& [name, values] : weights) {
    largest = std::max(largest, LargestDifference(values, others[name]));
  }
  return largest;
}

// For LargestWeightDifference after a few updates whose sums were only taken in another order: some
// float32 roundings (6e-8 each) of the largest weights, which are near 1.
inline constexpr double kRoundingOfSums = 1e-6;

inline bool IsStatistic(const std::string& name) {
  return name.ends_with("running_mean") || name.ends_with("running_var");
}

// Kernels of convolutions and of the last layer.
inline bool IsKernel(const std::string& name) {
  return name.ends_with(".weight") && name.find("norm") == std::string::npos;
}

// A step as a feed sends it, of small images; what a test wants different it changes.
struct BatchKit {
  static constexpr int kSide = 8;
  static constexpr int kClasses = 4;
  v1::BatchHeader header;
  std::vector<float> pixels;   // [rows][3][kSide][kSide]
  std::vector<float> targets;  // [rows][kClasses]

  BatchKit(uint32_t rows, unsigned seed) {
    header.set_rows(rows);
    header.set_classes(kClasses);
    header.mutable_image()->set_channels(3);
    header.mutable_image()->set_height(kSide);
    header.mutable_image()->set_width(kSide);
    header.set_type(v1::FLOAT32);
    header.set_layout(v1::NCHW);
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> pixel(-1, 1), share(0, 1);
    pixels.resize(size_t{rows} * 3 * kSide * kSide);
    for (float& value : pixels) value = pixel(random);
    for (uint32_t row = 0; row < rows; ++row) {
      header.add_row(row);
      header.add_partner((row + 1) % rows);
      header.add_lambda(share(random));
      const float first = share(random);
      const size_t class_of_row = row % kClasses;
      for (size_t c = 0; c < kClasses; ++c) {
        const float rest = (1 - first) / (kClasses - 1);
        targets.push_back(c == class_of_row ? first : rest);
      }
    }
  }

  ReceivedBatch Received() const {
    auto impl = std::make_unique<ReceivedBatch::Impl>(std::make_shared<BufferPool>(1));
    impl->header = header;
    impl->Allocate(pixels.size() * sizeof(float), targets.size() * sizeof(float));
    std::memcpy(impl->pixels.data(), pixels.data(), impl->pixels.size());
    std::copy(targets.begin(), targets.end(), impl->targets.begin());
    return ReceivedBatch(std::move(impl));
  }
};

inline LearnerOptions SmallLearner() {
  LearnerOptions options;
  options.image = {.channels = 3, .height = BatchKit::kSide, .width = BatchKit::kSide};
  options.classes = BatchKit::kClasses;
  options.init_seed = 5;
  options.labelled_rows = 4;
  options.variant = *FindVariant("official");
  return options;
}

inline constexpr size_t kGroup = 4;  // B of 3 groups
inline constexpr size_t kRows = 12;
inline constexpr size_t kPixels = size_t{3} * BatchKit::kSide * BatchKit::kSide;
inline constexpr double kWeight = 7.5;  // lambda_u

inline std::unique_ptr<Learner> Make(const LearnerOptions& options) {
  SetTrainerThreads(1);
  auto learner = Learner::Create(options);
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

// Rows in an interleaved order: row i of the wire is place 5 i mod 12.
inline BatchKit MixMatchBatch(unsigned seed = 1) {
  BatchKit batch(kRows, seed);
  for (uint32_t i = 0; i < kRows; ++i) batch.header.set_row(static_cast<int>(i), 5 * i % kRows);
  batch.header.set_unlabelled_weight(kWeight);
  return batch;
}

inline BatchLosses MustAdd(Learner& learner, const BatchKit& batch) {
  const auto losses = learner.Add(batch.Received());
  EXPECT_TRUE(losses.ok()) << losses.status();
  return losses.value_or(BatchLosses());
}

inline void MustUpdate(Learner& learner, double rate) {
  const absl::Status status = learner.Update(rate, nullptr, {});
  EXPECT_TRUE(status.ok()) << status;
}

inline void MustStep(Learner& learner, const BatchKit& batch, double rate) {
  MustAdd(learner, batch);
  MustUpdate(learner, rate);
}

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_CLIENT_TRAIN_LEARNER_KIT_H_
