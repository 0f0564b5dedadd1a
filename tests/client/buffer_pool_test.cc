#include "client/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

namespace mixfeed {
namespace {

TEST(BufferPoolTest, BuffersBeginAtTheAlignment) {
  BufferPool pool(2);
  constexpr size_t kSizes[] = {1, 63, 64, 65, 786'432};
  for (const size_t bytes : kSizes) {
    const AlignedBuffer buffer = pool.Acquire(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % kBufferAlignment, 0u) << bytes;
    EXPECT_GE(buffer.size(), bytes);
  }
}

TEST(BufferPoolTest, AReleasedBufferIsGivenOutAgain) {
  BufferPool pool(2);
  AlignedBuffer buffer = pool.Acquire(1000);
  const std::byte* const memory = buffer.data();
  pool.Release(std::move(buffer));
  EXPECT_EQ(pool.Acquire(900).data(), memory);
}

TEST(BufferPoolTest, ABufferOfAnotherSizeIsNotGivenOut) {
  BufferPool pool(2);
  pool.Release(AlignedBuffer(1000));
  EXPECT_EQ(pool.Acquire(1001).size(), 1001u);
  EXPECT_EQ(pool.Acquire(500).size(), 500u) << "1000 is twice that";
  EXPECT_EQ(pool.idle(), 1u);
  EXPECT_EQ(pool.Acquire(501).size(), 1000u);
}

TEST(BufferPoolTest, KeepsAtMostMaxIdleAndFreesTheOldest) {
  BufferPool pool(2);
  constexpr size_t kSizes[] = {100, 1000, 10'000};
  for (const size_t bytes : kSizes) pool.Release(AlignedBuffer(bytes));
  EXPECT_EQ(pool.idle(), 2u);
  EXPECT_EQ(pool.Acquire(100).size(), 100u);
  EXPECT_EQ(pool.idle(), 2u) << "the one of 100 was not there to be taken";
}

TEST(BufferPoolTest, AnEmptyBufferIsNotKept) {
  BufferPool pool(2);
  pool.Release(AlignedBuffer());
  EXPECT_EQ(pool.idle(), 0u);
}

}  // namespace
}  // namespace mixfeed
