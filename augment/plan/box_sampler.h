#ifndef MIXFEED_AUGMENT_PLAN_BOX_SAMPLER_H_
#define MIXFEED_AUGMENT_PLAN_BOX_SAMPLER_H_

#include <span>

#include "augment/plan/distributions.h"
#include "augment/plan/philox.h"
#include "augment/pool/dataset.h"
#include "augment/pool/view_effects.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// A box that shows the partner, and the weight of the row's own label.
struct DrawnBox {
  Box box;  // may be empty: nothing is pasted
  double lambda = 1;
};

// The box of kClipped for a lambda of 0..1 and a centre within the image.
Box ClippedBox(const ImageShape& shape, double lambda, int centre_y, int centre_x);

// Draws CutMix's boxes. kClipped (Yun et al. 2019, algorithm 1): lambda ~ Beta, sides
// int(side * sqrt(1 - lambda)), of which the half (rounded down) lies to each side of a centre that
// is uniform over the pixels; what is outside is cut off. kMinMax (timm, rand_bbox_minmax): sides
// uniform on int(min * side)..int(max * side) - 1, as NumPy's randint draws them (the lower end
// alone where the two are equal), the corner uniform on 0..side - length - 1.
class BoxSampler {
 public:
  BoxSampler(const CutMixSpec& spec, const ImageShape& shape);

  // boxes[i] from streams[i]. Each depends on its own stream only.
  void Draw(std::span<PhiloxStream> streams, std::span<DrawnBox> boxes) const;

 private:
  void DrawClipped(std::span<PhiloxStream> streams, std::span<DrawnBox> boxes) const;
  DrawnBox DrawMinMax(PhiloxStream* stream) const;
  double AreaLambda(const Box& box) const;

  const CutMixSpec spec_;
  const ImageShape shape_;
  const BetaDistribution lambda_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_BOX_SAMPLER_H_
