// Lambdas and partners against large samples of what others draw (goldens/distributions.txt).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "augment/plan/lambda_sampler.h"
#include "augment/plan/pairing.h"
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

std::vector<double> Lambdas(double alpha, double beta, bool floor) {
  std::vector<PhiloxStream> streams;
  for (uint64_t step = 0; step < kDraws; ++step) streams.emplace_back(17, Purpose::kLambda, step);
  std::vector<double> values(streams.size());
  MixSpec mix;
  mix.alpha = alpha;
  mix.beta = beta;
  mix.lambda_floor = floor;
  LambdaSampler(mix).Draw(streams, values);
  return values;
}

struct NamedLambda {
  const char* golden;
  double alpha;
  double beta;
  bool floor;
};

TEST(DistributionGoldenTest, LambdasAreDistributedAsTheReferences) {
  constexpr NamedLambda kLambdas[] = {
      {"mixmatch-lambda", 0.75, 0.75, true},
      {"dsxiangli-lambda", 0.5, 0.5, true},
      {"facebook-lambda", 1, 1, false},
      {"mixup-0.2-lambda", 0.2, 0.2, false},
      {"manifold-lambda", 2, 2, false},
      {"label-preserving-0.2-lambda", 1.2, 0.2, false},
      {"label-preserving-1.0-lambda", 2, 1, false},
      {"torchvision-0.2-lambda", 0.2, 0.2, false},
      {"torchvision-1.0-lambda", 1, 1, false},
      {"timm-batch-lambda", 0.8, 0.8, false},
      {"timm-elem-lambda", 0.8, 0.8, false},
  };
  for (const NamedLambda& named : kLambdas) {
    std::vector<double> lambdas = Lambdas(named.alpha, named.beta, named.floor);
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
  EXPECT_GT(DistanceFromGolden(Lambdas(0.75, 0.75, false), mixmatch), 2 * kMaxKsDistance);
  EXPECT_GT(DistanceFromGolden(Lambdas(0.7, 0.7, true), mixmatch), kMaxKsDistance);
  const GoldenCase preserving = ReadGolden(kFile, "quantiles", "label-preserving-1.0-lambda");
  EXPECT_GT(DistanceFromGolden(Lambdas(1, 2, false), preserving), 2 * kMaxKsDistance);
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
