// The levels of views with effects, bit for bit as resample.h, tone.h and render_element.h define
// them.

// Highway's toggling guard: the pass of each target gets in once.
#if defined(MIXFEED_AUGMENT_RENDER_CPU_LEVELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MIXFEED_AUGMENT_RENDER_CPU_LEVELS_INL_H_
#undef MIXFEED_AUGMENT_RENDER_CPU_LEVELS_INL_H_
#else
#define MIXFEED_AUGMENT_RENDER_CPU_LEVELS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "augment/render/cpu_lines-inl.h"
#include "augment/render/narrow.h"
#include "augment/render/pick.h"
#include "augment/render/pixel.h"
#include "augment/render/render_job.h"
#include "augment/render/resample.h"
#include "augment/render/tone.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace HWY_NAMESPACE {

// The integers that floats of whole numbers from 0 to 2^22 - 1 hold.
template <class D>
HWY_INLINE hn::Vec<IntsOf<D>> WholeToInts(D df, hn::Vec<D> whole) {
  const IntsOf<D> di;
  const auto apart = hn::Set(df, kIntegersApart);
  return hn::Sub(hn::BitCast(di, hn::Add(whole, apart)), hn::BitCast(di, apart));
}

// resample.h's Reflect, whose comments hold here.
template <class D>
HWY_INLINE hn::Vec<D> Reflected(D df, hn::Vec<D> places, const ReflectedAxis& axis) {
  const auto period = hn::Set(df, axis.period);
  const auto distance = hn::Abs(places);
  const auto periods = hn::Floor(hn::Mul(distance, hn::Set(df, axis.inverse_period)));
  const auto left = hn::Sub(distance, hn::Mul(periods, period));
  const auto beyond = hn::Gt(left, hn::Set(df, axis.last));
  return hn::Abs(hn::IfThenElse(beyond, hn::Sub(period, left), left));
}

template <class D>
HWY_INLINE hn::Vec<D> Between(hn::Vec<D> first, hn::Vec<D> second, hn::Vec<D> part) {
  return hn::Add(first, hn::Mul(part, hn::Sub(second, first)));
}

// Makes the lines of views. Has the memory for what is between, which grows with the bands.
template <class D>
class LevelMaker {
 public:
  explicit LevelMaker(const RenderJob& job) : job_(job), width_(static_cast<size_t>(job.width)) {}

  // Calls use(line_of), where line_of(c) is line y0 of channel c of `source` after all of its
  // effects; the lines down to y1 - 1 follow.
  template <class Use>
  void Make(const SourceJob& source, int y0, int y1, const Use& use) {
    if (source.effects == kNone) return UsePlain(source.view, y0, use);
    const EffectsJob& effects = job_.effects[source.effects];
    Reserve(y0, y1);
    if (effects.tone == kNone) {
      Show<false>(source, y0, y1);
      FillHole(effects, y0, y1);
      return use([&](int c) { return FloatLine{LevelsOf(c), width_}; });
    }
    Show<true>(source, y0, y1);
    Tone(job_.tones[effects.tone]);
    if (effects.hole.empty()) return use([&](int c) { return TonedLineOf(c); });
    for (int c = 0; c < job_.channels; ++c) {
      StoreLines<D>(TonedLineOf(c), width_, y1 - y0, LevelsOf(c));
    }
    FillHole(effects, y0, y1);
    use([&](int c) { return FloatLine{LevelsOf(c), width_}; });
  }

 private:
  size_t Channels() const { return static_cast<size_t>(job_.channels); }
  float* LevelsOf(int c) { return levels_.data() + static_cast<size_t>(c) * count_; }
  TonedLine TonedLineOf(int c) const {
    const size_t first = static_cast<size_t>(c) * count_;
    return {reinterpret_cast<const float*>(steps_.data() + first), parts_.data() + first, width_};
  }

  template <class Use>
  void UsePlain(const ViewSource& view, int y0, const Use& use) {
    if (view.step < 0) {
      use([&](int c) { return FirstLine<true>(job_, view, c, y0, 0); });
    } else {
      use([&](int c) { return FirstLine<false>(job_, view, c, y0, 0); });
    }
  }

  void Reserve(int y0, int y1) {
    count_ = static_cast<size_t>(y1 - y0) * width_;
    if (count_ <= right_.size()) return;
    right_.resize(count_);
    down_.resize(count_);
    places_.resize(Channels() * count_);
    quads_.resize(Channels() * count_);
    levels_.resize(Channels() * count_);
    parts_.resize(Channels() * count_);
    steps_.resize(Channels() * count_);
  }

  // Before the tone: levels_, or with one to follow, the places in its table and the parts.
  template <bool kToned>
  void Show(const SourceJob& source, int y0, int y1) {
    if (job_.effects[source.effects].resampled) return Resample<kToned>(source, y0, y1);
    UsePlain(source.view, y0, [&](const auto& line_of) HWY_ATTR {
      for (int c = 0; c < job_.channels; ++c) {
        StoreLines<D>(line_of(c), width_, y1 - y0, LevelsOf(c));
        if constexpr (kToned) {
          const float* const levels = LevelsOf(c);
          CoverLine(count_, hn::Lanes(D()),
                    [&](size_t i) HWY_ATTR { Put<true>(c, i, hn::LoadU(D(), levels + i)); });
        }
      }
    });
  }

