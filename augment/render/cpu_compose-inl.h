// Puts a row's layers together, a band of lines at a time, so that what is between stays in the
// nearest cache.

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

#include "augment/render/cpu_layers-inl.h"
#include "augment/render/pixel.h"
#include "augment/render/render_job.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace HWY_NAMESPACE {

inline bool IsResampled(const RenderJob& job, const SourceJob& source) {
  return source.effects != kNone && job.effects[source.effects].resampled;
}

// The 2x2 bytes from every pixel of a padded image on, packed into 32 bits, so that one gather
// fetches what a bilinear level is made of: top left in the lowest byte, then top right, bottom
// left and bottom right. Beyond the last column and line the byte is any: its part of the level is
// 0.
class QuadPlanes {
 public:
  // Fills the planes from the padded image at `image`.
  template <class D>
  const uint32_t* Fill(const RenderJob& job, const uint8_t* image) {
    const int width = job.strides.row;
    const int lines = job.channels * (job.strides.plane / width);
    quads_.resize(static_cast<size_t>(lines) * static_cast<size_t>(width));
    uint32_t* quads = quads_.data();
    for (int line = 0; line < lines; ++line) {
      // The last line stands in for the one below it, which the next channel or nothing follows.
      const uint8_t* const below = line + 1 < lines ? image + width : image;
      FillLine<D>(image, below, width, quads);
      image += width;
      quads += width;
    }
    return quads_.data();
  }

 private:
  template <class D>
  static void FillLine(const uint8_t* top, const uint8_t* bottom, int width, uint32_t* quads) {
    const BitsOf<D> d32;
    const auto lanes = static_cast<int>(hn::Lanes(d32));
    const int pairs = width - 1;
    if (pairs < lanes) {
      for (int x = 0; x < pairs; ++x) quads[x] = Quad(top + x, bottom + x, 1);
    } else {
      CoverColumns(0, pairs, pairs, lanes, [&](int x) HWY_ATTR {
        const auto left = hn::Or(Bytes<D>(top + x), hn::ShiftLeft<16>(Bytes<D>(bottom + x)));
        const auto right =
            hn::Or(Bytes<D>(top + x + 1), hn::ShiftLeft<16>(Bytes<D>(bottom + x + 1)));
        hn::StoreU(hn::Or(left, hn::ShiftLeft<8>(right)), d32, quads + x);
      });
    }
    quads[pairs] = Quad(top + pairs, bottom + pairs, 0);
  }
  template <class D>
  static HWY_INLINE hn::Vec<BitsOf<D>> Bytes(const uint8_t* from) {
    return hn::PromoteTo(BitsOf<D>(), hn::LoadU(hn::Rebind<uint8_t, D>(), from));
  }
  static uint32_t Quad(const uint8_t* top, const uint8_t* bottom, int right) {
    return uint32_t{top[0]} | uint32_t{top[right]} << 8 | uint32_t{bottom[0]} << 16 |
           uint32_t{bottom[right]} << 24;
  }

  std::vector<uint32_t> quads_;
};

// The most bytes of a padded channel for which QuadPlanes are made; beyond, the scalar functions
// render what is resampled.
inline constexpr int kMaxQuadPlane = 1 << 18;

// A row's layers, the lowest first.
class RowLayers {
 public:
  // `next` is the row whose lines are asked for meanwhile.
  RowLayers(const RenderJob& job, const RowJob& row, const RowJob& next) : job_(job) {
    for (int i = row.more_count - 1; i >= 0; --i) {
      const MoreJob& further = job.more[row.first_more + i];
      const bool both = i < next.more_count;
      Add(further.source, both ? job.more[next.first_more + i].source : next.b,
          [&](size_t c) { return further.weights[c]; });
    }
    if (row.kind == RowKind::kPair || row.kind == RowKind::kMany) {
      Add(row.b, next.b, [&](size_t c) { return row.channels[c].b_weight; });
    }
    const auto a_weight = [&](size_t c) { return row.channels[c].a_weight; };
    Add(row.a, next.a, a_weight);
    if (row.kind != RowKind::kBoxed) return;
    Add(row.b, next.b, a_weight);
    layers_[count_ - 1].only_in_box = true;
  }

  std::span<Layer> layers() { return {layers_.data(), count_}; }

 private:
  template <class Weight>
  void Add(const SourceJob& source, const SourceJob& ahead, const Weight& weight) {
    Layer& layer = layers_[count_++];
    layer.source = &source;
    if (source.effects != kNone) layer.effects = job_.effects + source.effects;
    for (size_t c = 0; c < static_cast<size_t>(job_.channels); ++c) layer.weights[c] = weight(c);
    layer.ahead = job_.pool + ahead.view.origin;
  }

  const RenderJob& job_;
  std::array<Layer, kMaxMoreViews + 2> layers_;
  size_t count_ = 0;
};

// Makes rows in float32. Has the memory for it, which grows to what the rows need.
template <class D>
class Composer {
 public:
  explicit Composer(const RenderJob& job)
      : job_(job), band_lines_(std::clamp(kBandPixels / job.width, 1, job.height)) {}

  int band_lines() const { return band_lines_; }
  // From a channel to the next in what Compose returns.
  size_t plane() const {
    return static_cast<size_t>(band_lines_) * static_cast<size_t>(job_.width);
  }

