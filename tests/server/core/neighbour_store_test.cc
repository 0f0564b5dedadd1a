#include "server/core/neighbour_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "augment/pool/file_io.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;
using testing::TinyDataset;

constexpr int kNeighbours = 3;

// The features of an image are its first two pixels.
class TwoPixels : public GuessModel {
 public:
  TwoPixels() {
    info_.name = "two";
    info_.input = {3, 4, 4};
  }
  const GuessModelInfo& info() const override { return info_; }
  absl::Status Guess(std::span<const float>, int, bool, std::span<float>) override {
    return absl::InternalError("not asked for");
  }
  absl::StatusOr<std::vector<float>> Features(std::span<const float> views, int rows) override {
    std::vector<float> features;
    const size_t pixels = views.size() / static_cast<size_t>(rows);
    for (size_t i = 0; i < views.size(); i += pixels) {
      features.push_back(views[i]);
      features.push_back(views[i + 1]);
    }
    return features;
  }

 private:
  GuessModelInfo info_;
};

class NeighbourStoreTest : public ::testing::Test {
 protected:
  NeighbourStoreTest() { std::iota(samples_.begin(), samples_.end(), 10); }

  NeighbourStore::Wish Wish(int neighbours = kNeighbours) const {
    NeighbourStore::Wish wish;
    wish.dataset = dataset_;
    wish.samples = samples_;
    wish.partner.source = PartnerSource::kLabelledPool;
    wish.partner.neighbours = neighbours;
    return wish;
  }
  NeighbourStore::Options Options() {
    return {.folder = files_.File("neighbours"), .threads = &threads_, .wait_ms = 100'000};
  }

  // Places of the listed samples, nearest first, by the first `pixels` of each image.
  std::vector<int32_t> Nearest(size_t place, size_t pixels) const {
    const auto image = static_cast<size_t>(dataset_->shape.pixels());
    const auto distance = [&](int32_t other) {
      int64_t sum = 0;
      for (size_t p = 0; p < pixels; ++p) {
        const int a = dataset_->train.pixels[static_cast<size_t>(samples_[place]) * image + p];
        const int b =
            dataset_->train
                .pixels[static_cast<size_t>(samples_[static_cast<size_t>(other)]) * image + p];
        sum += int64_t{a - b} * (a - b);
      }
      return sum;
    };
    std::vector<int32_t> places(samples_.size());
    std::iota(places.begin(), places.end(), 0);
    std::erase(places, static_cast<int32_t>(place));
    std::stable_sort(places.begin(), places.end(),
                     [&](int32_t a, int32_t b) { return distance(a) < distance(b); });
    places.resize(kNeighbours);
    return places;
  }

  void ExpectNearest(const NeighbourIndex& index, size_t pixels) const {
    ASSERT_EQ(index.count(), static_cast<int64_t>(samples_.size()));
    for (size_t place = 0; place < samples_.size(); ++place) {
      const auto found = index.Of(static_cast<int64_t>(place));
      EXPECT_EQ(std::vector<int32_t>(found.begin(), found.end()), Nearest(place, pixels)) << place;
    }
  }

  // Keeps an index of the listed images, whole and valid but for its places, of which everybody's
  // neighbours are the next ones; returns them.
  std::vector<int32_t> Plant(const Dataset& dataset, int k) {
    std::vector<int16_t> coordinates, labels;
    std::vector<int32_t> places;
    const int64_t pixels = dataset.shape.pixels();
    const auto count = static_cast<int32_t>(samples_.size());
    for (int32_t place = 0; place < count; ++place) {
      const int64_t sample = samples_[static_cast<size_t>(place)];
      const auto first = dataset.train.pixels.begin() + sample * pixels;
      coordinates.insert(coordinates.end(), first, first + pixels);
      labels.push_back(dataset.train.labels[static_cast<size_t>(sample)]);
      for (int32_t i = 1; i <= k; ++i) places.push_back((place + i) % count);
    }
    const NeighbourPoints points{
        .coordinates = coordinates, .dimensions = static_cast<int>(pixels), .labels = labels};
    const NeighbourKey key{.points_fingerprint = FingerprintPoints(points), .k = k};
    EXPECT_TRUE(
        WriteNeighbourIndex(files_.File("neighbours"), key, NeighbourIndex(k, places)).ok());
    return places;
  }

  const TempDir files_;
  ThreadPool threads_{2};
  std::shared_ptr<const Dataset> dataset_ =
      std::make_shared<const Dataset>(TinyDataset(60, 1, 10, {3, 4, 4}));
  std::vector<int32_t> samples_ = std::vector<int32_t>(40);
};

TEST_F(NeighbourStoreTest, FindsTheNearestOfTheListedImages) {
  NeighbourStore store(Options());
  const auto index = store.Find(Wish());
  ASSERT_TRUE(index.ok()) << index.status();
  ExpectNearest(**index, 48);
  EXPECT_EQ(*store.Find(Wish()), *index);
  EXPECT_TRUE(store.Builds().empty());
}

TEST_F(NeighbourStoreTest, MeasuresDistanceInAModelsFeatures) {
  NeighbourStore store(Options());
  NeighbourStore::Wish wish = Wish();
  wish.model = std::make_shared<TwoPixels>();
  const auto index = store.Find(wish);
  ASSERT_TRUE(index.ok()) << index.status();
  for (size_t place = 0; place < samples_.size(); ++place) {
    EXPECT_EQ((*index)->Of(static_cast<int64_t>(place))[0], Nearest(place, 2)[0]) << place;
  }
  EXPECT_NE(FingerprintModel(wish.model.get()), 0u);
  EXPECT_EQ(FingerprintModel(nullptr), 0u);
}

TEST_F(NeighbourStoreTest, AnotherStoreReadsWhatWasKept) {
  { ASSERT_TRUE(NeighbourStore(Options()).Find(Wish()).ok()); }
  const auto kept = ListFolder(files_.File("neighbours"));
  ASSERT_TRUE(kept.ok() && kept->size() == 1);
  const std::vector<int32_t> planted = Plant(*dataset_, kNeighbours);
  ASSERT_EQ(ListFolder(files_.File("neighbours"))->size(), 1u);  // in the place of the store's own
  NeighbourStore store(Options());
  const auto index = store.Find(Wish());
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_TRUE(std::ranges::equal((*index)->places(), planted));
}

TEST_F(NeighbourStoreTest, WhatWasKeptOfOtherPixelsOrLabelsIsNotRead) {
  Plant(*dataset_, kNeighbours);
  for (const bool pixel : {true, false}) {
    Dataset changed = *dataset_;
    const auto sample = static_cast<size_t>(samples_[7]);
    if (pixel) {
      changed.train.pixels[sample * static_cast<size_t>(changed.shape.pixels()) + 5] ^= 0xff;
    } else {
      changed.train.labels[sample] = static_cast<int16_t>((changed.train.labels[sample] + 1) % 10);
    }
    changed.fingerprint = FingerprintDataset(changed);
    dataset_ = std::make_shared<const Dataset>(std::move(changed));
    NeighbourStore store(Options());
    const auto index = store.Find(Wish());
    ASSERT_TRUE(index.ok()) << index.status();
    ExpectNearest(**index, 48);
  }
}

TEST_F(NeighbourStoreTest, ADamagedFileIsBuiltAgain) {
  { ASSERT_TRUE(NeighbourStore(Options()).Find(Wish()).ok()); }
  const std::string file =
      JoinPath(files_.File("neighbours"), ListFolder(files_.File("neighbours"))->front());
  std::ofstream(file) << "damaged";
  NeighbourStore store(Options());
  const auto index = store.Find(Wish());
  ASSERT_TRUE(index.ok()) << index.status();
  ExpectNearest(**index, 48);
}

TEST_F(NeighbourStoreTest, AnIndexThatCannotBeKeptIsUsedAllTheSame) {
  std::ofstream(files_.File("neighbours")) << "a file where the folder should be";
  NeighbourStore store(Options());
  const auto index = store.Find(Wish());
  ASSERT_TRUE(index.ok()) << index.status();
  ExpectNearest(**index, 48);
}

TEST_F(NeighbourStoreTest, WhoDoesNotWaitLearnsHowFarItIs) {
  NeighbourStore::Options options = Options();
  options.wait_ms = 0;
  NeighbourStore store(options);
  absl::StatusOr<std::shared_ptr<const NeighbourIndex>> index = store.Find(Wish());
  while (!index.ok()) {
    ASSERT_EQ(index.status().code(), absl::StatusCode::kUnavailable) << index.status();
    EXPECT_THAT(std::string(index.status().message()),
                HasSubstr("the index of the 3 nearest of 40 images of \"tiny\" is being built"));
    index = store.Find(Wish());
  }
  ExpectNearest(**index, 48);
}

TEST_F(NeighbourStoreTest, MoreNeighboursThanThereAreIsAnErrorEachTime) {
  NeighbourStore store(Options());
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = store.Find(Wish(40)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("recipe.mix.partner.neighbours is 40; allowed: 1..39"));
  }
}

TEST_F(NeighbourStoreTest, KeepsTheLastFewInMemory) {
  NeighbourStore store(Options());
  const auto first = *store.Find(Wish(1));
  for (int k = 2; k <= 2 + static_cast<int>(NeighbourStore::kMaxKept); ++k) {
    ASSERT_TRUE(store.Find(Wish(k)).ok());
  }
  const std::vector<int32_t> planted = Plant(*dataset_, 1);
  const auto again = *store.Find(Wish(1));
  EXPECT_NE(again, first);
  EXPECT_TRUE(std::ranges::equal(again->places(), planted));  // read from the disk
}

}  // namespace
}  // namespace mixfeed
