#include "augment/plan/partner_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "tests/augment/plan/statistics.h"

namespace mixfeed {
namespace {

using ::testing::UnorderedElementsAreArray;

// A pool of six images of a partition of ten, of classes 2 (three of them), 0 (two) and 5 (one).
const std::vector<int32_t> kSamples = {9, 1, 4, 7, 2, 0};
const std::vector<int16_t> kLabels = {5, 2, 0, 8, 2, 8, 8, 0, 8, 2};

DrawnSample Row(int32_t place) {
  return {.sample = kSamples[static_cast<size_t>(place)], .place = place, .epoch = 4};
}

// How often each sample is the partner of the row at `place`.
std::map<int32_t, int64_t> Counts(const PartnerPool& pool, int32_t place) {
  std::map<int32_t, int64_t> counts;
  for (uint64_t step = 0; step < 6000; ++step) {
    PhiloxStream stream(2, Purpose::kPartner, step);
    const DrawnSample drawn = pool.Draw(Row(place), &stream);
    EXPECT_EQ(kSamples[static_cast<size_t>(drawn.place)], drawn.sample);
    EXPECT_EQ(drawn.epoch, 4);
    ++counts[drawn.sample];
  }
  return counts;
}

// Exactly these samples, equally likely.
void ExpectUniformOver(const PartnerPool& pool, int32_t place,
                       const std::vector<int32_t>& samples) {
  std::vector<int32_t> seen;
  std::vector<int64_t> values;
  for (const auto& [sample, count] : Counts(pool, place)) {
    seen.push_back(sample);
    values.push_back(count);
  }
  EXPECT_THAT(seen, UnorderedElementsAreArray(samples)) << "place " << place;
  if (values.size() > 1) {
    EXPECT_TRUE(testing::LooksUniform(values)) << "place " << place;
  }
}

PartnerPool PoolOf(PartnerClass classes) {
  return PartnerPool({.source = PartnerSource::kLabelledPool, .classes = classes}, kSamples,
                     kLabels, nullptr);
}

TEST(PartnerPoolTest, AnyIsUniformOverThePool) {
  ExpectUniformOver(PoolOf(PartnerClass::kAny), 2, kSamples);
}

TEST(PartnerPoolTest, SameIsUniformOverTheOthersOfTheClass) {
  const PartnerPool pool = PoolOf(PartnerClass::kSame);
  ExpectUniformOver(pool, 0, {1, 4});
  ExpectUniformOver(pool, 1, {9, 4});
  ExpectUniformOver(pool, 2, {9, 1});
  ExpectUniformOver(pool, 3, {2});
  ExpectUniformOver(pool, 4, {7});
}

TEST(PartnerPoolTest, TheOnlyOneOfItsClassMeetsItself) {
  ExpectUniformOver(PoolOf(PartnerClass::kSame), 5, {0});
}

TEST(PartnerPoolTest, OtherIsUniformOverTheOtherClasses) {
  const PartnerPool pool = PoolOf(PartnerClass::kOther);
  ExpectUniformOver(pool, 1, {7, 2, 0});
  ExpectUniformOver(pool, 3, {9, 1, 4, 0});
  ExpectUniformOver(pool, 5, {9, 1, 4, 7, 2});
}

TEST(PartnerPoolTest, WithoutAnotherClassARowMeetsItself) {
  const std::vector<int16_t> labels(10, 3);
  const PartnerPool pool({.source = PartnerSource::kLabelledPool, .classes = PartnerClass::kOther},
                         kSamples, labels, nullptr);
  ExpectUniformOver(pool, 2, {4});
}

TEST(PartnerPoolTest, LabelsOfImagesOutsideThePoolAreNotRead) {
  std::vector<int16_t> labels = kLabels;
  labels[3] = labels[5] = labels[6] = labels[8] = -1;
  const PartnerPool pool({.source = PartnerSource::kLabelledPool, .classes = PartnerClass::kSame},
                         kSamples, labels, nullptr);
  ExpectUniformOver(pool, 0, {1, 4});
}

TEST(PartnerPoolTest, NeighboursAreUniformOverThoseOfTheRowsPlace) {
  // Of each place its two neighbours' places.
  const auto index = std::make_shared<const NeighbourIndex>(
      2, std::vector<int32_t>{1, 2, 0, 5, 4, 3, 0, 1, 2, 3, 4, 0});
  const PartnerPool pool({.source = PartnerSource::kLabelledPool, .neighbours = 2}, kSamples,
                         kLabels, index);
  ExpectUniformOver(pool, 0, {1, 4});
  ExpectUniformOver(pool, 1, {9, 0});
  ExpectUniformOver(pool, 5, {2, 9});
}

// The index was built within the classes: they are not looked at again.
TEST(PartnerPoolTest, NeighboursOfAClassAreThoseOfItsIndex) {
  const auto index =
      std::make_shared<const NeighbourIndex>(1, std::vector<int32_t>{1, 2, 0, 4, 3, 5});
  const PartnerPool pool(
      {.source = PartnerSource::kLabelledPool, .classes = PartnerClass::kSame, .neighbours = 1},
      kSamples, kLabels, index);
  ExpectUniformOver(pool, 0, {1});
  ExpectUniformOver(pool, 3, {2});
}

}  // namespace
}  // namespace mixfeed