  // Calls use(y0, y1, planes) for each band of the row's finished pixels.
  template <class Use>
  void ForEachBand(const RowJob& row, const RowJob& next, const Use& use) {
    RowLayers layers(job_, row, next);
    Prepare(row, layers.layers());
    for (int y0 = 0; y0 < job_.height; y0 += band_lines_) {
      const int y1 = std::min(y0 + band_lines_, job_.height);
      use(y0, y1, Compose(row, layers.layers(), y0, y1));
    }
  }

 private:
  // Four channels of two bands are 32 KiB.
  static constexpr int kBandPixels = 1024;

  void Prepare(const RowJob& row, std::span<Layer> layers) {
    const auto channels = static_cast<size_t>(job_.channels);
    const auto width = static_cast<size_t>(job_.width);
    for (std::vector<float>& sum : sums_) sum.resize(channels * plane());
    offsets_.resize(channels * width);
    for (size_t c = 0; c < channels; ++c) {
      std::fill_n(offsets_.begin() + static_cast<ptrdiff_t>(c * width), width,
                  row.channels[c].offset);
    }
    for (size_t i = 0; i < layers.size(); ++i) {
      const SourceJob& source = *layers[i].source;
      if (!IsResampled(job_, source)) continue;
      layers[i].quads = quads_[i].template Fill<D>(job_, job_.pool + source.view.origin);
    }
  }

  const float* Compose(const RowJob& row, std::span<const Layer> layers, int y0, int y1) {
    const auto width = static_cast<size_t>(job_.width);
    Below below = {offsets_.data(), width, 0};
    for (const Layer& layer : layers) {
      if (layer.only_in_box) {
        ShowInBox(row, layer, y0, y1);
      } else {
        // Vectors of a line may overlap, so a sum is never made in place.
        std::swap(sums_[0], sums_[1]);
        AddTo(below, layer, y0, y1);
        below = {sums_[0].data(), plane(), width};
      }
    }
    return sums_[0].data();
  }

  // What a layer is added to.
  struct Below {
    const float* pixels;
    size_t plane;  // from a channel to the next
    size_t line;   // from a line to the next
  };

  void AddTo(const Below& below, const Layer& layer, int y0, int y1) {
    const size_t width = static_cast<size_t>(job_.width);
    const size_t sum_plane = plane();
    float* const sum = sums_[0].data();
    ForEachLevel(
        layer, {y0, 0, y1, job_.width}, [&](int c, int y, int x, hn::Vec<D> levels) HWY_ATTR {
          const D df;
          const auto channel = static_cast<size_t>(c);
          const auto line = static_cast<size_t>(y - y0);
          const auto column = static_cast<size_t>(x);
          const auto share = hn::Mul(levels, hn::Set(df, layer.weights[channel]));
          const auto rest =
              hn::LoadU(df, below.pixels + channel * below.plane + line * below.line + column);
          hn::StoreU(hn::Add(share, rest), df, sum + channel * sum_plane + line * width + column);
        });
  }

  void ShowInBox(const RowJob& row, const Layer& layer, int y0, int y1) {
    const size_t width = static_cast<size_t>(job_.width);
    const size_t sum_plane = plane();
    float* const sum = sums_[0].data();
    const Box& box = row.box;
    const Window window = {std::max<int>(y0, box.y0), box.x0, std::min<int>(y1, box.y1), box.x1};
    ForEachLevel(layer, window, [&](int c, int y, int x, hn::Vec<D> levels) HWY_ATTR {
      const D df;
      const auto channel = static_cast<size_t>(c);
      float* const at = sum + channel * sum_plane + static_cast<size_t>(y - y0) * width + x;
      const auto share = hn::Mul(levels, hn::Set(df, layer.weights[channel]));
      const auto shown = hn::Add(share, hn::Set(df, row.channels[c].offset));
      hn::StoreU(hn::IfThenElse(Effects<D>::InColumns(x, box), shown, hn::LoadU(df, at)), df, at);
    });
  }

  // Calls use(c, y, x, levels) over the window with the levels that the layer shows there.
  template <class Use>
  void ForEachLevel(const Layer& layer, const Window& window, const Use& use) {
    const bool mirrored = layer.source->view.step < 0;
    if (layer.effects == nullptr) {
      if (mirrored) return PoolLevels<D, true>::ForEach(job_, layer, window, use);
      return PoolLevels<D, false>::ForEach(job_, layer, window, use);
    }
    const Effects<D> effects(job_, *layer.effects);
    const auto use_shown = [&](int c, int y, int x, hn::Vec<D> levels)
                               HWY_ATTR { use(c, y, x, effects(c, y, x, levels)); };
    if (layer.quads != nullptr) return ResampledLevels<D>::ForEach(job_, layer, window, use_shown);
    if (mirrored) return PoolLevels<D, true>::ForEach(job_, layer, window, use_shown);
    return PoolLevels<D, false>::ForEach(job_, layer, window, use_shown);
  }

  const RenderJob& job_;
  const int band_lines_;
  std::array<std::vector<float>, 2> sums_;  // the newest first
  std::vector<float> offsets_;              // a line for each channel
  std::array<QuadPlanes, kMaxMoreViews + 2> quads_;
};

}  // namespace HWY_NAMESPACE
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#endif
