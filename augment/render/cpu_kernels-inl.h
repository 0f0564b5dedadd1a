// The CPU renderer's rows, included once for every instruction set.

// Highway's toggling guard: the pass of each target gets in once.
#if defined(MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_
#undef MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_
#else
#define MIXFEED_AUGMENT_RENDER_CPU_KERNELS_INL_H_
#endif

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
// next are asked for.
class NextRow {
 public:
  NextRow(const RenderJob& job, const RowJob& next, int c)
      : a_(job.pool + SourceByte(job.strides, next.a.view, c, 0, 0)),
        b_(job.pool + SourceByte(job.strides, next.b.view, c, 0, 0)) {}
  HWY_INLINE void PrefetchLine(int32_t stride) {
    hwy::Prefetch(a_);
    hwy::Prefetch(b_);
    a_ += stride;
    b_ += stride;
  }

 private:
  const uint8_t* a_;
  const uint8_t* b_;
};

// What is written: Of(c) is the first line of channel c, Ahead(c) what to ask for meanwhile.
template <class Line>
struct PoolImage {
  const RenderJob& job;
  const RowJob& row;
  const RowJob& next;

  Line Of(int c) const { return Line::First(job, row, c); }
  NextRow Ahead(int c) const { return {job, next, c}; }
  int32_t stride() const { return job.strides.row; }
  int height() const { return job.height; }
};

// A band of finished pixels.
struct FinishedImage {
  // The composer has asked.
  struct Nothing {
    void PrefetchLine(int32_t) {}
  };
  const float* planes;
  size_t plane;
  int width;
  int lines;

  FinishedLine Of(int c) const { return {planes + static_cast<size_t>(c) * plane}; }
  Nothing Ahead(int) const { return {}; }
  int32_t stride() const { return width; }
  int height() const { return lines; }
};

// The orders of elements that vectors are made for.
enum class Order { kPlanar, kColour };

// `out` is where channel 0 of the first line goes; `plane` leads to the next channel's.
template <class Pixels, class Image>
void WritePlanar(const RenderJob& job, const Image& image, size_t plane,
                 hn::TFromD<typename Pixels::Tag>* HWY_RESTRICT out) {
  const typename Pixels::Tag d;
  const auto width = static_cast<size_t>(job.width);
  const int height = image.height();
  const int32_t stride = image.stride();
  for (int c = 0; c < job.channels; ++c) {
    auto line = image.Of(c);
    auto ahead = image.Ahead(c);
    auto* line_out = out + static_cast<size_t>(c) * plane;
    for (int y = 0; y < height; ++y) {
      ahead.PrefetchLine(stride);
      CoverLine(width, hn::Lanes(d),
                [&](size_t x) HWY_ATTR { hn::StoreU(Pixels::Make(line, x), d, line_out + x); });
      line.Down(stride);
      line_out += width;
    }
  }
}

template <class Pixels, class Image>
void WriteColour(const RenderJob& job, const Image& image,
                 hn::TFromD<typename Pixels::Tag>* HWY_RESTRICT out) {
  const typename Pixels::Tag d;
  const auto width = static_cast<size_t>(job.width);
  const int height = image.height();
  const int32_t stride = image.stride();
  auto red = image.Of(0);
  auto green = image.Of(1);
  auto blue = image.Of(2);
  decltype(image.Ahead(0)) ahead[3] = {image.Ahead(0), image.Ahead(1), image.Ahead(2)};
  for (int y = 0; y < height; ++y) {
    for (auto& channel : ahead) channel.PrefetchLine(stride);
    CoverLine(width, hn::Lanes(d), [&](size_t x) HWY_ATTR {
      hn::StoreInterleaved3(Pixels::Make(red, x), Pixels::Make(green, x), Pixels::Make(blue, x), d,
                            out + 3 * x);
    });
    red.Down(stride);
    green.Down(stride);
    blue.Down(stride);
    out += 3 * width;
  }
}

// Writes the lines of `image` from y0 of the output image `out` on.
template <class Pixels, Order kOrder, class Image>
void WriteLines(const RenderJob& job, const Image& image, int y0, std::byte* out) {
  auto* const pixels = reinterpret_cast<hn::TFromD<typename Pixels::Tag>*>(out);
  const auto before = static_cast<size_t>(y0) * static_cast<size_t>(job.width);
  if constexpr (kOrder == Order::kPlanar) {
    const auto plane = static_cast<size_t>(job.height) * static_cast<size_t>(job.width);
    WritePlanar<Pixels>(job, image, plane, pixels + before);
  } else {
    WriteColour<Pixels>(job, image, pixels + 3 * before);
  }
}

