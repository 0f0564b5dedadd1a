#ifndef MIXFEED_TESTS_BENCH_RENDER_KIT_H_
#define MIXFEED_TESTS_BENCH_RENDER_KIT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "augment/render/renderer.h"

namespace mixfeed::testing {

inline constexpr int64_t kPoolImages = 50000;
inline constexpr int kPoolPad = 4;
inline constexpr size_t kRowsPerBatch = 64;
inline constexpr size_t kBatches = 64;  // different ones, repeated

// The CPU renderer on one thread, pools of the same random 32x32 colour images, which no cache
// holds, and a ring of output buffers. Built once.
class RenderKit {
 public:
  static RenderKit& Get();

  Renderer& renderer() { return *renderer_; }
  const ResidentPool& pool() const { return *pool_; }  // padded by kPoolPad
  const ResidentPool& unpadded_pool() const { return *unpadded_pool_; }
  std::span<const uint8_t> images() const { return images_; }  // [image][channel][y][x]
  std::span<std::byte> Buffer(size_t i, size_t bytes);

 private:
  RenderKit();

  ThreadPool threads_;
  std::unique_ptr<Renderer> renderer_;
  std::vector<uint8_t> images_;
  std::shared_ptr<const ResidentPool> pool_;
  std::shared_ptr<const ResidentPool> unpadded_pool_;
  std::vector<std::unique_ptr<HostBuffer>> ring_;
};

// Kinds of rows, each of random images; kFastai's are of the unpadded pool.
enum class RowsUnderTest { kMixup, kSingle, kCutout, kCutMix, kThreeWay, kFastai };

// Batches of one kind, and what their rows point to.
class Batches {
 public:
  explicit Batches(RowsUnderTest kind);
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  std::span<const RenderRow> operator[](size_t i) const { return batches_[i % kBatches]; }

 private:
  RenderRow RandomRow(RowsUnderTest kind);
  RenderView RandomView();
  Box RandomBox(int16_t side);
  // A view as fastai v1's get_transforms makes them: mirrored, rotated, zoomed, seen at an angle,
  // brighter or darker, with more or less contrast.
  RenderView FastaiView();

  std::mt19937 random_{1};
  std::deque<ViewEffects> effects_;
  std::deque<std::vector<WeightedView>> more_;
  std::vector<std::vector<RenderRow>> batches_;
};

// The calling thread's processor time, which other work on the machine does not count into.
double ThreadSeconds();

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_BENCH_RENDER_KIT_H_
