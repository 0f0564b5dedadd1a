// BuildNeighbourIndex: the points are cut into blocks, and every two blocks meet once. A meeting
// makes the dot products of all their points and offers each point of either to those of the other.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/memory.h"
#include "augment/base/mutex.h"
#include "augment/base/status_macros.h"
#include "augment/neighbour/dot_products.h"
#include "augment/neighbour/nearest_points.h"
#include "augment/neighbour/neighbour_checks.h"
#include "augment/neighbour/neighbour_index.h"

namespace mixfeed {
namespace {

// Positions [begin, begin + count) of the search's order.
struct Block {
  size_t begin;
  size_t count;
  size_t group_end;  // the blocks from this one up to there are those it meets
  std::unique_ptr<NearestPoints> nearest;
};

// What a thread works in.
struct Scratch {
  explicit Scratch(int dimensions)
      : packed(dimensions), dots(size_t{kBlockPoints} * kBlockPoints) {}

  PackedPoints packed;
  std::vector<int64_t> dots;
};

// Places in the order in which blocks are cut from them: as they are, or class by class.
std::vector<int32_t> OrderOf(const NeighbourPoints& points, NeighbourClass classes, size_t count) {
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  if (classes != NeighbourClass::kSame) return order;
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return points.labels[static_cast<size_t>(a)] < points.labels[static_cast<size_t>(b)];
  });
  return order;
}

int64_t SquareOf(std::span<const int16_t> point) {
  return std::accumulate(point.begin(), point.end(), int64_t{0},
                         [](int64_t sum, int64_t x) { return sum + x * x; });
}

class Search {
 public:
  // Both outlive it and have passed CheckNeighbourBuild.
  Search(const NeighbourPoints& points, const NeighbourBuild& build);

  absl::StatusOr<NeighbourIndex> Run();

 private:
  void CutGroups();
  void CutGroup(size_t begin, size_t end);
  // The end of the positions whose points may be neighbours of the one at `begin`.
  size_t GroupEnd(size_t begin) const;
  BlockPoints PointsOf(const Block& block) const;
  std::span<const int16_t* const> RowsOf(const Block& block) const;
  void MeetBlocks(Scratch* scratch);
  void Meet(const Block& a, const Block& b, Scratch* scratch);
  void Report(const Block& a, const Block& b);
  std::vector<int32_t> TakePlaces();

  const NeighbourPoints& points_;
  const NeighbourBuild& build_;
  const size_t count_;
  const std::vector<int32_t> order_;
  std::vector<const int16_t*> rows_;  // by position, as the squares
  std::vector<int64_t> squares_;
  std::vector<Block> blocks_;
  int64_t all_meetings_ = 0;  // of two points

  std::atomic<size_t> next_block_{0};
  Mutex mu_;
  int64_t meetings_ ABSL_GUARDED_BY(mu_) = 0;
};

Search::Search(const NeighbourPoints& points, const NeighbourBuild& build)
    : points_(points),
      build_(build),
      count_(points.coordinates.size() / static_cast<size_t>(points.dimensions)),
      order_(OrderOf(points, build.classes, count_)) {
  // What these leave out takes terabytes of coordinates.
  assert(count_ <= size_t{std::numeric_limits<int32_t>::max()});
  assert(points.coordinates.size() < size_t{1} << 38);
  const auto dimensions = static_cast<size_t>(points.dimensions);
  rows_.reserve(count_);
  squares_.reserve(count_);
  for (const int32_t place : order_) {
    const auto row =
        points.coordinates.subspan(static_cast<size_t>(place) * dimensions, dimensions);
    rows_.push_back(row.data());
    squares_.push_back(SquareOf(row));
  }
  CutGroups();
}

void Search::CutGroups() {
  for (size_t begin = 0; begin < count_;) {
    const size_t end = GroupEnd(begin);
    CutGroup(begin, end);
    begin = end;
  }
  for (size_t a = 0; a < blocks_.size(); ++a) {
    for (size_t b = a; b < blocks_[a].group_end; ++b) {
      all_meetings_ += static_cast<int64_t>(blocks_[a].count * blocks_[b].count);
    }
  }
}

size_t Search::GroupEnd(size_t begin) const {
  if (build_.classes != NeighbourClass::kSame) return count_;
  const auto label_at = [&](size_t position) {
    return points_.labels[static_cast<size_t>(order_[position])];
  };
  size_t end = begin + 1;
  while (end < count_ && label_at(end) == label_at(begin)) ++end;
  return end;
}

