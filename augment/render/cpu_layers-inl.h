// Rows that are made layer by layer in float32: of more than two images, with boxes, or of views
// with effects. Bit for bit as render_element.h defines them.

// Highway's toggling guard: the pass of each target gets in once.
#if defined(MIXFEED_AUGMENT_RENDER_CPU_LAYERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MIXFEED_AUGMENT_RENDER_CPU_LAYERS_INL_H_
#undef MIXFEED_AUGMENT_RENDER_CPU_LAYERS_INL_H_
#else
#define MIXFEED_AUGMENT_RENDER_CPU_LAYERS_INL_H_
#endif

#include <array>
#include <cstddef>
#include <cstdint>

#include "augment/render/cpu_lines-inl.h"
#include "augment/render/pixel.h"
#include "augment/render/render_job.h"
#include "augment/render/resample.h"
#include "augment/render/tone.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace HWY_NAMESPACE {

// Part of an image: lines y0..y1-1, columns x0..x1-1.
struct Window {
  int y0;
  int x0;
  int y1;
  int x1;
};

// One image of a row, and what it does to the pixels of the layers below it.
struct Layer {
  const SourceJob* source = nullptr;
  const EffectsJob* effects = nullptr;
  std::array<float, kMaxChannels> weights = {};
  bool only_in_box = false;         // takes the place of what is below in the row's box
  const uint32_t* quads = nullptr;  // of a resampled view: see QuadPlanes
  const uint8_t* ahead = nullptr;   // the line at the top of an image that is needed next
};

// Calls make(x) for the starts of vectors of `lanes` pixels that together cover columns x0..x1-1 of
// a line of `width`, which is at least `lanes`. They may overlap and reach beyond the columns.
template <class Make>
HWY_INLINE void CoverColumns(int x0, int x1, int width, int lanes, const Make& make) {
  for (int x = x0; x < x1; x += lanes) make(x + lanes <= width ? x : width - lanes);
}

// The levels of a view that is not resampled: calls use(c, y, x, levels) over the window.
template <class D, bool kMirrored>
struct PoolLevels {
  template <class Use>
  static void ForEach(const RenderJob& job, const Layer& layer, const Window& window,
                      const Use& use) {
    const D df;
    const auto lanes = static_cast<int>(hn::Lanes(df));
    for (int c = 0; c < job.channels; ++c) {
      const int64_t first = SourceByte(job.strides, layer.source->view, c, window.y0, 0);
      ViewLine<kMirrored> line = {job.pool + first};
      const uint8_t* ahead = layer.ahead + c * job.strides.plane + window.y0 * job.strides.row;
      for (int y = window.y0; y < window.y1; ++y) {
        hwy::Prefetch(ahead);
        CoverColumns(window.x0, window.x1, job.width, lanes,
                     [&](int x) HWY_ATTR { use(c, y, x, line.Load(df, static_cast<size_t>(x))); });
        line.first += job.strides.row;
        ahead += job.strides.row;
      }
    }
  }
};

// The levels of a resampled view. The vectors follow the scalar functions of resample.h.
template <class D>
struct ResampledLevels {
  using V = hn::Vec<D>;
  using I = IntsOf<D>;

  template <class Use>
  static void ForEach(const RenderJob& job, const Layer& layer, const Window& window,
                      const Use& use) {
    const D df;
    const auto lanes = static_cast<int>(hn::Lanes(df));
    const ProjectiveMap& map = layer.effects->map;
    const uint8_t* ahead = layer.ahead + window.y0 * job.strides.row;
    for (int y = window.y0; y < window.y1; ++y) {
      PrefetchChannels(job, ahead);
      ahead += job.strides.row;
      const MapLine line = MapLineAt(map, y);
      CoverColumns(window.x0, window.x1, job.width, lanes, [&](int x) HWY_ATTR {
        V column, row;
        Map(map, line, x, column, row);
        column = Reflected(column, job.x_axis);
        row = Reflected(row, job.y_axis);
        const auto whole_column = hn::ConvertTo(I(), column);
        const auto whole_row = hn::ConvertTo(I(), row);
        const V right = hn::Sub(column, hn::ConvertTo(df, whole_column));
        const V down = hn::Sub(row, hn::ConvertTo(df, whole_row));
        const auto place = hn::Add(hn::Mul(whole_row, hn::Set(I(), job.strides.row)), whole_column);
        const uint32_t* quads = layer.quads;
        for (int c = 0; c < job.channels; ++c) {
          use(c, y, x, Level(hn::GatherIndex(BitsOf<D>(), quads, place), right, down));
          quads += job.strides.plane;
        }
      });
    }
  }

