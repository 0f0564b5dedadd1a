// Rows of any views, a band of lines at a time, so that what is between stays in the nearest cache.

// Highway's toggling guard: the pass of each target gets in once.
#if defined(MIXFEED_AUGMENT_RENDER_CPU_COMPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MIXFEED_AUGMENT_RENDER_CPU_COMPOSE_INL_H_
#undef MIXFEED_AUGMENT_RENDER_CPU_COMPOSE_INL_H_
#else
#define MIXFEED_AUGMENT_RENDER_CPU_COMPOSE_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "augment/render/cpu_levels-inl.h"
#include "augment/render/cpu_lines-inl.h"
#include "augment/render/pixel.h"
#include "augment/render/render_job.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace HWY_NAMESPACE {

// Makes float32 lines of rows that have boxes or many views: a band of lines at a time. Has the
// memory for it, which grows to what the rows need.
template <class D>
class Composer {
 public:
  explicit Composer(const RenderJob& job)
      : job_(job),
        band_lines_(std::clamp(kBandPixels / job.width, 1, job.height)),
        width_(static_cast<size_t>(job.width)),
        plane_(static_cast<size_t>(band_lines_) * width_),
        maker_(job) {}

  // The most lines of a band.
  int band_lines() const { return band_lines_; }
  LevelMaker<D>& level_maker() { return maker_; }

  // Lines y0..y1-1 of what a boxed row shows: levels.
  void ShowBoxed(const RowJob& row, int y0, int y1) {
    Store(row.a, y0, y0, y1, &made_);
    const Box& box = row.box;
    const int from = std::max<int>(y0, box.y0);
    const int to = std::min<int>(y1, box.y1);
    if (from >= to) return;
    Store(row.b, y0, from, to, &boxed_);
    for (size_t c = 0; c < static_cast<size_t>(job_.channels); ++c) {
      for (int y = from; y < to; ++y) {
        const size_t line = c * plane_ + static_cast<size_t>(y - y0) * width_;
        const float* const b = boxed_.data() + line;
        std::copy(b + box.x0, b + box.x1, made_.data() + line + box.x0);
      }
    }
  }

  // Lines y0..y1-1 of the sum of a row's views beyond `a` and `b`. There is at least one.
  void SumMore(const RowJob& row, int y0, int y1) {
    summed_ = 0;
    for (int i = row.more_count - 1; i >= 0; --i) {
      const MoreJob& further = job_.more[row.first_more + i];
      Add(
          row, further.source, [&](int c) { return further.weights[c]; }, y0, y1);
    }
  }

  // Lines y0..y1-1 of the sum of all of a row's views.
  void SumAll(const RowJob& row, int y0, int y1) {
    SumMore(row, y0, y1);
    Add(
        row, row.b, [&](int c) { return row.channels[c].b_weight; }, y0, y1);
    Add(
        row, row.a, [&](int c) { return row.channels[c].a_weight; }, y0, y1);
  }

  // The first line of channel c that was made last.
  FloatLine Made(int c) const { return LineOf(made_, c); }

 private:
  // What is between is then some 20 KiB for four channels, and stays in the nearest cache.
  static constexpr int kBandPixels = 128;

  FloatLine LineOf(const std::vector<float>& pixels, int c) const {
    return {pixels.data() + static_cast<size_t>(c) * plane_, width_};
  }

  // Stores the levels of lines from..to-1 of the band that starts at y0.
  void Store(const SourceJob& source, int y0, int from, int to, std::vector<float>* levels) {
    levels->resize(static_cast<size_t>(job_.channels) * plane_);
    float* const first = levels->data() + static_cast<size_t>(from - y0) * width_;
    maker_.Make(source, from, to, [&](const auto& line_of) HWY_ATTR {
      for (int c = 0; c < job_.channels; ++c) {
        StoreLines<D>(line_of(c), width_, to - from, first + static_cast<size_t>(c) * plane_);
      }
    });
  }

  // Adds a view to the sum, which starts as the row's offset.
  template <class Weight>
  void Add(const RowJob& row, const SourceJob& source, const Weight& weight, int y0, int y1) {
    below_.resize(static_cast<size_t>(job_.channels) * plane_);
    // Vectors of a line may overlap, so a sum is never made in place.
    std::swap(made_, below_);
    made_.resize(below_.size());
    maker_.Make(source, y0, y1, [&](const auto& line_of) HWY_ATTR {
      for (int c = 0; c < job_.channels; ++c) {
        AddLines(line_of(c), weight(c), row.channels[c].offset, c, y1 - y0);
      }
    });
    ++summed_;
  }
  template <class View>
  void AddLines(const View& view, float weight, float offset, int c, int lines) {
    float* const sum = made_.data() + static_cast<size_t>(c) * plane_;
    if (summed_ == 0) {
      StoreLines<D>(SumLine<View, ConstantLine>{view, weight, {offset}}, width_, lines, sum);
    } else {
      StoreLines<D>(SumLine<View, FloatLine>{view, weight, LineOf(below_, c)}, width_, lines, sum);
    }
  }

  const RenderJob& job_;
  const int band_lines_;
  const size_t width_;
  const size_t plane_;  // pixels of a channel of a band
  LevelMaker<D> maker_;
  std::vector<float> made_;
  std::vector<float> below_;  // the sum that another view is added to
  std::vector<float> boxed_;  // what is put into boxes
  int summed_ = 0;            // views in the sum
};

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