template <class Pixels, Order kOrder, class Line>
void RenderLines(const RenderJob& job, const RowJob& row, const RowJob& next, std::byte* out) {
  WriteLines<Pixels, kOrder>(job, PoolImage<Line>{job, row, next}, 0, out);
}

// Writes the hole's pixels, which are one and the same in a channel, over a finished image.
template <class T>
void CoverHole(const RenderJob& job, const RowJob& row, const EffectsJob& effects, T* out) {
  const bool planar = job.layout == PixelLayout::kNchw;
  const int step = planar ? 1 : job.channels;
  const int channel_step = planar ? job.height * job.width : 1;
  const Box& hole = effects.hole;
  for (int c = 0; c < job.channels; ++c) {
    const ChannelMix& mix = row.channels[c];
    T* line = out + c * channel_step + (hole.y0 * job.width + hole.x0) * step;
    StorePixel(job.type, AddShare(effects.fill[c], mix.a_weight, mix.offset),
               reinterpret_cast<std::byte*>(line), 0);
    const T pixel = *line;
    for (int y = hole.y0; y < hole.y1; ++y) {
      for (int x = 0; x < hole.x1 - hole.x0; ++x) line[x * step] = pixel;
      line += job.width * step;
    }
  }
}

inline void RenderScalarRow(const RenderJob& job, int64_t row) {
  const auto elements = static_cast<uint32_t>(job.channels * job.height * job.width);
  for (uint32_t index = 0; index < elements; ++index) RenderElement(job, row, index);
}

// Renders rows with vectors of D, each kind on the shortest way.
template <template <class> class PixelsOf, class D, Order kOrder>
class RowRenderer {
 public:
  explicit RowRenderer(const RenderJob& job) : job_(job), composer_(job) {}

  void Render(int64_t index) {
    const RowJob& row = job_.rows[index];
    const RowJob& next = job_.rows[index + 1 < job_.row_count ? index + 1 : index];
    auto* const out =
        reinterpret_cast<Pixel*>(job_.out) + index * job_.channels * job_.height * job_.width;
    auto* const bytes = reinterpret_cast<std::byte*>(out);
    if (row.kind == RowKind::kPair && row.a.effects == kNone && row.b.effects == kNone) {
      return kPair[row.a.view.step < 0][row.b.view.step < 0](job_, row, next, bytes);
    }
    if (row.kind == RowKind::kSingle && OnlyCovers(row.a)) {
      kSingle[row.a.view.step < 0](job_, row, next, bytes);
      if (row.a.effects != kNone) CoverHole(job_, row, job_.effects[row.a.effects], out);
      return;
    }
    if (job_.strides.plane > kMaxQuadPlane) return RenderScalarRow(job_, index);
    composer_.ForEachBand(row, next, [&](int y0, int y1, const float* planes) {
      const FinishedImage band = {planes, composer_.plane(), job_.width, y1 - y0};
      WriteLines<Pixels, kOrder>(job_, band, y0, bytes);
    });
  }

 private:
  using Pixels = PixelsOf<D>;
  using Pixel = hn::TFromD<typename Pixels::Tag>;
  using RowFunction = void (*)(const RenderJob&, const RowJob&, const RowJob&, std::byte*);

  template <class Line>
  static constexpr RowFunction kLines = RenderLines<Pixels, kOrder, Line>;
  // By whether each image is mirrored.
  static constexpr RowFunction kPair[2][2] = {
      {kLines<PairLine<false, false>>, kLines<PairLine<false, true>>},
      {kLines<PairLine<true, false>>, kLines<PairLine<true, true>>}};
  static constexpr RowFunction kSingle[2] = {kLines<SingleLine<false>>, kLines<SingleLine<true>>};

  // Whether a view has no effect but a hole.
  bool OnlyCovers(const SourceJob& source) const {
    if (source.effects == kNone) return true;
    const EffectsJob& effects = job_.effects[source.effects];
    return !effects.resampled && effects.tone == kNone;
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
