#ifndef MIXFEED_TESTS_AUGMENT_RENDER_SCENES_H_
#define MIXFEED_TESTS_AUGMENT_RENDER_SCENES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "augment/render/pixel_format.h"
#include "augment/render/renderer.h"
#include "tests/testing/naive_renderer.h"

namespace mixfeed::testing {

// Images and the rows to render of them.
struct Scene {
  ImageShape shape;
  int pad = 0;
  PadMode mode = PadMode::kReflect;
  std::vector<uint8_t> images;
  std::vector<RenderRow> rows;

  NaiveSource source() const { return {shape, images, pad, mode}; }
  Pool pool() const;
  std::string name() const;
};

// Random pixels; random views; lambdas of 0, 1, 1/2, next to 1 and random ones in turn.
Scene MakeScene(const ImageShape& shape, int pad, PadMode mode, int rows);

// Sizes from 1x1 to beyond 32x32, odd ones included; grey and colour; all pad modes and some
// widths; batches of 1 up to those of K = 8 views.
std::vector<Scene> ManyScenes();

struct NamedFormat {
  std::string name;
  PixelFormat format;
  double tolerance;  // of float32 against the exact value
};

// Every type and layout, raw and normalised, for images of `channels`.
std::vector<NamedFormat> ManyFormats(int channels);

// Bytes of all of `scene`'s images in `type`.
size_t SceneBytes(const Scene& scene, PixelType type);

// The scene as the scalar definition of every element gives it: what all back ends have to equal.
std::vector<std::byte> RenderedByElement(const Scene& scene, const PixelFormat& format);

// Checks `out`, the scene rendered in `format`, against the naive renderer: float32 to the
// tolerance, uint8 exactly but for ties. The 16-bit types have to be the exact rounding of
// `as_float32`, the same rendered in float32.
void ExpectMatchesNaive(const Scene& scene, const NamedFormat& format,
                        std::span<const std::byte> out, std::span<const std::byte> as_float32);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_RENDER_SCENES_H_
