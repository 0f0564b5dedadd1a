// The CPU renderer's rows, included once for every instruction set.

// Highway's toggling guard: the pass of each target gets in once.
#if defined(MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_
#undef MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_
#else
#define MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "augment/render/cpu_compose-inl.h"
#include "augment/render/cpu_lines-inl.h"
#include "augment/render/cpu_pixels-inl.h"
#include "augment/render/pixel.h"
#include "augment/render/render_element.h"
#include "augment/render/render_job.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace HWY_NAMESPACE {

// Samples are random in a pool that no cache holds: while one row is worked on, the lines of the
// next are asked for, one at a time, since many at once would wait for one another.
class NextRow {
 public:
  // Starts with line y of channel c.
  NextRow(const RenderJob& job, const RowJob& next, int c, int y) {
    Add(job, next.a, c, y);
    if (next.kind != RowKind::kSingle) Add(job, next.b, c, y);
    for (int i = 0; i < next.more_count; ++i) {
      Add(job, job.more[next.first_more + i].source, c, y);
    }
  }
  HWY_INLINE void PrefetchLine() {
    for (int i = 0; i < count_; ++i) {
      hwy::Prefetch(at_[i]);
      at_[i] += strides_[i];
    }
  }

 private:
  void Add(const RenderJob& job, const SourceJob& source, int c, int y) {
    const bool resampled = source.effects != kNone && job.effects[source.effects].resampled;
    // Of a resampled view, all of the padded image, a line's share at a time.
    const int32_t stride =
        resampled ? (job.strides.plane + job.height - 1) / job.height : job.strides.row;
    at_[count_] = job.pool + SourceByte(job.strides, source.view, c, 0, 0) + int64_t{y} * stride;
    strides_[count_] = stride;
    ++count_;
  }

  // The first `count_` are set.
  const uint8_t* at_[2 + kMaxMoreViews];
  int32_t strides_[2 + kMaxMoreViews];
  int count_ = 0;
};

// Part of an image: lines y0..y1-1, columns x0..x1-1.
struct Window {
  int y0;
  int x0;
  int y1;
  int x1;
};

inline Window WholeOf(const RenderJob& job) { return {0, 0, job.height, job.width}; }

// A window's first line in each channel.
template <class Line>
using Lines = std::array<Line, kMaxChannels>;

// The orders of elements that vectors are made for.
enum class Order { kPlanar, kColour };

// Writes a window, at least a vector of Pixels wide, of the output image `out`.
template <class Pixels, class Line>
void WritePlanar(const RenderJob& job, const Lines<Line>& lines, const RowJob& next,
                 const Window& window, hn::TFromD<typename Pixels::Tag>* HWY_RESTRICT out) {
  const typename Pixels::Tag d;
  const auto line_pixels = static_cast<size_t>(job.width);
  const auto width = static_cast<size_t>(window.x1 - window.x0);
  const int height = window.y1 - window.y0;
  for (int c = 0; c < job.channels; ++c) {
    Line line = lines[static_cast<size_t>(c)];
    NextRow ahead(job, next, c, window.y0);
    auto* line_out = out + static_cast<size_t>(c * job.height + window.y0) * line_pixels +
                     static_cast<size_t>(window.x0);
    for (int y = 0; y < height; ++y) {
      ahead.PrefetchLine();
      CoverLine(width, hn::Lanes(d),
                [&](size_t x) HWY_ATTR { hn::StoreU(Pixels::Make(line, x), d, line_out + x); });
      line.Down();
      line_out += line_pixels;
    }
  }
}

template <class Pixels, class Line>
void WriteColour(const RenderJob& job, const Lines<Line>& lines, const RowJob& next,
                 const Window& window, hn::TFromD<typename Pixels::Tag>* HWY_RESTRICT out) {
  const typename Pixels::Tag d;
  const auto line_pixels = static_cast<size_t>(job.width);
  const auto width = static_cast<size_t>(window.x1 - window.x0);
  const int height = window.y1 - window.y0;
  Line red = lines[0];
  Line green = lines[1];
  Line blue = lines[2];
  NextRow ahead[3] = {
      {job, next, 0, window.y0}, {job, next, 1, window.y0}, {job, next, 2, window.y0}};
  out += 3 * (static_cast<size_t>(window.y0) * line_pixels + static_cast<size_t>(window.x0));
  for (int y = 0; y < height; ++y) {
    for (NextRow& channel : ahead) channel.PrefetchLine();
    CoverLine(width, hn::Lanes(d), [&](size_t x) HWY_ATTR {
      hn::StoreInterleaved3(Pixels::Make(red, x), Pixels::Make(green, x), Pixels::Make(blue, x), d,
                            out + 3 * x);
    });
    red.Down();
    green.Down();
    blue.Down();
    out += 3 * line_pixels;
  }
}

