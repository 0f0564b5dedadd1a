#ifndef MIXFEED_AUGMENT_RENDER_MIX_IMAGES_H_
#define MIXFEED_AUGMENT_RENDER_MIX_IMAGES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "augment/pool/dataset.h"
#include "augment/render/pixel_format.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// Which images the rows of a batch are mixed of: arrays of a plan, or of what a server sent of one.
struct RowMixing {
  std::span<const int32_t> row;      // [rows], the row's own image
  std::span<const int32_t> partner;  // [rows]
  std::span<const float> lambda;     // [rows], weight of the row's own image
  // Further partners and their weights, source-major: [n][rows], or empty.
  std::span<const int32_t> more_partner;
  std::span<const float> more_weight;
  std::span<const Box> box;  // [rows], or empty
  bool mixed = true;         // false: rows come unmixed (a hidden layer is mixed)
};

// The rows of a batch as a renderer takes them. `view_of` says where an image's pixels are.
class MixedRows {
 public:
  MixedRows(const RowMixing& mixing, absl::FunctionRef<RenderView(int32_t)> view_of);
  MixedRows(const MixedRows&) = delete;
  MixedRows& operator=(const MixedRows&) = delete;

  std::span<const RenderRow> rows() const { return rows_; }

 private:
  std::vector<WeightedView> further_;  // of the rows, one row's after another's
  std::vector<RenderRow> rows_;
};

// Finished views in host memory, without padding.
struct ImageLevels {
  ImageShape shape;
  int64_t count = 0;
  // [count][C][H][W] levels of 0..255, aligned to `type`: kUint8; or kFloat32, where levels lie
  // between the whole ones.
  PixelType type = PixelType::kUint8;
  std::span<const std::byte> pixels;
};

// Renderer::Render, on the calling thread, of images that are there already: bit for bit what a
// renderer makes of views that show these levels. Of a view's effects only holes are taken.
// InvalidArgument as Render, and for images of another type, size or alignment.
absl::Status MixImages(const ImageLevels& images, std::span<const RenderRow> rows,
                       const PixelFormat& format, std::span<std::byte> out);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_RENDER_MIX_IMAGES_H_
