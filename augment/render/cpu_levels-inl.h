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

// Lines y0..y1-1 of a view's channels, the first line of each `plane` floats after the last
// channel's.
struct LevelBand {
  float* levels;
  size_t plane;
  int y0;
  int y1;
};

// Makes the levels of views. Has the memory for what is between, which grows with the bands.
template <class D>
class LevelMaker {
 public:
  explicit LevelMaker(const RenderJob& job) : job_(job), width_(static_cast<size_t>(job.width)) {}

  // `source` after all of its effects.
  void Make(const SourceJob& source, const LevelBand& band) {
    if (source.effects == kNone) return Show(source, band);
    const EffectsJob& effects = job_.effects[source.effects];
    Reserve(Count(band));
    if (effects.tone == kNone) {
      Show(source, band);
    } else {
      Show(source, {untoned_.data(), Count(band), band.y0, band.y1});
      Tone(job_.tones[effects.tone], band);
    }
    FillHole(effects, band);
  }

 private:
  // Pixels of a channel.
  size_t Count(const LevelBand& band) const {
    return static_cast<size_t>(band.y1 - band.y0) * width_;
  }
  size_t Channels() const { return static_cast<size_t>(job_.channels); }

  void Reserve(size_t count) {
    if (count <= places_.size()) return;
    places_.resize(count);
    right_.resize(count);
    down_.resize(count);
    quads_.resize(Channels() * count);
    steps_.resize(count);
    untoned_.resize(Channels() * count);
  }

  // Before the tone.
  void Show(const SourceJob& source, const LevelBand& band) {
    if (source.effects != kNone && job_.effects[source.effects].resampled) {
      Resample(source, band);
    } else if (source.view.step < 0) {
      Copy<true>(source.view, band);
    } else {
      Copy<false>(source.view, band);
    }
  }

  template <bool kMirrored>
  void Copy(const ViewSource& view, const LevelBand& band) {
    for (int c = 0; c < job_.channels; ++c) {
      StoreLines<D>(FirstLine<kMirrored>(job_, view, c, band.y0, 0), width_, band.y1 - band.y0,
                    band.levels + static_cast<size_t>(c) * band.plane);
    }
  }

  void Resample(const SourceJob& source, const LevelBand& band) {
    Map(job_.effects[source.effects].map, band.y0, band.y1);
    const size_t count = Count(band);
    PickQuads(job_.pool + source.view.origin, job_.strides, job_.channels,
              job_.y_axis.to_next * job_.strides.row, places_.data(), count, quads_.data());
    for (size_t c = 0; c < Channels(); ++c) {
      Interpolate(quads_.data() + c * count, count, band.levels + c * band.plane);
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

  // The levels of the quads.
  void Interpolate(const uint32_t* quads, size_t count, float* levels) {
    const D df;
    const BitsOf<D> d32;
    const float* const right = right_.data();
    const float* const down = down_.data();
    CoverLine(count, hn::Lanes(df), [&](size_t i) HWY_ATTR {
      const auto quad = hn::LoadU(d32, quads + i);
      const auto to_right = hn::LoadU(df, right + i);
      const auto top = Between<D>(Corner<0>(quad), Corner<1>(quad), to_right);
      const auto bottom = Between<D>(Corner<2>(quad), Corner<3>(quad), to_right);
      hn::StoreU(Between<D>(top, bottom, hn::LoadU(df, down + i)), df, levels + i);
    });
  }
  template <int kByte>
  static HWY_INLINE hn::Vec<D> Corner(hn::Vec<BitsOf<D>> quad) {
    const auto byte = hn::And(hn::ShiftRight<8 * kByte>(quad), hn::Set(BitsOf<D>(), 0xFF));
    return hn::ConvertTo(D(), hn::BitCast(IntsOf<D>(), byte));
  }

  // From the untoned levels.
  void Tone(const ToneTable& table, const LevelBand& band) {
    const size_t count = Count(band);
    for (size_t c = 0; c < Channels(); ++c) {
      const float* const untoned = untoned_.data() + c * count;
      FindSteps(untoned, count);
      Pick(table.steps, places_.data(), count, steps_.data());
      TakeSteps(untoned, count, band.levels + c * band.plane);
    }
  }
  void FindSteps(const float* untoned, size_t count) {
    const D df;
    int32_t* const places = places_.data();
    CoverLine(count, hn::Lanes(df), [&](size_t i) HWY_ATTR {
      const auto whole = hn::Floor(hn::LoadU(df, untoned + i));
      hn::StoreU(WholeToInts(df, whole), IntsOf<D>(), places + i);
    });
  }
  void TakeSteps(const float* untoned, size_t count, float* levels) {
    const D df;
    // A table's step is two floats.
    const auto* const steps = reinterpret_cast<const float*>(steps_.data());
    CoverLine(count, hn::Lanes(df), [&](size_t i) HWY_ATTR {
      const auto before = hn::LoadU(df, untoned + i);
      hn::Vec<D> level, rise;
      hn::LoadInterleaved2(df, steps + 2 * i, level, rise);
      const auto part = hn::Sub(before, hn::Floor(before));
      hn::StoreU(hn::Add(level, hn::Mul(part, rise)), df, levels + i);
    });
  }

  void FillHole(const EffectsJob& effects, const LevelBand& band) {
    const int y0 = std::max<int>(band.y0, effects.hole.y0);
    const int y1 = std::min<int>(band.y1, effects.hole.y1);
    for (size_t c = 0; c < Channels(); ++c) {
      float* const channel = band.levels + c * band.plane;
      for (int y = y0; y < y1; ++y) {
        float* const line = channel + static_cast<size_t>(y - band.y0) * width_;
        std::fill(line + effects.hole.x0, line + effects.hole.x1, effects.fill[c]);
      }
    }
  }

  const RenderJob& job_;
  const size_t width_;
  std::vector<int32_t> places_;
  std::vector<float> right_;
  std::vector<float> down_;
  std::vector<uint32_t> quads_;
  std::vector<uint64_t> steps_;
  std::vector<float> untoned_;
};

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
