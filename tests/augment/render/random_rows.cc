#include "tests/augment/render/random_rows.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace mixfeed::testing {

double RowMaker::Uniform(double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(random_);
}

int16_t RowMaker::UpTo(int highest) {
  return std::uniform_int_distribution<int16_t>(0, static_cast<int16_t>(highest))(random_);
}

RenderView RowMaker::PlainView() {
  std::uniform_int_distribution<int> image(0, images_ - 1);
  return {image(random_), UpTo(2 * pad_), UpTo(2 * pad_), static_cast<uint8_t>(random_() & 1)};
}

RenderRow RowMaker::PlainRow(int row) {
  constexpr float kSpecial[] = {1.0f, 0.0f, 0.5f, 0.99999994f, 1e-30f};
  constexpr int kPeriod = 8;
  const RenderView a = PlainView();
  const RenderView b = PlainView();
  const int place = row % kPeriod;
  if (place < static_cast<int>(std::size(kSpecial))) return {a, b, kSpecial[place]};
  return {a, b, static_cast<float>(Uniform(0, 1))};
}

// Not empty; now and then a single pixel or the whole image.
Box RowMaker::RandomBox() {
  if (Chance(0.1)) {
    return {0, 0, static_cast<int16_t>(shape_.height), static_cast<int16_t>(shape_.width)};
  }
  const int16_t y0 = UpTo(shape_.height - 1);
  const int16_t x0 = UpTo(shape_.width - 1);
  const auto y1 = static_cast<int16_t>(y0 + 1 + UpTo(shape_.height - 1 - y0));
  const auto x1 = static_cast<int16_t>(x0 + 1 + UpTo(shape_.width - 1 - x0));
  return {y0, x0, y1, x1};
}

// A rotation with a zoom about the image's centre, a shift, of several images now and then, and a
// perspective. One in eight maps is a crop, whose coordinates are whole.
void RowMaker::Resample(ViewEffects* effects) {
  effects->resampled = true;
  if (Chance(0.125)) {
    effects->map = {
        1, 0, static_cast<float>(UpTo(2 * pad_)), 0, 1, static_cast<float>(UpTo(2 * pad_)), 0, 0};
    return;
  }
  const double side = std::max(shape_.height, shape_.width);
  const double angle = Uniform(-0.6, 0.6);
  const double zoom = Uniform(0.6, 1.4);
  const double reach = Chance(0.2) ? 3 * side : side / 4;
  const double cosine = zoom * std::cos(angle);
  const double sine = zoom * std::sin(angle);
  const double tilt = Chance(0.5) ? 0.3 / side : 0;
  const double shift = Uniform(-reach, reach) + pad_;
  const double numbers[] = {
      cosine, -sine, shift, sine, cosine, -shift, Uniform(-tilt, tilt), Uniform(-tilt, tilt)};
  for (size_t i = 0; i < effects->map.size(); ++i) {
    effects->map[i] = static_cast<float>(numbers[i]);
  }
}

void RowMaker::AddTone(ViewEffects* effects) {
  effects->toned = true;
  effects->contrast = Chance(0.1) ? 0 : std::exp(Uniform(-1, 1));
  effects->brightness = Chance(0.1) ? -17 : Uniform(-1, 1);
}

void RowMaker::AddHole(ViewEffects* effects) {
  effects->hole = RandomBox();
  effects->normalised_zero = Chance(0.5);
  for (float& level : effects->fill) level = static_cast<float>(Uniform(0, 255));
}

RenderView RowMaker::VariedView(bool with_effects) {
  RenderView view = PlainView();
  if (!with_effects || Chance(0.2)) return view;
  ViewEffects& effects = parts_.effects.emplace_back();
  if (Chance(0.6)) Resample(&effects);
  if (Chance(0.5)) AddTone(&effects);
  if (Chance(0.5)) AddHole(&effects);
  view.effects = &effects;
  return view;
}

void RowMaker::AddMore(bool with_effects, RenderRow* row) {
  std::vector<WeightedView>& more = parts_.more.emplace_back();
  const int count = 1 + UpTo(static_cast<int>(kMaxMoreViews) - 1);
  row->lambda = static_cast<float>(Uniform(0, 1));
  double left = 1 - double{row->lambda};
  for (int i = 0; i < count; ++i) {
    const double weight = Uniform(0, left / 2);
    more.push_back({VariedView(with_effects), static_cast<float>(weight)});
    left -= weight;
  }
  row->more = more;
}

RenderRow RowMaker::VariedRow(int row) {
  constexpr int kKinds = 4;
  const bool with_effects = (row / kKinds) % 2 == 0;
  RenderRow made = {VariedView(with_effects), VariedView(with_effects)};
  switch (row % kKinds) {
    case 0:
      made.lambda = static_cast<float>(Uniform(0, 1));
      break;
    case 1:
      break;
    case 2:
      made.box = RandomBox();
      break;
    default:
      AddMore(with_effects, &made);
  }
  return made;
}

}  // namespace mixfeed::testing