template <class Pixels, Order kOrder, class Line>
HWY_INLINE void WriteWindow(const RenderJob& job, const Lines<Line>& lines, const RowJob& next,
                            const Window& window, std::byte* out) {
  auto* const pixels = reinterpret_cast<hn::TFromD<typename Pixels::Tag>*>(out);
  if constexpr (kOrder == Order::kPlanar) {
    WritePlanar<Pixels>(job, lines, next, window, pixels);
  } else {
    WriteColour<Pixels>(job, lines, next, window, pixels);
  }
}

// std::fill without a call a line, for lines of a few vectors.
template <class T>
HWY_INLINE void FillLine(T* line, ptrdiff_t count, T value) {
  const hn::CappedTag<T, 16 / sizeof(T)> d;
  const auto lanes = static_cast<ptrdiff_t>(hn::Lanes(d));
  if (count < lanes) {
    for (ptrdiff_t x = 0; x < count; ++x) line[x] = value;
    return;
  }
  const auto values = hn::Set(d, value);
  for (ptrdiff_t x = 0; x < count - lanes; x += lanes) hn::StoreU(values, d, line + x);
  hn::StoreU(values, d, line + count - lanes);  // may lie over the one before
}

// Writes the hole's pixels, which are one and the same in a channel, over a finished image.
template <class T>
void CoverHole(const RenderJob& job, const RowJob& row, const EffectsJob& effects, T* out) {
  const bool planar = job.layout == PixelLayout::kNchw;
  const ptrdiff_t width = job.width;
  const ptrdiff_t step = planar ? 1 : job.channels;
  const ptrdiff_t channel_step = planar ? job.height * width : 1;
  const Box& hole = effects.hole;
  for (int c = 0; c < job.channels; ++c) {
    const ChannelMix& mix = row.channels[c];
    T* line = out + c * channel_step + (hole.y0 * width + hole.x0) * step;
    StorePixel(job.type, AddShare(effects.fill[c], mix.a_weight, mix.offset),
               reinterpret_cast<std::byte*>(line), 0);
    const T pixel = *line;
    for (int y = hole.y0; y < hole.y1; ++y) {
      if (planar) {
        FillLine<T>(line, hole.x1 - hole.x0, pixel);
      } else {
        for (int x = 0; x < hole.x1 - hole.x0; ++x) line[x * step] = pixel;
      }
      line += width * step;
    }
  }
}

inline void RenderScalarRow(const RenderJob& job, int64_t row) {
  const auto elements = static_cast<uint32_t>(job.channels * job.height * job.width);
  for (uint32_t index = 0; index < elements; ++index) RenderElement(job, row, index);
}

// Renders rows with vectors of D, each on the shortest way there is for its kind.
template <template <class> class PixelsOf, class D, Order kOrder>
class RowRenderer {
 public:
  explicit RowRenderer(const RenderJob& job) : job_(job), composer_(job) {}

  void Render(int64_t index) {
    const RowJob& row = job_.rows[index];
    const RowJob& next = job_.rows[index + 1 < job_.row_count ? index + 1 : index];
    auto* const out = reinterpret_cast<std::byte*>(
        reinterpret_cast<Pixel*>(job_.out) + index * job_.channels * job_.height * job_.width);
    if (row.kind == RowKind::kPair && IsPlain(row.a) && IsPlain(row.b)) {
      const auto offset = [&](int c) { return ConstantLine{row.channels[c].offset}; };
      WritePair(row, next, offset, WholeOf(job_), out);
    } else if (row.kind == RowKind::kSingle && (IsPlain(row.a) || OnlyCovers(row.a))) {
      WriteSingle<D>(row, row.a, next, WholeOf(job_), out);
      if (!IsPlain(row.a)) {
        CoverHole(job_, row, job_.effects[row.a.effects], reinterpret_cast<Pixel*>(out));
      }
    } else if (!TryTriple(row, next, out) && !TryBoxed(row, next, out)) {
      Compose(row, next, out);
    }
  }

