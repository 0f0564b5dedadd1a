#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <stop_token>
#include <vector>

#include "augment/neighbour/dot_products.h"
#include "augment/neighbour/neighbour_index.h"
#include "augment/pool/cifar_reader.h"
#include "tests/augment/neighbour/naive_neighbours.h"
#include "tests/augment/pool/real_cifar.h"
#include "tests/augment/pool/status_matchers.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/scoped_target.h"

namespace mixfeed {
namespace {

using testing::FailsWith;
using testing::NaiveNeighbours;
using testing::OwnedPoints;
using testing::RandomPoints;

constexpr NeighbourClass kRules[] = {NeighbourClass::kAny, NeighbourClass::kSame,
                                     NeighbourClass::kOther};

std::vector<int32_t> Found(const OwnedPoints& points, int k,
                           NeighbourClass classes = NeighbourClass::kAny, int threads = 2) {
  ThreadPool pool(threads);
  const auto index =
      BuildNeighbourIndex(points.view(), {.k = k, .classes = classes, .threads = &pool});
  EXPECT_TRUE(index.ok()) << index.status();
  if (!index.ok()) return {};
  EXPECT_EQ(index->k(), k);
  return {index->places().begin(), index->places().end()};
}

void ExpectNaive(const OwnedPoints& points, int k, NeighbourClass classes = NeighbourClass::kAny) {
  EXPECT_EQ(Found(points, k, classes), NaiveNeighbours(points, k, classes))
      << points.count() << " points, " << points.dimensions << " dimensions, k " << k << ", rule "
      << static_cast<int>(classes);
}

TEST(NeighbourSearchTest, RandomPointsUnderEveryClassRule) {
  // More than two blocks, classes of more than one.
  const OwnedPoints points = RandomPoints(777, 37, -2047, 2047);
  for (const NeighbourClass classes : kRules) ExpectNaive(points, 25, classes);
}

TEST(NeighbourSearchTest, CountsAroundABlocksEnds) {
  for (const int count : {2, kBlockPoints - 1, kBlockPoints, kBlockPoints + 1, 2 * kBlockPoints}) {
    ExpectNaive(RandomPoints(count, 5, 0, 255), 1);
  }
}

TEST(NeighbourSearchTest, ManySmallClasses) {
  const OwnedPoints points = RandomPoints(500, 6, 0, 255, 40);
  for (const NeighbourClass classes : kRules) ExpectNaive(points, 2, classes);
}

TEST(NeighbourSearchTest, AllPointsAreNeighboursAtTheLargestK) {
  const OwnedPoints points = RandomPoints(300, 4, 0, 9);
  ExpectNaive(points, 299);
}

TEST(NeighbourSearchTest, TiesAreByPlace) {
  // Few values, so that nearly every distance is that of many points.
  const OwnedPoints line = RandomPoints(600, 1, 0, 3);
  const OwnedPoints plane = RandomPoints(600, 2, -1, 1);
  for (const NeighbourClass classes : kRules) {
    ExpectNaive(line, 30, classes);
    ExpectNaive(plane, 30, classes);
  }
}

TEST(NeighbourSearchTest, OfEqualPointsTheFirstOthersAreTaken) {
  OwnedPoints points;
  points.dimensions = 3;
  points.coordinates.assign(size_t{1000} * 3, -2047);
  const std::vector<int32_t> places = Found(points, 3);
  for (int32_t p = 0; p < 1000; ++p) {
    const std::vector<int32_t> of(places.begin() + p * 3, places.begin() + p * 3 + 3);
    std::vector<int32_t> expected;
    for (int32_t other = 0; expected.size() < 3; ++other) {
      if (other != p) expected.push_back(other);
    }
    ASSERT_EQ(of, expected) << p;
  }
}

TEST(NeighbourSearchTest, ADuplicateIsTheNearest) {
  OwnedPoints points = RandomPoints(400, 50, 0, 255);
  std::copy_n(points.coordinates.begin() + 7 * 50, 50, points.coordinates.begin() + 333 * 50);
  const std::vector<int32_t> places = Found(points, 1);
  EXPECT_EQ(places[7], 333);
  EXPECT_EQ(places[333], 7);
}

// Squared distances up to 20000 * 4094^2 = 3.4e11; most pairs of corners are that far.
TEST(NeighbourSearchTest, DistancesBeyond32BitsAreExact) {
  OwnedPoints points;
  points.dimensions = 20'000;
  for (int p = 0; p < 20; ++p) {
    for (int d = 0; d < points.dimensions; ++d) {
      const bool high = p % 2 == 0;
      // Differs by one coordinate's last bit from its like, which no float32 would see.
      const int nudge = d == p ? 1 : 0;
      points.coordinates.push_back(static_cast<int16_t>(high ? 2047 - nudge : nudge - 2047));
    }
  }
  points.coordinates[5] = 2040;
  ExpectNaive(points, 19);
}

// The points come nearer and nearer to the first ones: every offer to them is taken.
TEST(NeighbourSearchTest, PointsInFallingOrderOfDistance) {
  OwnedPoints points;
  points.coordinates.push_back(0);
  for (int16_t x = 2000; x > 0; --x) points.coordinates.push_back(x);
  ExpectNaive(points, 50);
}

TEST(NeighbourSearchTest, TheSameIndexOnAnyThreadCountAndInstructionSet) {
  const OwnedPoints points = RandomPoints(900, 19, 0, 7);
  for (const NeighbourClass classes : kRules) {
    const std::vector<int32_t> expected = NaiveNeighbours(points, 20, classes);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
      const testing::ScopedTarget scope(target);
      for (const int threads : {1, 2, 3}) {
        ASSERT_EQ(Found(points, 20, classes, threads), expected)
            << threads << " threads, " << DotProductsTargetName();
      }
    }
  }
}

TEST(NeighbourSearchTest, LabelsAreNotReadWhereAnyPointMayBeANeighbour) {
  OwnedPoints points = RandomPoints(10, 2, 0, 9);
  const std::vector<int32_t> expected = Found(points, 3);
  points.labels.assign(10, -1);
  EXPECT_EQ(Found(points, 3), expected);
  points.labels.clear();
  EXPECT_EQ(Found(points, 3), expected);
}

TEST(NeighbourSearchTest, ProgressRisesToOne) {
  const OwnedPoints points = RandomPoints(1000, 3, 0, 255);
  for (const NeighbourClass classes : kRules) {
    ThreadPool pool(3);
    std::vector<double> shares;  // no lock: the calls are one at a time
    const NeighbourBuild build{
        .k = 5, .classes = classes, .threads = &pool, .progress = [&](double share) {
          shares.push_back(share);
        }};
    ASSERT_THAT(BuildNeighbourIndex(points.view(), build), testing::IsOk());
    EXPECT_GT(shares.size(), 5u);
    EXPECT_GT(shares.front(), 0.0);
    EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
    EXPECT_EQ(shares.back(), 1.0);
  }
}

TEST(NeighbourSearchTest, AStopRequestInTheMiddleEndsIt) {
  const OwnedPoints points = RandomPoints(3000, 3, 0, 255);
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::stop_source stop;
    double last = 0;
    const NeighbourBuild build{.k = 5,
                               .threads = &pool,
                               .progress =
                                   [&](double share) {
                                     last = share;
                                     if (share > 0.3) stop.request_stop();
                                   },
                               .stop = stop.get_token()};
    EXPECT_THAT(BuildNeighbourIndex(points.view(), build),
                FailsWith(absl::StatusCode::kCancelled, "the neighbour search was stopped"));
    // What each thread has begun is finished.
    EXPECT_LT(last, 0.4);
  }
}