  template <bool kToned>
  void Resample(const SourceJob& source, int y0, int y1) {
    Map(job_.effects[source.effects].map, y0, y1);
    PickQuads(job_.pool + source.view.origin, job_.strides, job_.channels,
              job_.y_axis.to_next * job_.strides.row, places_.data(), count_, quads_.data());
    for (int c = 0; c < job_.channels; ++c) Interpolate<kToned>(c);
  }

  // Pixels i to i + N - 1 of channel c.
  template <bool kToned>
  HWY_INLINE void Put(int c, size_t i, hn::Vec<D> levels) {
    const D df;
    const size_t at = static_cast<size_t>(c) * count_ + i;
    if constexpr (kToned) {
      const auto whole = hn::Floor(levels);
      hn::StoreU(WholeToInts(df, whole), IntsOf<D>(), places_.data() + at);
      hn::StoreU(hn::Sub(levels, whole), df, parts_.data() + at);
    } else {
      hn::StoreU(levels, df, levels_.data() + at);
    }
  }

  // Where the pixels of lines y0..y1-1 are in a channel of the padded image, and how far from
  // there.
  void Map(const ProjectiveMap& map, int y0, int y1) {
    const D df;
    const IntsOf<D> di;
    const size_t width = width_;
    const ReflectedAxis x_axis = job_.x_axis;
    const ReflectedAxis y_axis = job_.y_axis;
    const auto stride = hn::Set(df, static_cast<float>(job_.strides.row));
    const auto counted = hn::Iota(df, 0);  // made through memory, which is slow
    const float x_rise = map.m[0];
    const float y_rise = map.m[3];
    const float denominator_rise = map.m[6];
    int32_t* places = places_.data();
    float* right = right_.data();
    float* down = down_.data();
    for (int y = y0; y < y1; ++y) {
      const MapLine line = MapLineAt(map, y);
      CoverLine(width, hn::Lanes(df), [&](size_t x) HWY_ATTR {
        const auto at = hn::Add(counted, hn::Set(df, static_cast<float>(x)));
        const auto scaled = [&](float rise, float start) HWY_ATTR {
          return hn::Add(hn::Mul(hn::Set(df, rise), at), hn::Set(df, start));
        };
        const auto inverse = hn::Div(hn::Set(df, 1.0f), scaled(denominator_rise, line.denominator));
        const auto column = Reflected(df, hn::Mul(scaled(x_rise, line.x), inverse), x_axis);
        const auto row = Reflected(df, hn::Mul(scaled(y_rise, line.y), inverse), y_axis);
        const auto first_column = hn::Floor(hn::Min(column, hn::Set(df, x_axis.last_first)));
        const auto first_row = hn::Floor(hn::Min(row, hn::Set(df, y_axis.last_first)));
        const auto place = WholeToInts(df, hn::Add(hn::Mul(first_row, stride), first_column));
        hn::StoreU(place, di, places + x);
        hn::StoreU(hn::Sub(column, first_column), df, right + x);
        hn::StoreU(hn::Sub(row, first_row), df, down + x);
      });
      places += width;
      right += width;
      down += width;
    }
  }

  // The levels of channel c's quads.
  template <bool kToned>
  void Interpolate(int c) {
    const D df;
    const BitsOf<D> d32;
    const uint32_t* const quads = quads_.data() + static_cast<size_t>(c) * count_;
    const float* const right = right_.data();
    const float* const down = down_.data();
    CoverLine(count_, hn::Lanes(df), [&](size_t i) HWY_ATTR {
      const auto quad = hn::LoadU(d32, quads + i);
      const auto to_right = hn::LoadU(df, right + i);
      const auto top = Between<D>(Corner<0>(quad), Corner<1>(quad), to_right);
      const auto bottom = Between<D>(Corner<2>(quad), Corner<3>(quad), to_right);
      Put<kToned>(c, i, Between<D>(top, bottom, hn::LoadU(df, down + i)));
    });
  }
  template <int kByte>
  static HWY_INLINE hn::Vec<D> Corner(hn::Vec<BitsOf<D>> quad) {
    const auto byte = hn::And(hn::ShiftRight<8 * kByte>(quad), hn::Set(BitsOf<D>(), 0xFF));
    return hn::ConvertTo(D(), hn::BitCast(IntsOf<D>(), byte));
  }

  void Tone(const ToneTable& table) {
    Pick(table.steps, places_.data(), Channels() * count_, steps_.data());
  }

  void FillHole(const EffectsJob& effects, int band_y0, int band_y1) {
    const int y0 = std::max<int>(band_y0, effects.hole.y0);
    const int y1 = std::min<int>(band_y1, effects.hole.y1);
    for (int c = 0; c < job_.channels; ++c) {
      for (int y = y0; y < y1; ++y) {
        float* const line = LevelsOf(c) + static_cast<size_t>(y - band_y0) * width_;
        std::fill(line + effects.hole.x0, line + effects.hole.x1, effects.fill[c]);
      }
    }
  }

  const RenderJob& job_;
  const size_t width_;
  size_t count_ = 0;  // pixels of a channel of the band
  // Of one channel, since all share them.
  std::vector<float> right_;
  std::vector<float> down_;
  // [channels][count_]
  std::vector<int32_t> places_;  // in the image (the first channel's), then in the tone table
  std::vector<uint32_t> quads_;
  std::vector<float> levels_;
  std::vector<float> parts_;
  std::vector<uint64_t> steps_;
};

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
