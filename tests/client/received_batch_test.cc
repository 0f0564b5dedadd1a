#include "client/received_batch.h"

#include <gmock/gmock.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "tests/client/fake_server.h"

namespace mixfeed {
namespace {

using testing::FakeServer;

absl::StatusOr<ReceivedBatch> Decode(const v1::Batch& batch,
                                     const std::shared_ptr<BufferPool>& pool) {
  const grpc::Slice slice(batch.SerializeAsString());
  return DecodeBatch(grpc::ByteBuffer(&slice, 1), pool);
}

ReceivedBatch MustDecode(const v1::Batch& batch) {
  auto decoded = Decode(batch, std::make_shared<BufferPool>(2));
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return *std::move(decoded);
}

TEST(ReceivedBatchTest, HoldsWhatTheFrameHolds) {
  const v1::Batch sent = FakeServer::MakeBatch(7);
  const ReceivedBatch batch = MustDecode(sent);
  EXPECT_EQ(batch.header().SerializeAsString(), sent.header().SerializeAsString());
  ASSERT_EQ(batch.pixels().size(), sent.pixels().size());
  EXPECT_EQ(std::memcmp(batch.pixels().data(), sent.pixels().data(), sent.pixels().size()), 0);
  ASSERT_EQ(batch.targets().size_bytes(), sent.targets().size());
  EXPECT_EQ(std::memcmp(batch.targets().data(), sent.targets().data(), sent.targets().size()), 0);
}

TEST(ReceivedBatchTest, PixelsAndTargetsAreAligned) {
  const ReceivedBatch batch = MustDecode(FakeServer::MakeBatch(0));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(batch.pixels().data()) % kBufferAlignment, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(batch.targets().data()) % kBufferAlignment, 0u);
}

TEST(ReceivedBatchTest, TheBufferGoesBackToItsPoolWithTheBatch) {
  const auto pool = std::make_shared<BufferPool>(2);
  const std::byte* memory = nullptr;
  {
    const auto batch = Decode(FakeServer::MakeBatch(0), pool);
    ASSERT_TRUE(batch.ok()) << batch.status();
    memory = batch->pixels().data();
    EXPECT_EQ(pool->idle(), 0u);
  }
  EXPECT_EQ(pool->idle(), 1u);
  const auto next = Decode(FakeServer::MakeBatch(1), pool);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->pixels().data(), memory);
}

TEST(ReceivedBatchTest, AMalformedFrameIsDataLossAndKeepsNoBuffer) {
  const auto pool = std::make_shared<BufferPool>(2);
  v1::Batch batch = FakeServer::MakeBatch(0);
  batch.mutable_pixels()->pop_back();
  EXPECT_EQ(Decode(batch, pool).status().code(), absl::StatusCode::kDataLoss);
}

TEST(ReceivedBatchTest, AnEmptyOneHasNothing) {
  const ReceivedBatch batch;
  EXPECT_EQ(batch.header().rows(), 0u);
  EXPECT_TRUE(batch.pixels().empty());
  EXPECT_TRUE(batch.targets().empty());
}

TEST(ReceivedBatchTest, MovingKeepsTheMemory) {
  ReceivedBatch batch = MustDecode(FakeServer::MakeBatch(0));
  const std::byte* const memory = batch.pixels().data();
  const ReceivedBatch moved = std::move(batch);
  EXPECT_EQ(moved.pixels().data(), memory);
}

// Made with xxHash's own program from the bytes that feed_client.h lists:
//   python3 tests/client/digest_golden.py | xxhsum -H3
TEST(DigestTest, EqualsWhatXxhsumSaysOfTheDocumentedBytes) {
  EXPECT_EQ(MustDecode(FakeServer::MakeBatch(7)).Digest(), "77161bbc59e7868c");
}

TEST(DigestTest, DependsOnEveryByteOfTrainingData) {
  using Edit = std::function<void(v1::Batch*)>;
  const Edit edits[] = {
      [](v1::Batch*) {},
      [](v1::Batch* b) { b->mutable_header()->set_step(8); },
      [](v1::Batch* b) { b->mutable_header()->set_row(0, 1); },
      [](v1::Batch* b) { b->mutable_header()->set_sample(0, 1); },
      [](v1::Batch* b) { b->mutable_header()->set_pool(0, v1::VALIDATION); },
      [](v1::Batch* b) { b->mutable_header()->set_view(0, 1); },
      [](v1::Batch* b) { b->mutable_header()->set_partner(0, 0); },
      [](v1::Batch* b) { b->mutable_header()->set_lambda(0, 0.5f); },
      [](v1::Batch* b) { ++b->mutable_pixels()->back(); },
      [](v1::Batch* b) { ++b->mutable_targets()->back(); },
  };
  std::set<std::string> digests;
  for (const Edit& edit : edits) {
    v1::Batch batch = FakeServer::MakeBatch(7);
    edit(&batch);
    EXPECT_TRUE(digests.insert(MustDecode(batch).Digest()).second);
  }
}

TEST(DigestTest, LeavesOutFeedIdAndGuessOrigin) {
  v1::Batch batch = FakeServer::MakeBatch(7);
  const std::string digest = MustDecode(batch).Digest();
  batch.mutable_header()->set_feed_id("another");
  batch.mutable_header()->mutable_guess()->set_environment("another machine");
  EXPECT_EQ(MustDecode(batch).Digest(), digest);
}

}  // namespace
}  // namespace mixfeed
