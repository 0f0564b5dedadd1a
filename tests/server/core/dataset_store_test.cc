#include "server/core/dataset_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "augment/render/cpu_renderer.h"
#include "tests/testing/cifar_files.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace mixfeed {
namespace {

ViewSpec Padded(int pad, PadMode mode) {
  ViewSpec view;
  view.pad = pad;
  view.pad_mode = mode;
  return view;
}

using ::testing::HasSubstr;
using testing::TempDir;

constexpr int64_t kPaddedBytes = int64_t{100} * 3 * 40 * 40;  // 100 images, padded by 4

class DatasetStoreTest : public ::testing::Test {
 protected:
  DatasetStoreTest() { testing::WriteCifar10(files_.File("tiny"), testing::TinyDataset(100, 20)); }

  absl::StatusOr<std::unique_ptr<DatasetStore>> OpenStore(std::vector<std::string> sources,
                                                          int64_t max_pool_bytes = 1 << 30) {
    return DatasetStore::Open({.sources = std::move(sources),
                               .cache_dir = files_.File("cache"),
                               .max_pool_bytes = max_pool_bytes},
                              renderer_.get(), &threads_);
  }

  const TempDir files_;
  ThreadPool threads_{1};
  const std::unique_ptr<Renderer> renderer_ = MakeCpuRenderer(&threads_);
};

TEST_F(DatasetStoreTest, PoolIsMadeOnceForAllThatUseIt) {
  const auto store = OpenStore({files_.File("tiny")});
  ASSERT_TRUE(store.ok()) << store.status();
  const auto dataset = *(*store)->Find("tiny");
  const auto pool = *(*store)->FindPool(dataset, Partition::kTrain, Padded(4, PadMode::kReflect));
  EXPECT_EQ(pool->count(), 100);
  EXPECT_EQ(pool->pad(), 4);
  const auto find = [&](Partition partition, int pad, PadMode mode) {
    return *(*store)->FindPool(dataset, partition, Padded(pad, mode));
  };
  EXPECT_EQ(find(Partition::kTrain, 4, PadMode::kReflect), pool);
  EXPECT_NE(find(Partition::kTrain, 2, PadMode::kReflect), pool);
  EXPECT_NE(find(Partition::kTrain, 4, PadMode::kZero), pool);
  EXPECT_EQ(find(Partition::kTest, 4, PadMode::kReflect)->count(), 20);
}

TEST_F(DatasetStoreTest, PoolsAreBoundedAndFreedWithTheirLastUser) {
  const auto store = *OpenStore({files_.File("tiny")}, kPaddedBytes);
  const auto dataset = *store->Find("");
  auto pool = store->FindPool(dataset, Partition::kTrain, Padded(4, PadMode::kReflect));
  ASSERT_TRUE(pool.ok()) << pool.status();
  const absl::Status full =
      store->FindPool(dataset, Partition::kTrain, Padded(0, PadMode::kReflect)).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("--max-pool-bytes"));
  *pool = nullptr;
  EXPECT_TRUE(store->FindPool(dataset, Partition::kTrain, Padded(0, PadMode::kReflect)).ok());
}

TEST_F(DatasetStoreTest, PadThatCannotBeReflectedIsRefused) {
  const auto store = *OpenStore({files_.File("tiny")});
  EXPECT_EQ(store->FindPool(*store->Find(""), Partition::kTrain, Padded(32, PadMode::kReflect))
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(DatasetStoreTest, BrokenDatasetIsKeptWithItsReason) {
  const auto store = *OpenStore({"broken=/no/such", "good=" + files_.File("tiny")});
  ASSERT_EQ(store->entries().size(), 2u);
  EXPECT_FALSE(store->entries()[0].status.ok());
  EXPECT_EQ(store->entries()[0].dataset, nullptr);
  EXPECT_EQ((*store->Find(""))->name, "good");
  EXPECT_EQ(store->Find("broken").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store->Find("none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store->AnyOfOneKind().ok());
}

TEST_F(DatasetStoreTest, MalformedAndDoubleSourcesAreRefused) {
  EXPECT_EQ(OpenStore({"x=/y?nonsense=1"}).status().code(), absl::StatusCode::kInvalidArgument);
  const absl::Status twice = OpenStore({files_.File("tiny"), files_.File("tiny")}).status();
  EXPECT_EQ(twice.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(twice.message()), HasSubstr("write --data NAME="));
}

TEST_F(DatasetStoreTest, NothingUsableIsAnError) {
  EXPECT_EQ(OpenStore({}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(OpenStore({"/no/such"}).status().message()),
              HasSubstr("no dataset can be used"));
}

}  // namespace
}  // namespace mixfeed
