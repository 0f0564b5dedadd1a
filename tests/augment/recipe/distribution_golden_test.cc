// Lambdas and partners against large samples of what others draw (goldens/distributions.txt).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "augment/plan/lambda_sampler.h"
#include "augment/plan/pairing.h"
#include "augment/recipe/presets.h"
#include "tests/augment/plan/statistics.h"
#include "tests/augment/recipe/golden_file.h"
#include "tests/augment/recipe/golden_statistics.h"

namespace mixfeed {
namespace {

using testing::DistanceFromGolden;
using testing::GoldenCase;
using testing::kMaxKsDistance;
using testing::LooksLikeGolden;
using testing::ReadGolden;

constexpr char kFile[] = "distributions.txt";
constexpr uint64_t kDraws = 50000;

// As torch draws them: in float32, and never 1.
double ClampedByTorch(double lambda) {
  return std::min(static_cast<float>(lambda), std::nextafter(1.0f, 0.0f));
}

std::vector<double> Lambdas(const MixSpec& mix) {
  std::vector<PhiloxStream> streams;
  for (uint64_t step = 0; step < kDraws; ++step) streams.emplace_back(17, Purpose::kLambda, step);
  std::vector<double> values(streams.size());
  LambdaSampler(mix).Draw(streams, values);
  return values;
}

MixSpec MixOf(const char* preset) { return FindPreset(preset).value().mix; }

MixSpec WithAlpha(MixSpec mix, double alpha) {
  mix.alpha = mix.beta = alpha;
  return mix;
}

struct NamedLambda {
  const char* golden;
  const char* preset;  // whose law is drawn
  // In place of the preset's, where the reference was run with another; 0: the preset's.
  double alpha = 0;
};

TEST(DistributionGoldenTest, LambdasAreDistributedAsTheReferences) {
  constexpr NamedLambda kLambdas[] = {
      {.golden = "mixmatch-lambda", .preset = "mixmatch"},
      {.golden = "dsxiangli-lambda", .preset = "mixup/text-classification"},
      {.golden = "facebook-lambda", .preset = "mixup/facebookresearch"},
      {.golden = "mixup-0.2-lambda", .preset = "mixup", .alpha = 0.2},
      {.golden = "manifold-lambda", .preset = "manifold"},
      {.golden = "label-preserving-0.2-lambda", .preset = "label-preserving/half-batch"},
      {.golden = "label-preserving-1.0-lambda", .preset = "label-preserving"},
      {.golden = "torchvision-0.2-lambda", .preset = "mixup/torchvision", .alpha = 0.2},
      {.golden = "torchvision-1.0-lambda", .preset = "mixup/torchvision"},
      {.golden = "timm-batch-lambda", .preset = "mixup/timm", .alpha = 0.8},
      {.golden = "timm-elem-lambda", .preset = "mixup/timm-elem", .alpha = 0.8},
  };
  for (const NamedLambda& named : kLambdas) {
    const MixSpec own = MixOf(named.preset);
    std::vector<double> lambdas = Lambdas(named.alpha == 0 ? own : WithAlpha(own, named.alpha));
    if (std::string(named.golden).starts_with("torchvision")) {
      std::transform(lambdas.begin(), lambdas.end(), lambdas.begin(), ClampedByTorch);
    }
    const GoldenCase golden = ReadGolden(kFile, "quantiles", named.golden);
    EXPECT_LT(DistanceFromGolden(lambdas, golden), kMaxKsDistance) << named.golden;
  }
}

// The comparison tells neighbouring settings apart: without it the test above would mean little.
TEST(DistributionGoldenTest, ALambdaOfAnotherLawIsTold) {
  const GoldenCase mixmatch = ReadGolden(kFile, "quantiles", "mixmatch-lambda");
  MixSpec without_floor = MixOf("mixmatch");
  without_floor.lambda_floor = false;
  EXPECT_GT(DistanceFromGolden(Lambdas(without_floor), mixmatch), 2 * kMaxKsDistance);
  EXPECT_GT(DistanceFromGolden(Lambdas(WithAlpha(MixOf("mixmatch"), 0.7)), mixmatch),
            kMaxKsDistance);
  // Trap 33: Beta(a, a) and Beta(a, a + 1) are not label-preserving mixup's.
  const GoldenCase preserving = ReadGolden(kFile, "quantiles", "label-preserving-1.0-lambda");
  MixSpec beta = MixOf("label-preserving");
  beta.lambda_law = LambdaLaw::kBeta;
  EXPECT_GT(DistanceFromGolden(Lambdas(beta), preserving), 2 * kMaxKsDistance);
  beta.beta = beta.alpha + 1;
  EXPECT_GT(DistanceFromGolden(Lambdas(beta), preserving), 2 * kMaxKsDistance);
}

TEST(DistributionGoldenTest, PartnersOfAPermutationLieAsFarOffAsTheReferences) {
  constexpr int kRows = 8;
  std::vector<int64_t> offsets(kRows);
  for (uint64_t step = 0; step < kDraws; ++step) {
    const std::vector<int32_t> partner =
        DrawPartners(Pairing::kPermutation, kRows, PhiloxStream(17, Purpose::kPairing, step));
    for (int row = 0; row < kRows; ++row) {
      ++offsets[static_cast<size_t>((partner[static_cast<size_t>(row)] - row + kRows) % kRows)];
    }
  }
  EXPECT_TRUE(LooksLikeGolden(offsets, ReadGolden(kFile, "counts", "permutation-offset")));
}

TEST(DistributionGoldenTest, PartnersOfLabelledRowsComeFromEachGroupAsInMixMatch) {
  constexpr int kBatch = 64;
  constexpr int kGroups = 3;
  std::vector<int64_t> groups(kGroups);
  for (uint64_t step = 0; step < kDraws / kBatch; ++step) {
    const std::vector<int32_t> partner = DrawPartners(Pairing::kPermutation, kGroups * kBatch,
                                                      PhiloxStream(18, Purpose::kPairing, step));
    for (size_t row = 0; row < kBatch; ++row) ++groups[static_cast<size_t>(partner[row] / kBatch)];
  }
  EXPECT_TRUE(LooksLikeGolden(groups, ReadGolden(kFile, "counts", "mixmatch-group")));
}

GoldenCase Counts(std::vector<std::string> counts) {
  GoldenCase golden("counts");
  golden.Append("counts", std::move(counts));
  return golden;
}

TEST(GoldenStatisticsTest, CountsOfAnotherShapeOrSizeAreTold) {
  const GoldenCase golden = Counts({"2000", "4000", "2000", "0"});
  EXPECT_TRUE(LooksLikeGolden({1000, 2000, 1000, 0}, golden));
  EXPECT_TRUE(LooksLikeGolden({1020, 1990, 990, 0}, golden));
  EXPECT_FALSE(LooksLikeGolden({1200, 1800, 1000, 0}, golden));
  EXPECT_FALSE(LooksLikeGolden({1000, 2000, 900, 100}, golden));
  EXPECT_FALSE(LooksLikeGolden({1000, 2000, 1000}, golden));
}

TEST(GoldenStatisticsTest, RareCellsAreTakenTogether) {
  const GoldenCase golden = Counts({"10000", "4", "3", "4"});
  EXPECT_TRUE(LooksLikeGolden({10000, 0, 9, 1}, golden));
  EXPECT_FALSE(LooksLikeGolden({10000, 19, 16, 15}, golden));
}

TEST(GoldenStatisticsTest, ASampleOfOneCellFitsItselfOnly) {
  const GoldenCase golden = Counts({"0", "5000"});
  EXPECT_TRUE(LooksLikeGolden({0, 300}, golden));
  EXPECT_FALSE(LooksLikeGolden({300, 0}, golden));
}

TEST(GoldenStatisticsTest, ValuesThatManyDrawsShareSitInTheirStep) {
  GoldenCase golden("atoms");
  golden.Append("draws", {"1000"});
  golden.Append("quantiles", {"0", "0", "1"});
  // Half or more at 0, up to 1 for the rest.
  EXPECT_EQ(DistanceFromGolden({0, 0, 0, 1}, golden), 0);
  EXPECT_GT(DistanceFromGolden(std::vector<double>(100, 1.0), golden), 4.0);
}

}  // namespace
}  // namespace mixfeed
