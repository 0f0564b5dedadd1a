#include "augment/neighbour/dot_products.h"

#include <algorithm>
#include <bit>
#include <cstring>

// Tiles are arrays of vectors, and there are none of vectors whose length the compiler does not
// know.
#undef HWY_DISABLED_TARGETS  // which the build under ThreadSanitizer has
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "augment/neighbour/dot_products.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which compiles what follows once for every instruction set.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace mixfeed {
namespace dot_products {  // the renderer's vector code has namespaces of the same names
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

constexpr int kRows = 4;

// A tile is kRows rows by a panel. In single lanes there are no pairs to multiply.
class Tile {
 public:
  template <int kCoordinates>
  void Add(const PanelStep& step, const int16_t* const* rows, int64_t offset) {
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kCoordinates; ++c) {
        const int row = rows[r][offset + c];
        for (int p = 0; p < PanelStep::kPoints; ++p)
          sums_[r][p] += row * step.coordinates[2 * p + c];
      }
    }
  }

  void AddTo(int64_t* dots) const {
    for (int r = 0; r < kRows; ++r) {
      for (int p = 0; p < PanelStep::kPoints; ++p) dots[r * kBlockPoints + p] += sums_[r][p];
    }
  }

 private:
  int32_t sums_[kRows][PanelStep::kPoints] = {};
};

#else

using Sums = hn::CappedTag<int32_t, PanelStep::kPoints>;
using Pairs = hn::Repartition<int16_t, Sums>;
using WideSums = hn::Repartition<int64_t, Sums>;

// With eight vectors of sums everything stays in the 16 registers of AVX2, whichever compiler
// shares them out; with twelve gcc 12 spills, and is a third slower.
constexpr int kVectors = PanelStep::kPoints / static_cast<int>(hn::MaxLanes(Sums()));
constexpr int kRows = 8 / kVectors;

// A tile is kRows rows by a panel.
class Tile {
 public:
  HWY_INLINE Tile() {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        first_[r][v] = hn::Zero(Sums());
        second_[r][v] = hn::Zero(Sums());
      }
    }
  }

  // Adds the products of a step and the `kCoordinates` of each row that `offset` is at.
  template <int kCoordinates>
  HWY_INLINE void Add(const PanelStep& step, const int16_t* const* rows, int64_t offset) {
    const Pairs pairs;
    hn::Vec<Pairs> points[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      points[v] = hn::Load(pairs, step.coordinates + static_cast<size_t>(v) * hn::Lanes(pairs));
    }
    for (int r = 0; r < kRows; ++r) {
      int32_t pair = 0;
      std::memcpy(&pair, rows[r] + offset, kCoordinates * sizeof(int16_t));
      const auto row = hn::BitCast(pairs, hn::Set(Sums(), pair));
      for (int v = 0; v < kVectors; ++v) {
        first_[r][v] =
            hn::ReorderWidenMulAccumulate(Sums(), points[v], row, first_[r][v], second_[r][v]);
      }
    }
  }

  HWY_INLINE void AddTo(int64_t* dots) const {
    const WideSums wide;
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        const auto sums = hn::RearrangeToOddPlusEven(first_[r][v], second_[r][v]);
        int64_t* const at =
            dots + int64_t{r} * kBlockPoints + static_cast<size_t>(v) * hn::Lanes(Sums());
        int64_t* const next = at + hn::Lanes(wide);
        const auto low = hn::PromoteTo(wide, hn::LowerHalf(sums));
        const auto high = hn::PromoteTo(wide, hn::UpperHalf(hn::Half<Sums>(), sums));
        hn::StoreU(hn::Add(hn::LoadU(wide, at), low), wide, at);
        hn::StoreU(hn::Add(hn::LoadU(wide, next), high), wide, next);
      }
    }
  }

 private:
  // Where the sums are of single products, those of even coordinates and of odd ones are apart.
  hn::Vec<Sums> first_[kRows][kVectors];
  hn::Vec<Sums> second_[kRows][kVectors];
};

#endif

static_assert(kBlockPoints % kRows == 0 && kBlockPoints % PanelStep::kPoints == 0);

// Adds to a tile of `dots` what coordinates [first, end) of one chunk contribute.
void AddChunk(const PanelStep* steps, const int16_t* const* rows, int first, int end,
              int64_t* dots) {
  Tile tile;
  int at = first;
  for (; at + 1 < end; at += 2) tile.Add<2>(*steps++, rows, at);
  if (at < end) tile.Add<1>(*steps, rows, at);
  tile.AddTo(dots);
}

void AddDotProducts(const PackedPoints& points, std::span<const int16_t* const> rows,
                    int64_t* dots) {
  const auto count = static_cast<int>(rows.size());
  // Rows that the last tile has beyond the last one repeat it.
  const int16_t* padded[kBlockPoints];
  std::fill(std::copy(rows.begin(), rows.end(), padded), std::end(padded), rows.back());
  for (int first = 0; first < points.dimensions(); first += PackedPoints::kChunk) {
    const int end = std::min(first + PackedPoints::kChunk, points.dimensions());
    for (int p = 0; p < points.panels(); ++p) {
      for (int r = 0; r < count; r += kRows) {
        AddChunk(points.Steps(first, p), padded + r, first, end,
                 dots + int64_t{r} * kBlockPoints + int64_t{p} * PanelStep::kPoints);
      }
    }
  }
}

const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace dot_products
}  // namespace mixfeed
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mixfeed {
namespace dot_products {

HWY_EXPORT(AddDotProducts);
HWY_EXPORT(TargetName);

void Add(const PackedPoints& points, std::span<const int16_t* const> rows, int64_t* dots) {
  HWY_DYNAMIC_DISPATCH(AddDotProducts)(points, rows, dots);
}

std::string Name() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

}  // namespace dot_products

static_assert(std::endian::native == std::endian::little,
              "a pair's first coordinate is its low half");

PackedPoints::PackedPoints(int dimensions)
    : dimensions_(dimensions),
      steps_(static_cast<size_t>(int64_t{kBlockPoints / PanelStep::kPoints} *
                                 ((int64_t{dimensions} + 1) / 2))) {}

int64_t PackedPoints::Index(int first, int panel) const {
  const int64_t before = int64_t{first} / 2 * panels_;
  const int64_t steps_of_panel = (std::min(kChunk, dimensions_ - first) + 1) / 2;
  return before + panel * steps_of_panel;
}

void PackedPoints::Pack(std::span<const int16_t* const> points) {
  panels_ = (static_cast<int>(points.size()) + PanelStep::kPoints - 1) / PanelStep::kPoints;
  for (int p = 0; p < static_cast<int>(points.size()); ++p) {
    for (int first = 0; first < dimensions_; first += kChunk) {
      PanelStep* const steps = steps_.data() + Index(first, p / PanelStep::kPoints);
      const int end = std::min(first + kChunk, dimensions_);
      for (int d = first; d < end; ++d) {
        steps[(d - first) / 2].coordinates[2 * (p % PanelStep::kPoints) + d % 2] =
            points[static_cast<size_t>(p)][d];
      }
    }
  }
}

void DotProducts(const PackedPoints& points, std::span<const int16_t* const> rows, int64_t* dots) {
  std::fill_n(dots, static_cast<int64_t>(rows.size()) * kBlockPoints, 0);
  dot_products::Add(points, rows, dots);
}

std::string DotProductsTargetName() { return dot_products::Name(); }

}  // namespace mixfeed
#endif  // HWY_ONCE
