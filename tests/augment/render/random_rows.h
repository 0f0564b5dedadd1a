#ifndef MIXFEED_TESTS_AUGMENT_RENDER_RANDOM_ROWS_H_
#define MIXFEED_TESTS_AUGMENT_RENDER_RANDOM_ROWS_H_

#include <deque>
#include <random>
#include <vector>

#include "augment/pool/dataset.h"
#include "augment/render/renderer.h"

namespace mixfeed::testing {

// What rows point to.
struct RowParts {
  std::deque<ViewEffects> effects;
  std::deque<std::vector<WeightedView>> more;
};

// Draws rows of every kind.
class RowMaker {
 public:
  // Of a pool of `images` of `shape` with `pad`; what the rows point to is added to `parts`.
  RowMaker(std::mt19937* random, const ImageShape& shape, int pad, int images, RowParts* parts)
      : random_(*random), shape_(shape), pad_(pad), images_(images), parts_(*parts) {}

  // A crop, perhaps mirrored.
  RenderView PlainView();
  // Two plain views; lambdas of 0, 1, 1/2, next to 1 and random ones in turn.
  RenderRow PlainRow(int row);
  // In turn: two views, one, a box, 3 to 8 views; of any effects, and in every other turn of none.
  RenderRow VariedRow(int row);

 private:
  double Uniform(double low, double high);
  bool Chance(double probability) { return Uniform(0, 1) < probability; }
  int16_t UpTo(int highest);
  Box RandomBox();
  void Resample(ViewEffects* effects);
  void AddTone(ViewEffects* effects);
  void AddHole(ViewEffects* effects);
  RenderView VariedView(bool with_effects);
  void AddMore(bool with_effects, RenderRow* row);

  std::mt19937& random_;
  const ImageShape shape_;
  const int pad_;
  const int images_;
  RowParts& parts_;
};

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_RENDER_RANDOM_ROWS_H_
