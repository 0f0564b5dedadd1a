#ifndef MIXFEED_AUGMENT_POOL_VIEW_EFFECTS_H_
#define MIXFEED_AUGMENT_POOL_VIEW_EFFECTS_H_

#include <array>
#include <cstdint>

namespace mixfeed {

// A rectangle of pixels: rows y0..y1-1, columns x0..x1-1. Empty unless y0 < y1 and x0 < x1.
struct Box {
  int16_t y0 = 0;
  int16_t x0 = 0;
  int16_t y1 = 0;
  int16_t x1 = 0;

  bool empty() const { return y0 >= y1 || x0 >= x1; }
  int32_t area() const { return empty() ? 0 : (y1 - y0) * (x1 - x0); }
  friend bool operator==(const Box&, const Box&) = default;
};

// What a view does to its image beyond mirroring and cropping, in this order: resampling, tone,
// hole. A plan draws it, a renderer does it.
struct ViewEffects {
  // Resampling: pixel (x, y) of the view shows the padded image at
  //   d = map[6] x + map[7] y + 1
  //   ((map[0] x + map[1] y + map[2]) / d, (map[3] x + map[4] y + map[5]) / d),
  // (x, y) again, counted from the centre of the first pixel; beyond the border the image is
  // reflected, the edge pixel not repeated; in between it is bilinear. The map takes the place of
  // the view's crop and mirror, which are composed into it.
  bool resampled = false;
  std::array<float, 8> map = {1, 0, 0, 0, 1, 0, 0, 0};

  // Tone: a pixel p of 0..1 becomes sigmoid(contrast * (logit(p) + brightness)), with p clamped to
  // 1e-7..1-1e-7 (fastai v1's lighting transforms). Between the 256 levels it is linear.
  bool toned = false;
  double contrast = 1;
  double brightness = 0;

  // Hole: inside it every pixel has the fill, in levels of 0..255 a channel; or, if
  // normalised_zero, 0 after the consumer's normalisation (its mean), whatever that is.
  Box hole;
  std::array<float, 4> fill = {0, 0, 0, 0};
  bool normalised_zero = false;

  friend bool operator==(const ViewEffects&, const ViewEffects&) = default;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_VIEW_EFFECTS_H_
