// Traps in which implementations of mixup and MixMatch are known to deviate, as far as no narrower
// test has them. augment/recipe/README.md, "Traps", lists all of them with their tests.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "augment/plan/lambda_sampler.h"
#include "augment/pool/split.h"
#include "tests/augment/batch/feed_kit.h"

namespace mixfeed {
namespace {

using ::mixfeed::testing::FeedKit;
using ::testing::ElementsAre;

constexpr size_t kClasses = 10;

std::shared_ptr<const Batch> Made(const BatchMaker& maker, const BatchFormat& format) {
  absl::StatusOr<std::shared_ptr<const Batch>> batch = maker.Make(3, format, {});
  EXPECT_TRUE(batch.ok()) << batch.status();
  return batch.ok() ? *batch : std::make_shared<Batch>();
}

PixelFormat Format(PixelType type, const std::string& normalisation) {
  return {type, PixelLayout::kNchw, *FindNormalisation(normalisation)};
}

std::vector<double> PixelsOf(const Batch& batch) {
  if (batch.format.type == PixelType::kUint8) {
    const auto* const values = reinterpret_cast<const uint8_t*>(batch.pixels.data());
    return {values, values + batch.pixels.size()};
  }
  const auto* const values = reinterpret_cast<const float*>(batch.pixels.data());
  return {values, values + batch.pixels.size() / sizeof(float)};
}

// A model that answers given probabilities, a view after another, and keeps what it was asked.
class ScriptedModel : public testing::FakeModel {
 public:
  using FakeModel::FakeModel;
  absl::Status Guess(std::span<const float>, int rows, bool batch_statistics,
                     std::span<float> probabilities) override {
    MutexLock lock(&mu_);
    batch_statistics_.push_back(batch_statistics);
    for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
      probabilities[row * kClasses] = next_;
      probabilities[row * kClasses + 1] = 1 - next_;
      std::fill_n(probabilities.begin() + static_cast<std::ptrdiff_t>(row * kClasses + 2),
                  kClasses - 2, 0.0f);
    }
    next_ = 0.5f;
    return absl::OkStatus();
  }
  std::vector<bool> batch_statistics() {
    MutexLock lock(&mu_);
    return batch_statistics_;
  }

 private:
  Mutex mu_;
  float next_ ABSL_GUARDED_BY(mu_) = 1;
  std::vector<bool> batch_statistics_ ABSL_GUARDED_BY(mu_);
};

// Views of (1, 0) and (.5, .5) have the mean (.75, .25), sharpened (.9, .1). Each sharpened before,
// they would stay and give (.75, .25).
TEST(TrapsTest, Trap6ViewsAreAveragedAsProbabilitiesAndThenSharpened) {
  FeedKit kit;
  kit.model = std::make_shared<ScriptedModel>(kit.dataset->shape, static_cast<int>(kClasses));
  FeedSpec spec = kit.Spec("mixmatch", 4);
  spec.recipe.mix.enabled = false;
  const auto batch = Made(*kit.Maker(spec), {});
  ASSERT_EQ(batch->rows.size(), 12u);
  for (size_t row = 4; row < 12; ++row) {
    EXPECT_NEAR(batch->targets[row * kClasses], 0.9, 1e-6);
    EXPECT_NEAR(batch->targets[row * kClasses + 1], 0.1, 1e-6);
  }
}

TEST(TrapsTest, Trap7GuessesAreOfTheBatchsOwnStatistics) {
  FeedKit kit;
  const auto model =
      std::make_shared<ScriptedModel>(kit.dataset->shape, static_cast<int>(kClasses));
  kit.model = model;
  Made(*kit.Maker(kit.Spec("mixmatch", 4)), {});
  EXPECT_THAT(model->batch_statistics(), ElementsAre(true, true));
}

// Mixing raw levels and normalising is the same as the other way round.
TEST(TrapsTest, Trap14MixingCommutesWithNormalisation) {
  FeedKit kit;
  const auto maker = kit.Maker(kit.Spec("mixmatch", 4));
  const std::vector<double> raw = PixelsOf(*Made(*maker, Format(PixelType::kFloat32, "raw")));
  const std::vector<double> normal =
      PixelsOf(*Made(*maker, Format(PixelType::kFloat32, "cifar10")));
  const Normalisation normalisation = *FindNormalisation("cifar10");
  const size_t plane = static_cast<size_t>(kit.dataset->shape.height * kit.dataset->shape.width);
  for (size_t i = 0; i < raw.size(); ++i) {
    const size_t c = i / plane % 3;
    EXPECT_NEAR(normal[i], (raw[i] / 255 - normalisation.mean[c]) / normalisation.std[c], 1e-5);
  }
}

// timm rounds to nearest; ffcv's ImageMixup truncates, which darkens by half a level.
TEST(TrapsTest, Trap15BytesAreRoundedAndNotTruncated) {
  FeedKit kit;
  const auto maker = kit.Maker(kit.Spec("mixup/timm-elem", 16));
  const std::vector<double> exact = PixelsOf(*Made(*maker, Format(PixelType::kFloat32, "raw")));
  const std::vector<double> bytes = PixelsOf(*Made(*maker, Format(PixelType::kUint8, "raw")));
  double error = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    ASSERT_NEAR(bytes[i], exact[i], 0.5 + 1e-4);
    error += bytes[i] - exact[i];
  }
  EXPECT_NEAR(error / static_cast<double>(exact.size()), 0, 0.02);
}

