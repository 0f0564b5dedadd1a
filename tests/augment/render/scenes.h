#ifndef MIXFEED_TESTS_AUGMENT_RENDER_SCENES_H_
#define MIXFEED_TESTS_AUGMENT_RENDER_SCENES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "augment/render/pixel_format.h"
#include "augment/render/renderer.h"
#include "tests/augment/render/random_rows.h"
#include "tests/testing/naive_renderer.h"

namespace mixfeed::testing {

// Images and the rows to render of them.
struct Scene {
  ImageShape shape;
  int pad = 0;
  PadMode mode = PadMode::kReflect;
  std::vector<uint8_t> images;
  std::vector<RenderRow> rows;
  std::shared_ptr<RowParts> parts = std::make_shared<RowParts>();  // what the rows point to

  NaiveSource source() const { return {shape, images, pad, mode}; }
  Pool pool() const;
  std::string name() const;
};

// Random pixels; RowMaker's plain rows.
Scene MakeScene(const ImageShape& shape, int pad, PadMode mode, int rows);

// Random pixels; RowMaker's varied rows.
Scene MakeVariedScene(const ImageShape& shape, int pad, PadMode mode, int rows);

// Sizes from 1x1 to 256x256, odd ones included; one to four channels; all pad modes and some
// widths; batches of 1 up to those of K = 8 views; plain and varied rows.
std::vector<Scene> ManyScenes();

struct NamedFormat {
  std::string name;
  PixelFormat format;
  double tolerance;  // of float32 against the exact value, where nothing is resampled
};

// Every type and layout, raw and normalised, for images of `channels`.
std::vector<NamedFormat> ManyFormats(int channels);

// ManyFormats, or the first and the last of them for a scene of many pixels.
std::vector<NamedFormat> FormatsOf(const Scene& scene);

// Bytes of all of `scene`'s images in `type`.
size_t SceneBytes(const Scene& scene, PixelType type);

// The scene as the scalar definition of every element gives it: what all back ends have to equal.
std::vector<std::byte> RenderedByElement(const Scene& scene, const PixelFormat& format);

// Checks `out`, the scene rendered in `format`, against the naive renderer: float32 to the
// tolerance, uint8 exactly but for ties; both may be as far off as float32 coordinates (resample.h)
// imply where a row's views are resampled. The 16-bit types have to be the exact rounding of
// `as_float32`, the same rendered in float32.
void ExpectMatchesNaive(const Scene& scene, const NamedFormat& format,
                        std::span<const std::byte> out, std::span<const std::byte> as_float32);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_RENDER_SCENES_H_
