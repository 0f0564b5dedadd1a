#include "tests/augment/recipe/golden_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/augment/plan/statistics.h"

namespace mixfeed::testing {
namespace {

// Counts of one cell in both samples.
struct Cell {
  double ours = 0;
  double theirs = 0;
};

// Pearson's approximation is rough for cells with fewer draws than this.
constexpr double kFewestDraws = 20;

// The chi-square quantile of kSigmas, by Wilson and Hilferty's approximation.
double ChiSquareLimit(double freedom) {
  const double spread = 2 / (9 * freedom);
  return freedom * std::pow(1 - spread + kSigmas * std::sqrt(spread), 3);
}

std::vector<Cell> PooledCells(const std::vector<int64_t>& ours, const std::vector<double>& theirs) {
  std::vector<Cell> cells;
  Cell rare;
  for (size_t i = 0; i < ours.size(); ++i) {
    const Cell cell = {static_cast<double>(ours[i]), theirs[i]};
    if (cell.ours + cell.theirs >= kFewestDraws) {
      cells.push_back(cell);
    } else {
      rare.ours += cell.ours;
      rare.theirs += cell.theirs;
    }
  }
  if (rare.ours + rare.theirs > 0) cells.push_back(rare);
  return cells;
}

}  // namespace

double DistanceFromGolden(std::vector<double> samples, const GoldenCase& quantiles) {
  if (!AllFinite(samples)) return std::numeric_limits<double>::infinity();
  const std::vector<double> at = quantiles.numbers("quantiles");
  std::sort(samples.begin(), samples.end());
  const auto n = static_cast<double>(samples.size());
  double distance = 0;
  for (size_t k = 0; k < at.size(); ++k) {
    const double share = static_cast<double>(k) / static_cast<double>(at.size() - 1);
    const auto [low, high] = std::equal_range(samples.begin(), samples.end(), at[k]);
    const double below = static_cast<double>(low - samples.begin()) / n;
    const double up_to = static_cast<double>(high - samples.begin()) / n;
    distance = std::max({distance, below - share, share - up_to});
  }
  return distance / std::sqrt(1 / n + 1 / quantiles.number("draws"));
}

bool LooksLikeGolden(const std::vector<int64_t>& counts, const GoldenCase& golden) {
  const std::vector<double> theirs = golden.numbers("counts");
  if (counts.size() != theirs.size()) return false;
  const std::vector<Cell> cells = PooledCells(counts, theirs);
  if (cells.size() < 2) return true;  // both have everything in it
  const double n = std::accumulate(counts.begin(), counts.end(), 0.0);
  const double golden_n = std::accumulate(theirs.begin(), theirs.end(), 0.0);
  double chi_square = 0;
  for (const Cell& cell : cells) {
    const double difference =
        cell.ours * std::sqrt(golden_n / n) - cell.theirs * std::sqrt(n / golden_n);
    chi_square += difference * difference / (cell.ours + cell.theirs);
  }
  return chi_square < ChiSquareLimit(static_cast<double>(cells.size()) - 1);
}

}  // namespace mixfeed::testing