void Search::CutGroup(size_t begin, size_t end) {
  const int place_bits = static_cast<int>(std::bit_width(count_ - 1));
  const size_t points = end - begin;
  const size_t blocks = (points + kBlockPoints - 1) / kBlockPoints;
  const size_t group_end = blocks_.size() + blocks;
  for (size_t b = 0; b < blocks; ++b) {
    const size_t first = begin + points * b / blocks;
    const size_t count = begin + points * (b + 1) / blocks - first;
    blocks_.push_back(
        {first, count, group_end, std::make_unique<NearestPoints>(count, build_.k, place_bits)});
  }
}

BlockPoints Search::PointsOf(const Block& block) const {
  // Places are in order under kOther, so that labels are by position, too.
  const auto labels = build_.classes == NeighbourClass::kOther
                          ? points_.labels.subspan(block.begin, block.count)
                          : std::span<const int16_t>();
  return {std::span(order_).subspan(block.begin, block.count),
          std::span(squares_).subspan(block.begin, block.count), labels};
}

std::span<const int16_t* const> Search::RowsOf(const Block& block) const {
  return std::span(rows_).subspan(block.begin, block.count);
}

void Search::Meet(const Block& a, const Block& b, Scratch* scratch) {
  DotProducts(scratch->packed, RowsOf(b), scratch->dots.data());
  b.nearest->Offer(PointsOf(b), PointsOf(a), {scratch->dots.data(), kBlockPoints, 1});
  if (&a == &b) return;
  a.nearest->Offer(PointsOf(a), PointsOf(b), {scratch->dots.data(), 1, kBlockPoints});
}

void Search::Report(const Block& a, const Block& b) {
  const MutexLock lock(&mu_);
  meetings_ += static_cast<int64_t>(a.count * b.count);
  if (!build_.progress) return;
  build_.progress(static_cast<double>(meetings_) / static_cast<double>(all_meetings_));
}

// Takes one block after the other, the first of which meet most others.
void Search::MeetBlocks(Scratch* scratch) {
  for (size_t a = next_block_++; a < blocks_.size(); a = next_block_++) {
    scratch->packed.Pack(RowsOf(blocks_[a]));
    for (size_t b = a; b < blocks_[a].group_end; ++b) {
      if (build_.stop.stop_requested()) return;
      Meet(blocks_[a], blocks_[b], scratch);
      Report(blocks_[a], blocks_[b]);
    }
  }
}

std::vector<int32_t> Search::TakePlaces() {
  const auto k = static_cast<size_t>(build_.k);
  std::vector<int32_t> places(count_ * k);
  build_.threads->ParallelFor(
      static_cast<int64_t>(blocks_.size()), 1, [&](int64_t index, int64_t /*end*/) {
        const Block& block = blocks_[static_cast<size_t>(index)];
        for (size_t p = 0; p < block.count; ++p) {
          const auto place = static_cast<size_t>(order_[block.begin + p]);
          block.nearest->TakePlaces(static_cast<int64_t>(p), places.data() + place * k);
        }
      });
  return places;
}

absl::StatusOr<NeighbourIndex> Search::Run() {
  std::vector<Scratch> scratch;
  for (int i = 0; i < build_.threads->threads(); ++i) scratch.emplace_back(points_.dimensions);
  build_.threads->ParallelFor(build_.threads->threads(), 1, [&](int64_t index, int64_t /*end*/) {
    MeetBlocks(&scratch[static_cast<size_t>(index)]);
  });
  {
    const MutexLock lock(&mu_);
    if (meetings_ < all_meetings_) return absl::CancelledError("the neighbour search was stopped");
  }
  return NeighbourIndex(build_.k, TakePlaces());
}

}  // namespace

absl::StatusOr<NeighbourIndex> BuildNeighbourIndex(const NeighbourPoints& points,
                                                   const NeighbourBuild& build) {
  assert(build.threads != nullptr);
  MIXFEED_RETURN_IF_ERROR(CheckNeighbourBuild(points, build));
  const auto count = static_cast<int64_t>(points.coordinates.size()) / points.dimensions;
  return CatchOutOfMemory(
      "a neighbour search", count * build.k * int64_t{sizeof(uint64_t)},
      [&]() -> absl::StatusOr<NeighbourIndex> { return Search(points, build).Run(); });
}

}  // namespace mixfeed
