#ifndef MIXFEED_TESTS_AUGMENT_RECIPE_MIXED_BATCH_H_
#define MIXFEED_TESTS_AUGMENT_RECIPE_MIXED_BATCH_H_

#include <vector>

#include "augment/render/pixel_format.h"
#include "augment/render/renderer.h"
#include "tests/augment/recipe/golden_file.h"

namespace mixfeed::testing {

// A batch of goldens/mixing.txt: what was mixed, as rows to render, and what came out.
struct MixedBatch {
  ImageShape shape;
  int classes = 0;
  std::vector<uint8_t> images;
  std::vector<int> image_labels;
  double smoothing = 0;
  bool own_targets = false;
  std::vector<RenderRow> rows;  // of CutMix's rows the box; lambda is 1 where the box is empty
  std::vector<float> lambda;    // weight of each row's own label
  PixelType type = PixelType::kFloat32;
  std::vector<float> pixels;  // [rows][C][H][W], raw levels
  std::vector<float> labels;  // [rows][classes]
};

MixedBatch ReadMixedBatch(const GoldenCase& golden);

// Whether the golden has rows that are cut instead of blended.
inline bool HasBoxes(const GoldenCase& golden) { return golden.has("box"); }

// Renders the batch as it says on the CPU and checks every pixel: float32 to the renderer's
// tolerance, uint8 exactly.
void ExpectRendersAsGolden(const GoldenCase& golden);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_RECIPE_MIXED_BATCH_H_
