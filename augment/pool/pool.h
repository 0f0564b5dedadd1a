#ifndef MIXFEED_AUGMENT_POOL_POOL_H_
#define MIXFEED_AUGMENT_POOL_POOL_H_

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/base/thread_pool.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

// How the border around an image is filled before cropping.
enum class PadMode : uint8_t {
  kReflect,   // mirrored, the edge pixel not repeated (NumPy "reflect"): needs pad < height, width
  kZero,      // black
  kEdge,      // the edge pixel repeated
  kConstant,  // a colour
};

// The colour of kConstant, a level of 0..255 a channel.
using PadFill = std::array<uint8_t, 4>;

// Largest accepted padding, in pixels a side.
inline constexpr int kMaxPad = 64;

// A partition's images, padded once so that a crop is an offset. The image at `index` has its
// channel planes one after another, each (height + 2 pad) rows of (width + 2 pad) bytes without
// gaps. Immutable after MakePool; shared between threads.
struct Pool {
  ImageShape shape;  // of the images before padding
  int pad = 0;
  int64_t count = 0;
  std::vector<uint8_t> pixels;

  int padded_height() const { return shape.height + 2 * pad; }
  int padded_width() const { return shape.width + 2 * pad; }
  int64_t plane_bytes() const { return int64_t{padded_height()} * padded_width(); }
  int64_t image_bytes() const { return plane_bytes() * shape.channels; }
};

// Pads `images` ([count][C][H][W] uint8); `fill` is for kConstant. Errors: InvalidArgument for a
// pad outside 0..kMaxPad, or too wide to reflect; ResourceExhausted without memory.
absl::StatusOr<Pool> MakePool(const ImageShape& shape, std::span<const uint8_t> images, int pad,
                              PadMode mode, ThreadPool* threads, const PadFill& fill = {});

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_POOL_H_
