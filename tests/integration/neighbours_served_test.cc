// Feeds whose partners are near images, from a real server: in the plans that it tells, every
// partner is one of the row's nearest images by a search of the test's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/feed_client.h"
#include "tests/integration/net_kit.h"
#include "tests/testing/test_server.h"

namespace mixfeed::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kClasses = 10;
constexpr uint32_t kBatch = 40;
constexpr uint64_t kSteps = 3;  // of an epoch
constexpr size_t kNeighbours = 5;

class NeighboursServedTest : public ::testing::Test {
 protected:
  NeighboursServedTest() {
    auto client = FeedClient::Connect({.server = server_.address()});
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  static v1::FeedSpec SpecOf(const std::string& preset) {
    v1::FeedSpec spec;
    spec.mutable_recipe()->set_preset(preset);
    spec.mutable_recipe()->mutable_mix()->mutable_partner()->set_neighbours(kNeighbours);
    spec.set_batch(kBatch);
    return spec;
  }

  // The level at a place of a training image, [C][H][W].
  int LevelOf(size_t image, size_t at) const {
    const Dataset& dataset = server_.dataset();
    return dataset.train.pixels[image * static_cast<size_t>(dataset.shape.pixels()) + at];
  }
  // Between two training images, over every `stride`-th level.
  double DistanceOf(size_t a, size_t b, size_t stride = 1) const {
    int64_t sum = 0;
    for (size_t at = 0; at < static_cast<size_t>(server_.dataset().shape.pixels()); at += stride) {
      const int difference = LevelOf(a, at) - LevelOf(b, at);
      sum += int64_t{difference} * difference;
    }
    return std::sqrt(static_cast<double>(sum));
  }

  // (row's sample, partner's sample) of the first steps' rows.
  std::vector<std::pair<size_t, size_t>> Pairs(const v1::FeedSpec& spec) {
    std::vector<std::pair<size_t, size_t>> pairs;
    const auto feed = client_->OpenFeed(spec);
    EXPECT_TRUE(feed.ok()) << feed.status();
    for (uint64_t step = 0; feed.ok() && step < kSteps; ++step) {
      const auto plan = (*feed)->GetPlan(step);
      EXPECT_TRUE(plan.ok()) << plan.status();
      if (!plan.ok()) break;
      for (int r = 0; r < static_cast<int>(kBatch); ++r) {
        const auto partner = static_cast<int>(plan->rows(r).partner());
        pairs.emplace_back(plan->rows(r).sample(), plan->rows(partner).sample());
      }
    }
    EXPECT_EQ(pairs.size(), kSteps * kBatch);
    return pairs;
  }

  // That partners are among the nearest images other than the row's own that `allowed` takes, by
  // the distance over every `stride`-th level. Distances closer than `slack` may be taken for
  // equal.
  void ExpectNearest(const std::vector<std::pair<size_t, size_t>>& pairs,
                     const std::function<bool(size_t, size_t)>& allowed, size_t stride = 1,
                     double slack = 0) const {
    std::set<size_t> ranks;
    for (const auto& [own, partner] : pairs) {
      ASSERT_NE(own, partner);
      ASSERT_TRUE(allowed(own, partner)) << own << " with " << partner;
      std::vector<double> distances;
      for (size_t other = 0; other < server_.dataset().train.labels.size(); ++other) {
        if (other == own || !allowed(own, other)) continue;
        distances.push_back(DistanceOf(own, other, stride));
      }
      std::ranges::sort(distances);
      const double distance = DistanceOf(own, partner, stride);
      ASSERT_LE(distance, distances[kNeighbours - 1] + slack) << own << " with " << partner;
      ranks.insert(
          static_cast<size_t>(std::ranges::lower_bound(distances, distance) - distances.begin()));
    }
    EXPECT_GE(ranks.size(), kNeighbours);  // not always the same one
  }

  static bool AnyClass(size_t, size_t) { return true; }

  const TestServer server_{TestServerSpec{.train_images = 120}};
  std::unique_ptr<FeedClient> client_;
};

TEST_F(NeighboursServedTest, PartnersAreAmongTheNearestByPixels) {
  ExpectNearest(Pairs(SpecOf("mixup/neighbours")), AnyClass);
}

TEST_F(NeighboursServedTest, PartnersOfTheSameClassAreAmongItsNearest) {
  ExpectNearest(Pairs(SpecOf("mixup/neighbours-same-class")), [](size_t own, size_t other) {
    return own % kClasses == other % kClasses;  // TinyDataset
  });
}

TEST_F(NeighboursServedTest, PartnersAreAmongTheNearestByARegisteredModelsFeatures) {
  ASSERT_NO_FATAL_FAILURE(
      MustRegister(*client_, CornerFeaturesArchive(kClasses), ArchiveHeader("corner")));
  v1::FeedSpec spec = SpecOf("mixup/neighbours");
  spec.mutable_recipe()->mutable_mix()->mutable_partner()->set_features("corner");
  const ImageShape shape = server_.dataset().shape;
  // Features have 12 bits, a level of 0..255 is 16 of their steps: each is off by 1 / 32 at most.
  ExpectNearest(Pairs(spec), AnyClass, static_cast<size_t>(shape.height * shape.width),
                2 * std::sqrt(3.0) * 2 / 32);
}

TEST_F(NeighboursServedTest, FeaturesOfAModelThatIsNotRegisteredAreRefusedByTheirField) {
  v1::FeedSpec spec = SpecOf("mixup/neighbours");
  spec.mutable_recipe()->mutable_mix()->mutable_partner()->set_features("nosuch");
  const absl::Status refused = client_->OpenFeed(spec).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("recipe.mix.partner.features is \"nosuch\""));
}

}  // namespace
}  // namespace mixfeed::testing
