#include "augment/batch/batch.h"

#include <utility>

namespace mixfeed {
namespace {

using RowGroups = std::vector<std::vector<int32_t>>;

// The share's part of the `count` rows that begin at `first`.
std::vector<int32_t> PartOf(int first, int count, const Share& share) {
  const auto border = [&](int64_t rank) { return first + rank * count / share.world; };
  std::vector<int32_t> rows;
  for (int64_t row = border(share.rank); row < border(share.rank + 1); ++row) {
    rows.push_back(static_cast<int32_t>(row));
  }
  return rows;
}

// interleave_offsets of google-research/mixmatch, libml/layers.py, with all groups of equal size.
std::vector<size_t> InterleaveOffsets(size_t rows, size_t groups) {
  std::vector<size_t> offsets = {0};
  for (size_t part = 0; part < groups; ++part) {
    const bool larger = part + rows % groups >= groups;
    offsets.push_back(offsets.back() + rows / groups + (larger ? 1 : 0));
  }
  return offsets;
}

void Interleave(RowGroups* groups) {
  const std::vector<size_t> offsets = InterleaveOffsets(groups->front().size(), groups->size());
  for (size_t k = 1; k < groups->size(); ++k) {
    for (size_t i = offsets[k]; i < offsets[k + 1]; ++i) {
      std::swap(groups->front()[i], (*groups)[k][i]);
    }
  }
}

}  // namespace

std::vector<int32_t> RowsOfShare(const Plan& plan, const Share& share) {
  RowGroups groups = {PartOf(0, plan.labelled_rows, share)};
  for (int k = 0; k < plan.views; ++k) {
    const int first = plan.labelled_rows + k * plan.unlabelled_rows;
    groups.push_back(PartOf(first, plan.unlabelled_rows, share));
  }
  if (plan.interleaved) Interleave(&groups);
  std::vector<int32_t> rows;
  for (const std::vector<int32_t>& group : groups) {
    rows.insert(rows.end(), group.begin(), group.end());
  }
  return rows;
}

}  // namespace mixfeed
