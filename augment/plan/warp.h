#ifndef MIXFEED_AUGMENT_PLAN_WARP_H_
#define MIXFEED_AUGMENT_PLAN_WARP_H_

#include <array>

#include "augment/plan/philox.h"
#include "augment/pool/dataset.h"
#include "augment/pool/view_effects.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// The geometry of fastai v1's get_transforms (fastai/vision/transform.py). Coordinates (u, v) run
// from -1 at the centre of the first pixel to 1 at that of the last.
struct WarpDraw {
  std::array<double, 4> perspective = {0, 0, 0, 0};  // the four magnitudes of symmetric_warp
  double rotation = 0;                               // degrees
  double zoom = 1;
  double zoom_u = 0;  // the point that stays, -1..1: 2 col_pct - 1, 2 row_pct - 1
  double zoom_v = 0;

  friend bool operator==(const WarpDraw&, const WarpDraw&) = default;
};

// What the stream's next words say: each of the three happens with the spec's probability.
WarpDraw DrawWarp(const WarpSpec& spec, PhiloxStream* stream);

// Adds the tone that the stream's next words say to `effects`.
void DrawTone(const WarpSpec& spec, PhiloxStream* stream, ViewEffects* effects);

// Where a view is taken from: its mirror and the offset of its crop in the padded image.
struct WarpFrame {
  ImageShape image;  // before padding; sides of 2 and more
  int pad = 0;
  int crop_y = 0;  // of the mirrored image, as ViewPlan
  int crop_x = 0;
  bool flip = false;
};

// The map of ViewEffects: mirror (which fastai does last), then perspective, then rotation, then
// zoom, all of the view's coordinates, then the crop.
std::array<float, 8> WarpMap(const WarpDraw& draw, const WarpFrame& frame);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_WARP_H_
