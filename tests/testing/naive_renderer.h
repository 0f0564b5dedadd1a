#ifndef MIXFEED_TESTS_TESTING_NAIVE_RENDERER_H_
#define MIXFEED_TESTS_TESTING_NAIVE_RENDERER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "augment/pool/dataset.h"
#include "augment/pool/pool.h"
#include "augment/render/pixel_format.h"
#include "augment/render/renderer.h"

namespace mixfeed::testing {

// Images as a dataset holds them, and how they are to be padded.
struct NaiveSource {
  ImageShape shape;
  std::span<const uint8_t> pixels;  // [count][C][H][W], not padded
  int pad = 0;
  PadMode mode = PadMode::kReflect;
};

// What a renderer has to give for `rows` (their image is an index into `source`), as plain loops in
// double precision that share no code with the renderers: [rows][C][H][W], not rounded to any type.
std::vector<double> RenderNaively(const NaiveSource& source, std::span<const RenderRow> rows,
                                  const Normalisation& normalisation);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_TESTING_NAIVE_RENDERER_H_
