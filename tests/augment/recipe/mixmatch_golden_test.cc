// MixMatch's parts against goldens/mixmatch.txt: guesses and mixtures of ours, and the references
// that plans are held to.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <span>
#include <vector>

#include "augment/target/target.h"
#include "tests/augment/recipe/golden_file.h"
#include "tests/augment/recipe/reference_mixmode.h"

namespace mixfeed {
namespace {

using ::testing::ElementsAreArray;
using testing::GoldenCase;
using testing::GroupSizes;
using testing::InterleavedOrder;
using testing::IsOutcomeOf;
using testing::MixModeNamed;
using testing::ReadGoldens;

constexpr char kFile[] = "mixmatch.txt";

// `tolerance` in units of the value, or absolute below 1.
void ExpectNear(const std::vector<float>& got, const std::vector<float>& expected, float tolerance,
                const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], tolerance * std::max(1.0f, std::abs(expected[i])))
        << what << ", value " << i;
  }
}

std::vector<float> MixedByPlan(const GoldenCase& golden, const std::string& field) {
  const std::vector<float> values = golden.floats(field);
  const std::vector<int32_t> partner = golden.integers("partner");
  const std::vector<float> lambda = golden.floats("lambda");
  const size_t width = values.size() / partner.size();
  std::vector<float> mixed(values.size());
  for (size_t row = 0; row < partner.size(); ++row) {
    const auto other = static_cast<size_t>(partner[row]);
    MixTargets(lambda[row], std::span(values).subspan(row * width, width),
               std::span(values).subspan(other * width, width),
               std::span(mixed).subspan(row * width, width));
  }
  return mixed;
}

GroupSizes SizesOf(const GoldenCase& golden) {
  const int batch = golden.integer("batch");
  return {batch, batch, golden.integer("views")};
}

TEST(MixMatchGoldenTest, AveragesViewsAndSharpensAsTheReference) {
  for (const GoldenCase& golden : ReadGoldens(kFile, "guess")) {
    const std::vector<float> views = golden.floats("probabilities");
    std::vector<float> guess(golden.floats("mean").size());
    AverageViews(views, golden.integer("views"), guess);
    ExpectNear(guess, golden.floats("mean"), 1e-7f, golden.name() + " mean");
    Sharpen(golden.number("temperature"), golden.integer("classes"), guess);
    ExpectNear(guess, golden.floats("sharpened"), 1e-6f, golden.name() + " sharpened");
  }
}

TEST(MixMatchGoldenTest, PartnerAndLambdaGiveTheReferencesMixtures) {
  for (const GoldenCase& golden : ReadGoldens(kFile, "mixmode")) {
    ExpectNear(MixedByPlan(golden, "labels"), golden.floats("mixed_labels"), 1e-6f, golden.name());
    ExpectNear(MixedByPlan(golden, "features"), golden.floats("mixed_features"), 1e-6f,
               golden.name());
  }
}

TEST(MixMatchGoldenTest, OutcomesOfTheReferenceAreOutcomesOfTheRestatedModes) {
  for (const GoldenCase& golden : ReadGoldens(kFile, "mixmode")) {
    const std::vector<int32_t> partner = golden.integers("partner");
    EXPECT_TRUE(IsOutcomeOf(MixModeNamed(golden.text("mode")), SizesOf(golden), partner))
        << golden.name();
  }
}

TEST(MixMatchGoldenTest, InterleavedOrderIsTheReferences) {
  for (const GoldenCase& golden : ReadGoldens(kFile, "interleave")) {
    EXPECT_THAT(InterleavedOrder(golden.integer("batch"), golden.integer("views")),
                ElementsAreArray(golden.integers("order")))
        << golden.name();
  }
}

}  // namespace
}  // namespace mixfeed
