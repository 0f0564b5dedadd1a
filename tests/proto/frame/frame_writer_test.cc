#include "proto/frame/frame_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/proto/frame/frame_kit.h"

namespace mixfeed {
namespace {

using testing::BytesOf;
using ::testing::HasSubstr;
using testing::MakeBatch;
using testing::MakeHeader;
using testing::SlicesOf;
using testing::ToString;

absl::StatusOr<grpc::ByteBuffer> Write(const v1::Batch& batch,
                                       std::shared_ptr<const void> owner = nullptr) {
  return WriteFrame(batch.header(),
                    {.pixels = BytesOf(batch.pixels()), .targets = BytesOf(batch.targets())},
                    std::move(owner));
}

TEST(FrameWriterTest, BytesAreWhatProtobufWrites) {
  for (const uint32_t rows : {1u, 2u, 3u, 64u, 1000u}) {
    const v1::Batch batch = MakeBatch(MakeHeader(rows), 1);
    const absl::StatusOr<grpc::ByteBuffer> frame = Write(batch);
    ASSERT_TRUE(frame.ok()) << frame.status();
    EXPECT_EQ(ToString(*frame), batch.SerializeAsString()) << rows << " rows";
  }
}

TEST(FrameWriterTest, EmptyBulkFieldsAreLeftOutAsProtobufDoes) {
  v1::Batch batch;
  *batch.mutable_header() = MakeHeader(0);
  ASSERT_TRUE(Write(batch).ok());
  EXPECT_EQ(ToString(*Write(batch)), batch.SerializeAsString());
  batch.set_targets("only targets");
  EXPECT_EQ(ToString(*Write(batch)), batch.SerializeAsString());
}

TEST(FrameWriterTest, StockParserReadsIt) {
  const v1::Batch batch = MakeBatch(MakeHeader(5, v1::FLOAT32), 4);
  v1::Batch parsed;
  ASSERT_TRUE(parsed.ParseFromString(ToString(*Write(batch))));
  EXPECT_EQ(parsed.header().sample(4), 40'004u);
  EXPECT_EQ(parsed.pixels(), batch.pixels());
  EXPECT_EQ(parsed.targets(), batch.targets());
}

TEST(FrameWriterTest, BulkSlicesAreTheCallersMemory) {
  const v1::Batch batch = MakeBatch(MakeHeader(64), 1);
  const std::vector<grpc::Slice> slices = SlicesOf(*Write(batch));
  ASSERT_EQ(slices.size(), 4u);
  EXPECT_EQ(static_cast<const void*>(slices[1].begin()), batch.pixels().data());
  EXPECT_EQ(slices[1].size(), batch.pixels().size());
  EXPECT_EQ(static_cast<const void*>(slices[3].begin()), batch.targets().data());
  EXPECT_EQ(slices[3].size(), batch.targets().size());
}

TEST(FrameWriterTest, OwnerIsReleasedWithTheLastCopyAndNotBefore) {
  const v1::Batch batch = MakeBatch(MakeHeader(64), 1);
  auto owner = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = owner;
  grpc::ByteBuffer frame = *Write(batch, std::move(owner));
  EXPECT_FALSE(alive.expired());
  grpc::ByteBuffer copy = frame;
  frame.Clear();
  EXPECT_FALSE(alive.expired());
  std::vector<grpc::Slice> held = SlicesOf(copy);
  copy.Clear();
  EXPECT_FALSE(alive.expired());
  held.erase(held.begin(), held.begin() + 3);  // only the targets' slice is left
  EXPECT_FALSE(alive.expired());
  held.clear();
  EXPECT_TRUE(alive.expired());
}

TEST(FrameWriterTest, FrameOf2GiBIsRefusedBeforeItsMemoryIsTouched) {
  const std::byte nothing{};
  const FrameBulk bulk{.pixels = {&nothing, size_t{1} << 31}, .targets = {}};
  auto owner = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = owner;
  const absl::Status status = WriteFrame(MakeHeader(2), bulk, std::move(owner)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("2 GiB"));
  EXPECT_TRUE(alive.expired());
}

TEST(FrameWriterTest, OverheadBoundHoldsForTheLargestHeader) {
  constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
  for (const uint32_t rows : {1u, 100u, 36'864u}) {
    v1::BatchHeader header = MakeHeader(0);
    header.set_step(std::numeric_limits<uint64_t>::max());
    header.set_rows(kMost);
    header.set_classes(kMost);
    header.set_type(v1::FLOAT32);
    for (uint32_t r = 0; r < rows; ++r) {
      header.add_row(kMost);
      header.add_sample(kMost);
      header.add_pool(v1::TEST);
      header.add_view(kMost);
      header.add_partner(kMost);
      header.add_lambda(1.0f);
    }
    header.mutable_guess()->set_version(std::numeric_limits<uint64_t>::max());
    header.mutable_guess()->set_age(std::numeric_limits<uint64_t>::max());
    const size_t bound =
        MaxFrameOverhead(rows, header.feed_id().size(), header.guess().model().size());
    const std::string bulk(300, 'x');
    const auto frame =
        WriteFrame(header, {.pixels = BytesOf(bulk), .targets = BytesOf(bulk)}, nullptr);
    ASSERT_TRUE(frame.ok());
    EXPECT_LE(frame->Length() - 2 * bulk.size(), bound) << rows << " rows";
  }
}

}  // namespace
}  // namespace mixfeed
