#ifndef MIXFEED_TESTS_AUGMENT_GUESS_TORCH_KIT_H_
#define MIXFEED_TESTS_AUGMENT_GUESS_TORCH_KIT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "augment/guess/torch_runtime.h"
#include "tests/augment/guess/archives.h"

namespace mixfeed::testing {

// The models of these tests.
inline constexpr int kClasses = 5;
inline constexpr ImageShape kShape{.channels = 3, .height = 4, .width = 6};

ModelSource MakeSource(std::string archive, bool batch_statistics = true);

// [rows] images of kShape.
std::vector<float> RandomViews(int rows, unsigned seed = 1);

// LinearNetwork's definition, in double precision: softmax(norm(mean over pixels) W^T + b).
std::vector<float> ByHand(const LinearNetwork& network, const std::vector<float>& views, int rows,
                          bool batch_statistics);

MATCHER(IsAlmost, "") { return std::abs(std::get<0>(arg) - std::get<1>(arg)) < 1e-5f; }

// [rows][kClasses].
std::vector<float> MustGuess(GuessModel* model, const std::vector<float>& views, int rows,
                             bool batch_statistics);

class TorchRuntimeTest : public ::testing::Test {
 protected:
  std::shared_ptr<GuessModel> MustLoad(const ModelSource& source);

  // One worker, so that a guess runs on the network that the one before it ran on.
  TorchRuntime runtime_{1};
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_GUESS_TORCH_KIT_H_
