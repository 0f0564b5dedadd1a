#include "augment/plan/view_sampler.h"

#include <algorithm>
#include <utility>

#include "augment/plan/distributions.h"
#include "augment/plan/warp.h"

namespace mixfeed {
namespace {

bool HasEffects(const ViewSpec& spec) {
  return spec.warp.resamples() || spec.warp.tones() || spec.cutout.size > 0;
}

// One side of the hole: where it begins and ends in an image of `side` pixels.
std::pair<int, int> DrawSpan(const CutoutSpec& cutout, int side, PhiloxStream* stream) {
  if (cutout.place == CutoutPlace::kInside) {
    const int begin =
        static_cast<int>(UniformInt(static_cast<uint32_t>(side - cutout.size + 1), stream));
    return {begin, begin + cutout.size};
  }
  // An even size has no middle pixel: its centre is the first one of the second half.
  const int begin =
      static_cast<int>(UniformInt(static_cast<uint32_t>(side), stream)) - cutout.size / 2;
  return {std::max(begin, 0), std::min(begin + cutout.size, side)};
}

}  // namespace

ViewSampler::ViewSampler(const ViewSpec& spec, const ImageShape& shape, uint64_t seed)
    : spec_(spec), shape_(shape), seed_(seed) {}

ViewPlan ViewSampler::Draw(const ViewPlace& place, PoolId pool, const DrawnSample& sample,
                           std::vector<ViewEffects>* effects) const {
  PhiloxStream stream(seed_, place.purpose, static_cast<uint64_t>(place.step),
                      static_cast<uint32_t>(place.image), static_cast<uint32_t>(place.view));
  ViewPlan view;
  view.sample = sample.sample;
  view.pool = pool;
  view.view = static_cast<uint8_t>(place.view);
  view.flip = DrawFlip(place, sample, &stream) ? 1 : 0;
  DrawCrop(&stream, &view);
  if (HasEffects(spec_)) {
    const ViewEffects drawn = DrawEffects(view, &stream);
    if (drawn != ViewEffects()) {
      view.effects = static_cast<int32_t>(effects->size());
      effects->push_back(drawn);
    }
  }
  return view;
}

bool ViewSampler::DrawFlip(const ViewPlace& place, const DrawnSample& sample,
                           PhiloxStream* stream) const {
  if (spec_.flip_rule == FlipRule::kRandom) return Bernoulli(spec_.flip_probability, stream);
  PhiloxStream first(seed_, Purpose::kFirstFlip, static_cast<uint64_t>(sample.sample),
                     static_cast<uint32_t>(place.purpose), static_cast<uint32_t>(place.view));
  return Bernoulli(spec_.flip_probability, &first) != (sample.epoch % 2 == 1);
}

void ViewSampler::DrawCrop(PhiloxStream* stream, ViewPlan* view) const {
  const int last = 2 * spec_.pad - (spec_.crop_range == CropRange::kWithoutLast ? 1 : 0);
  const auto offsets = static_cast<uint32_t>(last + 1);
  view->crop_y = static_cast<int16_t>(UniformInt(offsets, stream));
  view->crop_x = static_cast<int16_t>(UniformInt(offsets, stream));
  // A plan's crop is of the mirrored image; mirrored afterwards, it lies on the other side. That
  // matters to offsets that are not symmetric alone, and where it does not the order is no part of
  // a feed's id: it must not show.
  if (spec_.crop_range == CropRange::kWithoutLast && spec_.order == ViewOrder::kCropFirst &&
      view->flip != 0) {
    view->crop_x = static_cast<int16_t>(2 * spec_.pad - view->crop_x);
  }
}

ViewEffects ViewSampler::DrawEffects(const ViewPlan& view, PhiloxStream* stream) const {
  ViewEffects effects;
  if (spec_.warp.resamples()) {
    const WarpDraw draw = DrawWarp(spec_.warp, stream);
    if (draw != WarpDraw()) {
      effects.resampled = true;
      effects.map = WarpMap(draw, {.image = shape_,
                                   .pad = spec_.pad,
                                   .crop_y = view.crop_y,
                                   .crop_x = view.crop_x,
                                   .flip = view.flip != 0});
    }
  }
  if (spec_.warp.tones()) DrawTone(spec_.warp, stream, &effects);
  if (spec_.cutout.size > 0) DrawHole(stream, &effects);
  return effects;
}

void ViewSampler::DrawHole(PhiloxStream* stream, ViewEffects* effects) const {
  const CutoutSpec& cutout = spec_.cutout;
  const auto [y0, y1] = DrawSpan(cutout, shape_.height, stream);
  const auto [x0, x1] = DrawSpan(cutout, shape_.width, stream);
  effects->hole = {.y0 = static_cast<int16_t>(y0),
                   .x0 = static_cast<int16_t>(x0),
                   .y1 = static_cast<int16_t>(y1),
                   .x1 = static_cast<int16_t>(x1)};
  effects->normalised_zero = cutout.fill_with == CutoutFill::kNormalisedZero;
  if (effects->normalised_zero) return;
  for (size_t c = 0; c < cutout.fill.size(); ++c) {
    effects->fill[c] = static_cast<float>(cutout.fill[c]);
  }
}

}  // namespace mixfeed