 private:
  using Pixel = hn::TFromD<typename PixelsOf<D>::Tag>;
  using D4 = hn::CappedTag<float, 4>;

  static bool IsPlain(const SourceJob& source) { return source.effects == kNone; }

  // Whether a view has no effect but a hole.
  bool OnlyCovers(const SourceJob& source) const {
    const EffectsJob& effects = job_.effects[source.effects];
    return !effects.resampled && effects.tone == kNone;
  }

  // Writes a window of one plain view of the row, with vectors of Any.
  template <class Any>
  void WriteSingle(const RowJob& row, const SourceJob& source, const RowJob& next,
                   const Window& window, std::byte* out) {
    if (source.view.step < 0) {
      WriteSingleOf<Any, true>(row, source, next, window, out);
    } else {
      WriteSingleOf<Any, false>(row, source, next, window, out);
    }
  }
  template <class Any, bool kMirrored>
  void WriteSingleOf(const RowJob& row, const SourceJob& source, const RowJob& next,
                     const Window& window, std::byte* out) {
    Lines<SumLine<ViewLine<kMirrored>, ConstantLine>> lines;
    ForEachChannel([&](size_t c, int channel) {
      const ChannelMix& mix = row.channels[c];
      lines[c] = {FirstLine<kMirrored>(job_, source.view, channel, window.y0, window.x0),
                  mix.a_weight,
                  {mix.offset}};
    });
    WriteWindow<PixelsOf<Any>, kOrder>(job_, lines, next, window, out);
  }

  // Writes a row of three plain views; false for any other. Planar ones only, since each order
  // takes the compiler half a minute.
  bool TryTriple(const RowJob& row, const RowJob& next, std::byte* out) {
    if constexpr (kOrder == Order::kPlanar) {
      if (row.kind != RowKind::kMany || row.more_count != 1) return false;
      const SourceJob& third = job_.more[row.first_more].source;
      if (!IsPlain(row.a) || !IsPlain(row.b) || !IsPlain(third)) return false;
      if (third.view.step < 0) {
        WriteTripleOf<true>(row, next, out);
      } else {
        WriteTripleOf<false>(row, next, out);
      }
      return true;
    }
    return false;
  }
  template <bool kMirrored>
  void WriteTripleOf(const RowJob& row, const RowJob& next, std::byte* out) {
    const MoreJob& third = job_.more[row.first_more];
    const auto rest = [&](int c) {
      return SumLine<ViewLine<kMirrored>, ConstantLine>{
          FirstLine<kMirrored>(job_, third.source.view, c, 0, 0),
          third.weights[c],
          {row.channels[c].offset}};
    };
    WritePair(row, next, rest, WholeOf(job_), out);
  }

  // Writes whole lines of a row with plain `a` and `b`, whose other views gave rest(c).
  template <class Rest>
  void WritePair(const RowJob& row, const RowJob& next, const Rest& rest, const Window& window,
                 std::byte* out) {
    if (row.a.view.step < 0) {
      row.b.view.step < 0 ? WritePairOf<true, true>(row, next, rest, window, out)
                          : WritePairOf<true, false>(row, next, rest, window, out);
    } else {
      row.b.view.step < 0 ? WritePairOf<false, true>(row, next, rest, window, out)
                          : WritePairOf<false, false>(row, next, rest, window, out);
    }
  }
  template <bool kMirroredA, bool kMirroredB, class Rest>
  void WritePairOf(const RowJob& row, const RowJob& next, const Rest& rest, const Window& window,
                   std::byte* out) {
    using RestOfB = SumLine<ViewLine<kMirroredB>, decltype(rest(0))>;
    Lines<SumLine<ViewLine<kMirroredA>, RestOfB>> lines;
    ForEachChannel([&](size_t c, int channel) {
      const ChannelMix& mix = row.channels[c];
      lines[c] = {FirstLine<kMirroredA>(job_, row.a.view, channel, window.y0, 0),
                  mix.a_weight,
                  {FirstLine<kMirroredB>(job_, row.b.view, channel, window.y0, 0), mix.b_weight,
                   rest(channel)}};
    });
    WriteWindow<PixelsOf<D>, kOrder>(job_, lines, next, window, out);
  }

