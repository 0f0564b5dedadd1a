#ifndef MIXFEED_AUGMENT_RENDER_RENDERER_H_
#define MIXFEED_AUGMENT_RENDER_RENDERER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/pool/pool.h"
#include "augment/pool/view_effects.h"
#include "augment/render/pixel_format.h"

namespace mixfeed {

// One view of a pool's image.
struct RenderView {
  int32_t image = 0;   // index into the pool
  int16_t crop_y = 0;  // 0..2*pad
  int16_t crop_x = 0;
  uint8_t flip = 0;                      // 0 or 1; the crop is of the mirrored, padded image
  const ViewEffects* effects = nullptr;  // null: none; must live until Render returns
};

// Further images that a row can have.
inline constexpr size_t kMaxMoreViews = 6;

// A further image of a row.
struct WeightedView {
  RenderView view;
  float weight = 0;  // 0..1
};

// One output image: lambda * a + (1 - lambda) * b, then normalised (pixel.h, resample.h and tone.h
// have the exact order of operations). lambda == 1 shows `a` alone.
struct RenderRow {
  RenderView a;
  RenderView b;
  float lambda = 1.0f;  // 0..1
  // Not empty: `b` alone inside it, `a` alone outside, whatever lambda is. Inside the image.
  Box box = {};
  // Up to kMaxMoreViews further images, not together with a box. The weight of `b` is then what
  // lambda and theirs, at most 1 together, leave of 1. Must live until Render returns.
  std::span<const WeightedView> more = {};
};

// A pool resident where a renderer works (host or device memory). Immutable, shared between
// threads.
class ResidentPool {
 public:
  virtual ~ResidentPool() = default;
  const ImageShape& shape() const { return shape_; }
  int pad() const { return pad_; }
  int64_t count() const { return count_; }

 protected:
  explicit ResidentPool(const Pool& pool)
      : shape_(pool.shape), pad_(pool.pad), count_(pool.count) {}

 private:
  const ImageShape shape_;
  const int pad_;
  const int64_t count_;
};

// Host memory that a renderer writes finished batches into: 64-byte aligned, page-locked where the
// device copies into it. Freed by its destructor on any thread.
class HostBuffer {
 public:
  virtual ~HostBuffer() = default;
  virtual std::byte* data() = 0;
  virtual size_t size() const = 0;
};

// Turns what a plan says into pixels; contains no randomness. All back ends give the same bytes.
// Thread safe: calls from several threads overlap.
class Renderer {
 public:
  virtual ~Renderer() = default;

  // InvalidArgument for a pool that does not hold what it says; ResourceExhausted without memory.
  virtual absl::StatusOr<std::shared_ptr<const ResidentPool>> Load(Pool pool) = 0;

  // ResourceExhausted without memory.
  virtual absl::StatusOr<std::unique_ptr<HostBuffer>> Allocate(size_t bytes) = 0;

  // Writes rows.size() images to `out` (host memory, at least rows.size() * ImageBytes bytes,
  // aligned to the pixel type) and returns when they are there. Errors: InvalidArgument for an
  // image index, an offset, a weight or an effect out of range (the limits of maps and tones stand
  // in resample.h and tone.h; boxes and holes lie in the image, fills in 0..255), a pool of another
  // renderer, an invalid format or a short `out`; Internal for a failure of the device.
  virtual absl::Status Render(const ResidentPool& pool, std::span<const RenderRow> rows,
                              const PixelFormat& format, std::span<std::byte> out) = 0;

  // For people: "cpu (AVX3, 2 threads)", "cuda:0 (NVIDIA H200)".
  virtual std::string description() const = 0;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_RENDERER_H_
