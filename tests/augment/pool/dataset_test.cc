#include "augment/pool/dataset.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

TEST(FingerprintTest, LeavesTheNameOut) {
  Dataset dataset = testing::TinyDataset();
  dataset.name = "other";
  EXPECT_EQ(FingerprintDataset(dataset), testing::TinyDataset().fingerprint);
}

TEST(FingerprintTest, ChangesWithEverythingElse) {
  const std::function<void(Dataset*)> changes[] = {
      [](Dataset* d) { d->train.pixels.back() ^= 1; },
      [](Dataset* d) { d->test.pixels.front() ^= 1; },
      [](Dataset* d) { d->train.labels[3] = kNoLabel; },
      [](Dataset* d) { d->test.labels[3] = 0; },
      [](Dataset* d) { d->class_names.emplace_back("more"); },
      [](Dataset* d) { d->shape = {.channels = 3, .height = 16, .width = 64}; },
      [](Dataset* d) { std::swap(d->train, d->test); },
  };
  for (const auto& change : changes) {
    Dataset dataset = testing::TinyDataset();
    change(&dataset);
    EXPECT_NE(FingerprintDataset(dataset), testing::TinyDataset().fingerprint)
        << "change " << &change - changes;
  }
}

// The border between the partitions counts, not only the bytes in a row.
TEST(FingerprintTest, ChangesWhenAnImageMovesToTheOtherPartition) {
  Dataset dataset = testing::TinyDataset(10, 0);
  const uint64_t before = FingerprintDataset(dataset);
  dataset.test = testing::TinyImages(dataset.shape, 1, 10, 0);
  const auto last = dataset.train.pixels.end() - dataset.shape.pixels();
  dataset.test.labels = {dataset.train.labels.back()};
  dataset.test.pixels.assign(last, dataset.train.pixels.end());
  dataset.train.labels.pop_back();
  dataset.train.pixels.erase(last, dataset.train.pixels.end());
  EXPECT_NE(FingerprintDataset(dataset), before);
}

}  // namespace
}  // namespace mixfeed