TEST(NeighbourSearchTest, AStopRequestBeforeItBeginsEndsIt) {
  const OwnedPoints points = RandomPoints(10, 3, 0, 255);
  ThreadPool pool(1);
  std::stop_source stop;
  stop.request_stop();
  bool worked = false;
  const NeighbourBuild build{.k = 5,
                             .threads = &pool,
                             .progress = [&](double) { worked = true; },
                             .stop = stop.get_token()};
  EXPECT_THAT(BuildNeighbourIndex(points.view(), build),
              FailsWith(absl::StatusCode::kCancelled, "stopped"));
  EXPECT_FALSE(worked);
}

TEST(NeighbourSearchTest, AStopRequestAfterTheEndChangesNothing) {
  const OwnedPoints points = RandomPoints(10, 3, 0, 255);
  ThreadPool pool(1);
  std::stop_source stop;
  const NeighbourBuild build{.k = 5,
                             .threads = &pool,
                             .progress =
                                 [&](double share) {
                                   if (share == 1) stop.request_stop();
                                 },
                             .stop = stop.get_token()};
  EXPECT_THAT(BuildNeighbourIndex(points.view(), build), testing::IsOk());
}

TEST(NeighbourSearchTest, MoreMemoryThanThereIsIsAnError) {
  if (testing::kSanitized) GTEST_SKIP() << "the sanitizer's allocator does not throw";
  OwnedPoints points;
  points.coordinates.assign(60'000, 0);
  const auto build_with_little_memory = [&] {
    const rlimit memory{rlim_t{1} << 29, rlim_t{1} << 29};
    setrlimit(RLIMIT_AS, &memory);
    ThreadPool threads(1);
    const absl::Status status =
        BuildNeighbourIndex(points.view(), {.k = 59'999, .threads = &threads}).status();
    std::cerr << status;
    std::exit(absl::IsResourceExhausted(status) ? 0 : 1);
  };
  EXPECT_EXIT(build_with_little_memory(), ::testing::ExitedWithCode(0),
              "no memory for a neighbour search of 28799520000 bytes");
}

OwnedPoints FirstPictures(const Dataset& cifar, ptrdiff_t count) {
  const auto dimensions = static_cast<ptrdiff_t>(cifar.shape.pixels());
  const auto pixels = cifar.train.pixels.begin();
  const auto labels = cifar.train.labels.begin();
  return {.coordinates = {pixels, pixels + count * dimensions},
          .dimensions = static_cast<int>(dimensions),
          .labels = {labels, labels + count}};
}

TEST(NeighbourSearchTest, RealPictures) {
  MIXFEED_SKIP_WITHOUT_REAL_CIFAR();
  const auto cifar = ReadCifar(testing::RealCifarFolder(), CifarKind::kCifar10);
  ASSERT_THAT(cifar, testing::IsOk());
  ExpectNaive(FirstPictures(*cifar, 2000), 200, NeighbourClass::kAny);
  ExpectNaive(FirstPictures(*cifar, 700), 40, NeighbourClass::kSame);
  ExpectNaive(FirstPictures(*cifar, 700), 40, NeighbourClass::kOther);
}

}  // namespace
}  // namespace mixfeed