  // Writes a row of two plain views, one of them in a box; false for any other, and where the box
  // is narrower than the narrowest vector.
  bool TryBoxed(const RowJob& row, const RowJob& next, std::byte* out) {
    if (row.kind != RowKind::kBoxed || !IsPlain(row.a) || !IsPlain(row.b)) return false;
    const Window box = {row.box.y0, row.box.x0, row.box.y1, row.box.x1};
    const auto width = static_cast<size_t>(box.x1 - box.x0);
    const bool wide = width >= hn::Lanes(typename PixelsOf<D>::Tag());
    if (!wide && width < hn::Lanes(typename PixelsOf<D4>::Tag())) return false;
    WriteSingle<D>(row, row.a, next, WholeOf(job_), out);
    if (wide) {  // NOLINT(bugprone-branch-clone): D is D4 where vectors are that narrow
      WriteSingle<D>(row, row.b, next, box, out);
    } else {
      WriteSingle<D4>(row, row.b, next, box, out);
    }
    return true;
  }

  // Writes any row.
  void Compose(const RowJob& row, const RowJob& next, std::byte* out) {
    for (int y0 = 0; y0 < job_.height; y0 += composer_.band_lines()) {
      const int y1 = std::min(y0 + composer_.band_lines(), job_.height);
      ComposeBand(row, next, {y0, 0, y1, job_.width}, out);
    }
  }
  void ComposeBand(const RowJob& row, const RowJob& next, const Window& band, std::byte* out) {
    const auto made = [&](int c) { return composer_.Made(c); };
    if (row.kind == RowKind::kSingle) {
      composer_.level_maker().Make(row.a, band.y0, band.y1, [&](const auto& line_of) {
        WriteLines(row.channels, line_of, next, band, out);
      });
    } else if (row.kind == RowKind::kBoxed) {
      composer_.ShowBoxed(row, band.y0, band.y1);
      WriteLines(row.channels, made, next, band, out);
    } else if (row.kind == RowKind::kMany && IsPlain(row.a) && IsPlain(row.b)) {
      composer_.SumMore(row, band.y0, band.y1);
      WritePair(row, next, made, band, out);
    } else {
      constexpr ChannelMix kAsTheyAre[kMaxChannels] = {{}, {}, {}, {}};
      composer_.SumAll(row, band.y0, band.y1);
      WriteLines(kAsTheyAre, made, next, band, out);
    }
  }
  // Writes the lines of a band that line_of(c) starts.
  template <class LineOf>
  void WriteLines(const ChannelMix* mixes, const LineOf& line_of, const RowJob& next,
                  const Window& band, std::byte* out) {
    Lines<SumLine<decltype(line_of(0)), ConstantLine>> lines;
    ForEachChannel([&](size_t c, int channel) {
      lines[c] = {line_of(channel), mixes[c].a_weight, {mixes[c].offset}};
    });
    WriteWindow<PixelsOf<D>, kOrder>(job_, lines, next, band, out);
  }

  template <class Use>
  void ForEachChannel(const Use& use) const {
    for (int c = 0; c < job_.channels; ++c) use(static_cast<size_t>(c), c);
  }

  const RenderJob& job_;
  Composer<D> composer_;
};

template <template <class> class PixelsOf, class D, Order kOrder>
void RenderVectors(const RenderJob& job, int64_t begin, int64_t end) {
  RowRenderer<PixelsOf, D, kOrder> renderer(job);
  for (int64_t i = begin; i < end; ++i) renderer.Render(i);
}

// Returns false where the lines are shorter than a vector or the layout is not made for vectors.
template <template <class> class PixelsOf, class D>
bool TryVectors(const RenderJob& job, int64_t begin, int64_t end) {
  const typename PixelsOf<D>::Tag d;
  if (static_cast<size_t>(job.width) < hn::Lanes(d)) return false;
  if (job.layout == PixelLayout::kNchw || job.channels == 1) {
    RenderVectors<PixelsOf, D, Order::kPlanar>(job, begin, end);
  } else if (job.channels == 3) {
    RenderVectors<PixelsOf, D, Order::kColour>(job, begin, end);
  } else {
    return false;
  }
  return true;
}

// The widest vectors that fit into a line, else the scalar functions.
template <template <class> class PixelsOf>
void RenderRowsAs(const RenderJob& job, int64_t begin, int64_t end) {
#if HWY_TARGET != HWY_SCALAR
  if (TryVectors<PixelsOf, hn::ScalableTag<float>>(job, begin, end)) return;
  if (TryVectors<PixelsOf, hn::CappedTag<float, 4>>(job, begin, end)) return;
#endif
  for (int64_t i = begin; i < end; ++i) RenderScalarRow(job, i);
}

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
