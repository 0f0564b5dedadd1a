#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proto/frame/frame_reader.h"
#include "proto/frame/frame_writer.h"
#include "tests/proto/frame/frame_kit.h"
#include "tests/testing/allocation_counter.h"

namespace mixfeed {
namespace {

using testing::AllocatedBytes;
using testing::BytesOf;
using testing::MakeBatch;
using testing::MakeHeader;
using testing::TakeLargestAllocation;

constexpr uint32_t kRows = 4096;  // of 240 bytes: a payload of 1 MB
// Far above what a header of so many rows takes, far below the payload.
constexpr int64_t kSmall = 400'000;

TEST(FrameAllocationTest, CounterSeesMallocAndNew) {
  const int64_t before = AllocatedBytes();
  TakeLargestAllocation();
  const auto memory = std::make_unique<char[]>(1'000'000);
  ASSERT_NE(memory, nullptr);
  EXPECT_GE(AllocatedBytes() - before, 1'000'000);
  EXPECT_GE(TakeLargestAllocation(), 1'000'000);
}

TEST(FrameAllocationTest, WritingAllocatesNothingOfThePayloadsSize) {
  const v1::Batch batch = MakeBatch(MakeHeader(kRows, v1::FLOAT32), 4);
  ASSERT_GT(static_cast<int64_t>(batch.pixels().size()), 2 * kSmall);
  const int64_t before = AllocatedBytes();
  const auto frame =
      WriteFrame(batch.header(),
                 {.pixels = BytesOf(batch.pixels()), .targets = BytesOf(batch.targets())}, nullptr);
  const grpc::ByteBuffer copy = *frame;
  EXPECT_LT(AllocatedBytes() - before, kSmall);
  EXPECT_GT(static_cast<int64_t>(copy.Length()), 2 * kSmall);
}

TEST(FrameAllocationTest, ReadingPutsThePayloadStraightIntoTheGivenMemory) {
  const v1::Batch batch = MakeBatch(MakeHeader(kRows, v1::FLOAT32), 4);
  const grpc::ByteBuffer frame = testing::ToBuffer(batch.SerializeAsString(), {100'000, 1, 70'001});
  std::string pixels(batch.pixels().size(), '\0');
  std::string targets(batch.targets().size(), '\0');
  v1::BatchHeader header;
  const int64_t before = AllocatedBytes();
  const absl::Status status = ReadFrame(
      frame,
      [&](size_t, size_t) {
        return FrameDestination{std::as_writable_bytes(std::span(pixels)),
                                std::as_writable_bytes(std::span(targets))};
      },
      &header);
  EXPECT_LT(AllocatedBytes() - before, kSmall);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(pixels, batch.pixels());
  EXPECT_EQ(targets, batch.targets());
}

}  // namespace
}  // namespace mixfeed