// Where Gamma variates underflow, their ratio is 0/0.
TEST(TrapsTest, Trap21LambdasOfTheSmallestShapeAreNumbers) {
  for (const LambdaLaw law : {LambdaLaw::kBeta, LambdaLaw::kSizeBiasedBeta}) {
    MixSpec mix;
    mix.alpha = mix.beta = kMinBetaShape;
    mix.lambda_law = law;
    mix.lambda_floor = false;
    std::vector<PhiloxStream> streams;
    for (uint64_t i = 0; i < 20000; ++i) streams.emplace_back(6, Purpose::kLambda, i);
    std::vector<double> lambdas(streams.size());
    LambdaSampler(mix).Draw(streams, lambdas);
    for (const double lambda : lambdas) ASSERT_TRUE(lambda >= 0 && lambda <= 1) << lambda;
    // E[lambda] is 1/2, and (a + 1) / (2 a + 1) of the size-biased law.
    const double mean = std::accumulate(lambdas.begin(), lambdas.end(), 0.0) / 20000;
    EXPECT_NEAR(mean, law == LambdaLaw::kBeta ? 0.5 : 1.01 / 1.02, 4 * 0.5 / std::sqrt(20000));
  }
}

TEST(TrapsTest, Trap21BatchesOfTheSmallestShapeAreNumbers) {
  FeedKit kit;
  for (const char* preset : {"mixmatch", "mixup/multiway", "cutmix/per-row"}) {
    FeedSpec spec = kit.Spec(preset, 16);
    MixSpec& mix = spec.recipe.mix;
    mix.alpha = mix.beta = mix.cutmix.alpha = mix.cutmix.beta = kMinBetaShape;
    const auto batch = Made(*kit.Maker(spec), {});
    for (const double pixel : PixelsOf(*batch)) ASSERT_TRUE(pixel >= 0 && pixel <= 255.0001);
    for (const float weight : batch->targets) ASSERT_TRUE(weight >= 0 && weight <= 1.000001f);
  }
}

// A feed's seed decides everything random but the split: lambdas and partners as well as views.
TEST(TrapsTest, Trap22TheSeedReachesEveryDraw) {
  FeedKit kit;
  std::set<std::vector<float>> lambdas;
  std::set<std::vector<int32_t>> partners;
  std::set<std::vector<std::byte>> pixels;
  for (const uint64_t seed : {1u, 2u, 1u, 2u}) {
    FeedSpec spec = kit.Spec("cutmix/per-row", 16);
    spec.recipe.mix.cutmix.probability = 0.5;
    spec.seed = seed;
    const auto batch = Made(*kit.Maker(spec), {});
    lambdas.insert(batch->lambda);
    partners.insert(batch->partner);
    pixels.insert({batch->pixels.begin(), batch->pixels.end()});
  }
  EXPECT_EQ(lambdas.size(), 2u);
  EXPECT_EQ(partners.size(), 2u);
  EXPECT_EQ(pixels.size(), 2u);
}

std::vector<int16_t> Labels(int images) {
  std::vector<int16_t> labels;
  for (int i = 0; i < images; ++i) labels.push_back(static_cast<int16_t>(i * 7 % 10));
  return labels;
}

// The lists bit by bit are held to NumPy's in split_golden_test.
TEST(TrapsTest, Trap23SplitsAreBalancedAndFixedBySeed) {
  const std::vector<int16_t> labels = Labels(2000);
  std::set<std::vector<int32_t>> lists;
  for (const uint64_t seed : {1u, 2u, 1u}) {
    const Split split = *MakeSplit(labels, 10, {.seed = seed, .labelled = 250});
    std::map<int16_t, int> counts;
    for (const int32_t sample : split.labelled) ++counts[labels[static_cast<size_t>(sample)]];
    for (const auto& [label, count] : counts) EXPECT_EQ(count, 25) << label;
    lists.insert(split.labelled);
  }
  EXPECT_EQ(lists.size(), 2u);
}

TEST(TrapsTest, Trap24TheUnlabelledPoolHasTheLabelledImagesIfAskedAndNeverTheHeldOut) {
  const std::vector<int16_t> labels = Labels(2000);
  for (const bool included : {false, true}) {
    for (const SplitRule rule : {SplitRule::kMixMatch, SplitRule::kBalanced, SplitRule::kRandom}) {
      const Split split = *MakeSplit(labels, 10,
                                     {.rule = rule,
                                      .labelled = 250,
                                      .validation = 500,
                                      .unlabelled_includes_labelled = included});
      const std::set<int32_t> unlabelled(split.unlabelled.begin(), split.unlabelled.end());
      EXPECT_EQ(unlabelled.size(), included ? 1500u : 1250u);
      for (const int32_t sample : split.labelled) {
        EXPECT_EQ(unlabelled.contains(sample), included);
      }
      for (const int32_t sample : split.validation) {
        EXPECT_FALSE(unlabelled.contains(sample));
        EXPECT_EQ(std::count(split.labelled.begin(), split.labelled.end(), sample), 0);
      }
    }
  }
}

}  // namespace
}  // namespace mixfeed
