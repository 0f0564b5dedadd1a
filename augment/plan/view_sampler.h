#ifndef MIXFEED_AUGMENT_PLAN_VIEW_SAMPLER_H_
#define MIXFEED_AUGMENT_PLAN_VIEW_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "augment/plan/philox.h"
#include "augment/plan/plan.h"
#include "augment/plan/sample_stream.h"
#include "augment/pool/dataset.h"
#include "augment/recipe/recipe.h"

namespace mixfeed {

// Which view of a step is drawn: the place of its words.
struct ViewPlace {
  Purpose purpose = Purpose::kLabelledView;
  int64_t step = 0;
  int image = 0;  // index in its group
  int view = 0;
};

// Draws the views of a spec for images of one shape. Immutable.
class ViewSampler {
 public:
  ViewSampler(const ViewSpec& spec, const ImageShape& shape, uint64_t seed);

  // Appends what the view has beyond crop and mirror to `effects`.
  ViewPlan Draw(const ViewPlace& place, PoolId pool, const DrawnSample& sample,
                std::vector<ViewEffects>* effects) const;

 private:
  bool DrawFlip(const ViewPlace& place, const DrawnSample& sample, PhiloxStream* stream) const;
  void DrawCrop(PhiloxStream* stream, ViewPlan* view) const;
  ViewEffects DrawEffects(const ViewPlan& view, PhiloxStream* stream) const;
  void DrawHole(PhiloxStream* stream, ViewEffects* effects) const;

  const ViewSpec spec_;
  const ImageShape shape_;
  const uint64_t seed_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_VIEW_SAMPLER_H_
