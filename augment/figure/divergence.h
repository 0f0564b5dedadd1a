#ifndef MIXFEED_AUGMENT_FIGURE_DIVERGENCE_H_
#define MIXFEED_AUGMENT_FIGURE_DIVERGENCE_H_

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/figure/chart.h"

namespace mixfeed {

// A point of a sample over the plane and two classes.
struct SoftPoint {
  ChartPoint at;
  double second = 0;  // probability of class 1, 0..1; class 0 has the rest
};

// Square cells of side `cell` over the plane: column i of row j covers (x_low + i * cell, y_low + j
// * cell) and one cell further.
struct Grid {
  double x_low = 0;
  double y_low = 0;
  double cell = 0;
  int columns = 0;
  int rows = 0;

  size_t cells() const { return static_cast<size_t>(columns) * static_cast<size_t>(rows); }
  double x_high() const { return x_low + columns * cell; }
  double y_high() const { return y_low + rows * cell; }
};

// Probabilities of a grid's cells, [rows][columns], by class; together they sum to 1.
struct ClassDensity {
  std::vector<double> first;   // of class 0
  std::vector<double> second;  // of class 1
};

// Kernel density estimate on a grid: each point counts in its cell, with its classes' shares, and
// the counts are smoothed with a Gaussian of standard deviation `bandwidth` (cut off at 4 of them).
// Points in no cell are left out; so is what the smoothing moves outside, and the rest is scaled to
// sum 1. InvalidArgument when no point is inside, or for a bandwidth that is not positive.
absl::StatusOr<ClassDensity> EstimateDensity(std::span<const SoftPoint> points, const Grid& grid,
                                             double bandwidth);

// Jensen-Shannon divergences (Lin 1991, "Divergence measures based on the Shannon entropy") in
// bits: JS = (KL(p || m) + KL(q || m)) / 2, m = (p + q) / 2. 0 where p = q, 1 where they do not
// overlap; finite for every sample, which KL is not, and so fit for a comparison with a few points.
struct Divergences {
  double points = 0;  // of where the points are, whatever their labels
  double joint = 0;   // of places and labels together; never below `points`
};

// What the divergences are between: estimates of both samples on one grid that holds all points
// with 4 bandwidths around them, cells half a bandwidth wide. That is the divergence of the two
// distributions after both were blurred by a Gaussian of the bandwidth, plus a bias of order cells
// / points. Errors: InvalidArgument for an empty sample, a bandwidth that is not positive, or
// points so far apart that the grid would have more than 16 million cells.
absl::StatusOr<Divergences> JensenShannon(std::span<const SoftPoint> p,
                                          std::span<const SoftPoint> q, double bandwidth);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_FIGURE_DIVERGENCE_H_
