#include "tests/augment/recipe/reference_mixmode.h"

#include <numeric>
#include <set>
#include <utility>

namespace mixfeed::testing {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

// Rows first..last-1.
struct Range {
  int first = 0;
  int last = 0;

  bool has(int row) const { return row >= first && row < last; }
};

// Rows that are mixed by one permutation of `source`, or by a part of one.
struct Draw {
  Range rows;
  Range source;
};

// What a mode does to labelled rows (before the dot of its name), and to unlabelled ones.
enum class Part { kAlone, kOwnKind, kEverything, kLabelledRows };

// One permutation of everything serves both parts, or each draws its own.
enum class Permutations { kShared, kOfEachPart };

struct Mode {
  MixMode mode;
  const char* name;
  Part labelled;
  Part unlabelled;
  Permutations permutations = Permutations::kOfEachPart;
};

constexpr Mode kModes[] = {
    {MixMode::kXxyYxy, "xxy.yxy", Part::kEverything, Part::kEverything, Permutations::kShared},
    {MixMode::kXxYy, "xx.yy", Part::kOwnKind, Part::kOwnKind},
    {MixMode::kXxYxy, "xx.yxy", Part::kOwnKind, Part::kEverything},
    {MixMode::kXxYx, "xx.yx", Part::kOwnKind, Part::kLabelledRows},
    {MixMode::kXx, "xx.", Part::kOwnKind, Part::kAlone},
    {MixMode::kYy, ".yy", Part::kAlone, Part::kOwnKind},
    {MixMode::kXxy, "xxy.", Part::kEverything, Part::kAlone},
    {MixMode::kYxy, ".yxy", Part::kAlone, Part::kEverything},
    {MixMode::kNone, ".", Part::kAlone, Part::kAlone},
};

const Mode& FindMode(MixMode mode) {
  for (const Mode& known : kModes) {
    if (known.mode == mode) return known;
  }
  ADD_FAILURE() << "unknown mode " << static_cast<int>(mode);
  return kModes[0];
}

std::vector<Draw> DrawsOf(const Mode& mode, const GroupSizes& sizes) {
  const Range all = {0, sizes.rows()};
  const Range labelled = {0, sizes.labelled};
  const Range unlabelled = {sizes.labelled, sizes.rows()};
  if (mode.permutations == Permutations::kShared) return {{all, all}};
  std::vector<Draw> draws;
  if (mode.labelled == Part::kOwnKind) draws.push_back({labelled, labelled});
  if (mode.labelled == Part::kEverything) draws.push_back({labelled, all});
  if (mode.unlabelled == Part::kOwnKind) draws.push_back({unlabelled, unlabelled});
  if (mode.unlabelled == Part::kEverything) draws.push_back({unlabelled, all});
  if (mode.unlabelled == Part::kLabelledRows) {
    for (int first = sizes.labelled; first < sizes.rows(); first += sizes.unlabelled) {
      draws.push_back({{first, first + sizes.unlabelled}, labelled});
    }
  }
  return draws;
}

// Checks the rows of one draw: partners in its source, none twice.
AssertionResult FollowsDraw(const Draw& draw, std::span<const int32_t> partner) {
  std::set<int32_t> taken;
  for (int row = draw.rows.first; row < draw.rows.last; ++row) {
    const int32_t other = partner[static_cast<size_t>(row)];
    if (!draw.source.has(other)) {
      return AssertionFailure() << "row " << row << " has partner " << other << ", not one of "
                                << draw.source.first << ".." << draw.source.last - 1;
    }
    if (!taken.insert(other).second) {
      return AssertionFailure() << "row " << row << " has partner " << other
                                << ", which a row before it has too";
    }
  }
  return AssertionSuccess();
}

bool IsMixed(const std::vector<Draw>& draws, int row) {
  for (const Draw& draw : draws) {
    if (draw.rows.has(row)) return true;
  }
  return false;
}

}  // namespace

MixMode MixModeNamed(const std::string& name) {
  for (const Mode& known : kModes) {
    if (known.name == name) return known.mode;
  }
  ADD_FAILURE() << "unknown mode " << name;
  return MixMode::kNone;
}

AssertionResult IsOutcomeOf(MixMode mode, const GroupSizes& sizes,
                            std::span<const int32_t> partner) {
  if (static_cast<int>(partner.size()) != sizes.rows()) {
    return AssertionFailure() << "there are " << partner.size() << " partners for " << sizes.rows()
                              << " rows";
  }
  const std::vector<Draw> draws = DrawsOf(FindMode(mode), sizes);
  for (const Draw& draw : draws) {
    const AssertionResult follows = FollowsDraw(draw, partner);
    if (!follows) return follows;
  }
  for (int row = 0; row < sizes.rows(); ++row) {
    const int32_t other = partner[static_cast<size_t>(row)];
    if (!IsMixed(draws, row) && other != row) {
      return AssertionFailure() << "row " << row << " is not mixed and has partner " << other;
    }
  }
  return AssertionSuccess();
}

std::vector<int32_t> InterleavedOrder(int batch, int views) {
  const int slices = views + 1;
  const int rest = batch % slices;
  std::vector<int32_t> order(static_cast<size_t>(slices * batch));
  std::iota(order.begin(), order.end(), 0);
  int begin = 0;
  for (int slice = 0; slice < slices; ++slice) {
    const int end = begin + batch / slices + (slice >= slices - rest ? 1 : 0);
    for (int row = begin; slice > 0 && row < end; ++row) {
      std::swap(order[static_cast<size_t>(row)], order[static_cast<size_t>(slice * batch + row)]);
    }
    begin = end;
  }
  return order;
}

}  // namespace mixfeed::testing