 private:
  static HWY_INLINE void PrefetchChannels(const RenderJob& job, const uint8_t* line) {
    for (int c = 0; c < job.channels; ++c) hwy::Prefetch(line + c * job.strides.plane);
  }
  static HWY_INLINE void Map(const ProjectiveMap& map, const MapLine& line, int x, V& column,
                             V& row) {
    const D df;
    const V at = hn::ConvertTo(df, hn::Iota(I(), x));
    const V denominator =
        hn::Add(hn::Mul(hn::Set(df, map.m[6]), at), hn::Set(df, line.denominator));
    column = hn::Div(hn::Add(hn::Mul(hn::Set(df, map.m[0]), at), hn::Set(df, line.x)), denominator);
    row = hn::Div(hn::Add(hn::Mul(hn::Set(df, map.m[3]), at), hn::Set(df, line.y)), denominator);
  }
  static HWY_INLINE V Reflected(V place, const ReflectedAxis& axis) {
    const D df;
    const V distance = hn::Abs(place);
    const V periods =
        hn::ConvertTo(df, hn::ConvertTo(I(), hn::Mul(distance, hn::Set(df, axis.inverse_period))));
    const V period = hn::Set(df, axis.period);
    const V left = hn::Sub(distance, hn::Mul(periods, period));
    const auto beyond = hn::Gt(left, hn::Set(df, axis.last));
    return hn::Abs(hn::IfThenElse(beyond, hn::Sub(period, left), left));
  }
  static HWY_INLINE V Between(V first, V second, V part) {
    return hn::Add(first, hn::Mul(part, hn::Sub(second, first)));
  }
  template <int kByte>
  static HWY_INLINE V Corner(hn::Vec<BitsOf<D>> quad) {
    const BitsOf<D> d32;
    const auto byte = hn::And(hn::ShiftRight<8 * kByte>(quad), hn::Set(d32, 0xFF));
    return hn::ConvertTo(D(), hn::BitCast(I(), byte));
  }
  static HWY_INLINE V Level(hn::Vec<BitsOf<D>> quad, V right, V down) {
    const V top = Between(Corner<0>(quad), Corner<1>(quad), right);
    const V bottom = Between(Corner<2>(quad), Corner<3>(quad), right);
    return Between(top, bottom, down);
  }
};

// A view's levels after its tone and its hole.
template <class D>
class Effects {
 public:
  Effects(const RenderJob& job, const EffectsJob& effects)
      : effects_(effects), table_(effects.tone == kNone ? nullptr : job.tones + effects.tone) {}

  HWY_INLINE hn::Vec<D> operator()(int c, int y, int x, hn::Vec<D> levels) const {
    if (table_ != nullptr) levels = Toned(levels);
    if (y < effects_.hole.y0 || y >= effects_.hole.y1) return levels;
    return hn::IfThenElse(InColumns(x, effects_.hole), hn::Set(D(), effects_.fill[c]), levels);
  }

  // Which of the columns from x on are in `box`.
  static HWY_INLINE auto InColumns(int x, const Box& box) {
    const D df;
    const IntsOf<D> di;
    const auto columns = hn::Iota(di, x);
    const auto from = hn::Gt(columns, hn::Set(di, box.x0 - 1));
    return hn::RebindMask(df, hn::And(from, hn::Lt(columns, hn::Set(di, box.x1))));
  }

 private:
  HWY_INLINE hn::Vec<D> Toned(hn::Vec<D> levels) const {
    const D df;
    const IntsOf<D> di;
    const auto whole = hn::ConvertTo(di, levels);
    const auto pair = hn::Add(whole, whole);
    const auto* const steps = reinterpret_cast<const float*>(table_->steps);
    const auto level = hn::GatherIndex(df, steps, pair);
    const auto rise = hn::GatherIndex(df, steps + 1, pair);
    return hn::Add(level, hn::Mul(hn::Sub(levels, hn::ConvertTo(df, whole)), rise));
  }

  const EffectsJob& effects_;
  const ToneTable* const table_;
};

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
