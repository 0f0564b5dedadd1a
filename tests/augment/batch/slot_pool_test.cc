#include "augment/batch/slot_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/augment/batch/feed_kit.h"

namespace mixfeed {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kLimit = 1024;

// Buffers of exactly the asked size, counted while they live; refuses when told to.
class CountingRenderer : public Renderer {
 public:
  absl::StatusOr<std::shared_ptr<const ResidentPool>> Load(Pool) override {
    return absl::UnimplementedError("not used");
  }
  absl::StatusOr<std::unique_ptr<HostBuffer>> Allocate(size_t bytes) override {
    if (refuse) return absl::InternalError("out of memory");
    return std::make_unique<Buffer>(this, bytes);
  }
  absl::Status Render(const ResidentPool&, std::span<const RenderRow>, const PixelFormat&,
                      std::span<std::byte>) override {
    return absl::UnimplementedError("not used");
  }
  std::string description() const override { return "counting"; }

  bool refuse = false;
  std::atomic<int64_t> allocated = 0;  // bytes there are now
  std::atomic<int> allocations = 0;

 private:
  class Buffer : public HostBuffer {
   public:
    Buffer(CountingRenderer* renderer, size_t bytes) : renderer_(renderer), bytes_(bytes) {
      renderer_->allocated += static_cast<int64_t>(bytes);
      ++renderer_->allocations;
    }
    ~Buffer() override { renderer_->allocated -= static_cast<int64_t>(bytes_.size()); }
    std::byte* data() override { return bytes_.data(); }
    size_t size() const override { return bytes_.size(); }

   private:
    CountingRenderer* const renderer_;
    std::vector<std::byte> bytes_;
  };
};

class SlotPoolTest : public ::testing::Test {
 protected:
  CountingRenderer renderer_;
  SlotPool pool_{&renderer_, kLimit};
};

TEST_F(SlotPoolTest, SizesAreRoundedUpToTheAlignment) {
  for (const size_t bytes : {0u, 1u, 63u, 64u, 65u}) {
    const auto slot = pool_.Acquire(bytes);
    ASSERT_TRUE(slot.ok());
    EXPECT_EQ((*slot)->size(), bytes <= 64 ? 64u : 128u) << bytes;
  }
}

TEST_F(SlotPoolTest, ReturnedMemoryIsUsedAgainForTheSameSize) {
  std::byte* const first = (*pool_.Acquire(128))->data();
  EXPECT_EQ((*pool_.Acquire(100))->data(), first);
  EXPECT_EQ(renderer_.allocations, 1);
}

TEST_F(SlotPoolTest, TheLatestReturnedIsUsedFirst) {
  auto a = *pool_.Acquire(64);
  auto b = *pool_.Acquire(64);
  std::byte* const a_data = a->data();
  b.reset();
  a.reset();
  EXPECT_EQ((*pool_.Acquire(64))->data(), a_data);
}

TEST_F(SlotPoolTest, CountsWhatIsInUse) {
  auto a = *pool_.Acquire(100);
  auto b = *pool_.Acquire(64);
  EXPECT_EQ(pool_.live_slots(), 2);
  EXPECT_EQ(pool_.live_bytes(), 192);
  a.reset();
  EXPECT_EQ(pool_.live_slots(), 1);
  EXPECT_EQ(pool_.live_bytes(), 64);
  EXPECT_EQ(pool_.max_bytes(), kLimit);
}

TEST_F(SlotPoolTest, RefusesWhatDoesNotFitBesideWhatIsInUse) {
  const auto most = *pool_.Acquire(kLimit - 64);
  const auto last = *pool_.Acquire(64);
  const absl::Status refused = pool_.Acquire(1).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("1024 of 1024 are in use"));
  EXPECT_EQ(pool_.live_slots(), 2);
}

TEST_F(SlotPoolTest, RefusesASlotLargerThanThePool) {
  EXPECT_EQ(pool_.Acquire(kLimit + 1).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(renderer_.allocations, 0);
}

TEST_F(SlotPoolTest, KeptBuffersOfOtherSizesMakeRoomOldestFirst) {
  auto oldest = *pool_.Acquire(512);
  auto newest = *pool_.Acquire(256);
  oldest.reset();
  newest.reset();
  EXPECT_EQ(renderer_.allocated, 768);
  const auto third = *pool_.Acquire(320);  // fits when the one of 512 goes
  EXPECT_EQ(renderer_.allocated, 256 + 320);
}

TEST_F(SlotPoolTest, MemoryStaysWithinTheLimitForAnyMixOfSizes) {
  for (size_t size = 64; size <= kLimit; size += 64) {
    EXPECT_TRUE(pool_.Acquire(size).ok());
    EXPECT_LE(renderer_.allocated, kLimit);
  }
}

TEST_F(SlotPoolTest, AFailedAllocationIsReturnedAndNotCounted) {
  renderer_.refuse = true;
  EXPECT_EQ(pool_.Acquire(kLimit).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(pool_.live_slots(), 0);
  EXPECT_EQ(pool_.live_bytes(), 0);
  renderer_.refuse = false;
  EXPECT_TRUE(pool_.Acquire(kLimit).ok());
}

TEST_F(SlotPoolTest, ManyThreadsShareOnePool) {
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (size_t i = 0; i < 500; ++i) {
        const auto slot = pool_.Acquire(64 * (1 + (i + t) % 4));
        ASSERT_TRUE(slot.ok()) << slot.status();
        (*slot)->data()[0] = std::byte{1};
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool_.live_slots(), 0);
  EXPECT_LE(renderer_.allocated, kLimit);
}

TEST(SlotTest, CpuSlotsBeginOnTheAlignment) {
  ::mixfeed::testing::FeedKit kit;
  for (const size_t bytes : {1u, 64u, 1000u, 100000u}) {
    const auto slot = *kit.slots.Acquire(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(slot->data()) % kSlotAlignment, 0u);
  }
}

}  // namespace
}  // namespace mixfeed
