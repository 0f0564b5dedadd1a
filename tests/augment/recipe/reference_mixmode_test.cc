// What the restated modes refuse; that they take what the reference does is tested on its goldens.

#include "tests/augment/recipe/reference_mixmode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace mixfeed {
namespace {

using testing::GroupSizes;
using ::testing::HasSubstr;
using testing::IsOutcomeOf;

// Rows 0, 1 are labelled; 2, 3 and 4, 5 the two views.
constexpr GroupSizes kSizes = {2, 2, 2};

std::string WhyNot(MixMode mode, const std::vector<int32_t>& partner) {
  return IsOutcomeOf(mode, kSizes, partner).message();
}

TEST(ReferenceMixModeTest, RefusesAPartnerThatTwoRowsHave) {
  EXPECT_THAT(WhyNot(MixMode::kXxyYxy, {0, 0, 2, 3, 4, 5}),
              HasSubstr("row 1 has partner 0, which"));
  EXPECT_THAT(WhyNot(MixMode::kXxYx, {0, 1, 0, 1, 1, 1}), HasSubstr("row 5 has partner 1, which"));
}

TEST(ReferenceMixModeTest, RefusesAPartnerOfTheWrongKind) {
  EXPECT_THAT(WhyNot(MixMode::kXxYy, {2, 1, 0, 3, 4, 5}), HasSubstr("not one of 0..1"));
  EXPECT_THAT(WhyNot(MixMode::kXxYy, {1, 0, 1, 3, 4, 5}), HasSubstr("not one of 2..5"));
  EXPECT_THAT(WhyNot(MixMode::kXxYx, {1, 0, 1, 0, 4, 5}), HasSubstr("row 4 has partner 4, not"));
  EXPECT_THAT(WhyNot(MixMode::kXxyYxy, {6, 1, 2, 3, 4, 5}), HasSubstr("not one of 0..5"));
  EXPECT_THAT(WhyNot(MixMode::kXxyYxy, {-1, 1, 2, 3, 4, 5}), HasSubstr("not one of 0..5"));
}

TEST(ReferenceMixModeTest, RefusesAPartnerOfARowThatIsLeftAlone) {
  EXPECT_THAT(WhyNot(MixMode::kXx, {1, 0, 3, 2, 4, 5}), HasSubstr("row 2 is not mixed"));
  EXPECT_THAT(WhyNot(MixMode::kYxy, {1, 0, 2, 3, 4, 5}), HasSubstr("row 0 is not mixed"));
  EXPECT_THAT(WhyNot(MixMode::kNone, {0, 1, 2, 3, 5, 4}), HasSubstr("row 4 is not mixed"));
}

TEST(ReferenceMixModeTest, RefusesANumberOfPartnersOtherThanOfRows) {
  EXPECT_THAT(WhyNot(MixMode::kXxyYxy, {0, 1, 2}), HasSubstr("3 partners for 6 rows"));
}

// "xx.yxy" draws twice, so that a labelled row may be a partner of both kinds; "xxy.yxy" draws
// once.
TEST(ReferenceMixModeTest, ModesDifferInWhetherBothKindsShareAPermutation) {
  const std::vector<int32_t> partner = {1, 0, 1, 3, 4, 5};
  EXPECT_TRUE(IsOutcomeOf(MixMode::kXxYxy, kSizes, partner));
  EXPECT_FALSE(IsOutcomeOf(MixMode::kXxyYxy, kSizes, partner));
}

TEST(ReferenceMixModeTest, GroupsMayDifferFromTheLabelledRowsInSize) {
  const std::vector<int32_t> partner = {4, 1, 2, 3, 0};
  EXPECT_TRUE(IsOutcomeOf(MixMode::kXxyYxy, {1, 4, 1}, partner));
  EXPECT_FALSE(IsOutcomeOf(MixMode::kXxYy, {1, 4, 1}, partner));
}

}  // namespace
}  // namespace mixfeed
