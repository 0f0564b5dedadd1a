#ifndef MIXFEED_AUGMENT_NEIGHBOUR_DOT_PRODUCTS_H_
#define MIXFEED_AUGMENT_NEIGHBOUR_DOT_PRODUCTS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mixfeed {

// Points of a block, the unit of the search. A multiple of every tile's height and width, so that a
// buffer of a block needs no margin.
inline constexpr int kBlockPoints = 240;

// Coordinates 2 i and 2 i + 1 of a panel's points, side by side as the vector code reads them.
struct alignas(64) PanelStep {
  static constexpr int kPoints = 16;
  int16_t coordinates[2 * kPoints];
};

// A block's points as one side of the product: panels of PanelStep::kPoints points, cut every
// kChunk coordinates so that a panel's piece stays in the first-level cache while the other side
// passes by.
class PackedPoints {
 public:
  // Products of 12 bits, two a step, summed over this many coordinates just fit into 32 bits.
  static constexpr int kChunk = 512;

  // Room for a block of points, 480 bytes a coordinate.
  explicit PackedPoints(int dimensions);

  // Takes 1..kBlockPoints points, each `dimensions` coordinates. Those that a panel has beyond them
  // are what earlier points left there.
  void Pack(std::span<const int16_t* const> points);

  int dimensions() const { return dimensions_; }
  int panels() const { return panels_; }
  // The steps of a panel, from coordinate `first` on, a multiple of kChunk, to the chunk's end.
  const PanelStep* Steps(int first, int panel) const { return steps_.data() + Index(first, panel); }

 private:
  int64_t Index(int first, int panel) const;

  const int dimensions_;
  int panels_ = 0;
  std::vector<PanelStep> steps_;
};

// dots[r * kBlockPoints + p] = the dot product of rows[r] and the p-th packed point, exactly, on
// the calling thread. Takes 1..kBlockPoints rows of as many coordinates, each -2047..2047. `dots`
// has room for kBlockPoints * kBlockPoints; what it holds beyond the rows and points is not
// defined.
void DotProducts(const PackedPoints& points, std::span<const int16_t* const> rows, int64_t* dots);

// Name of the instruction set that DotProducts uses, e.g. "AVX2".
std::string DotProductsTargetName();

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_NEIGHBOUR_DOT_PRODUCTS_H_
