#include "augment/batch/batch.h"

namespace mixfeed {
namespace {

// Appends the share's part of the `count` rows that begin at `first`.
void AppendPart(int first, int count, const Share& share, std::vector<int32_t>* rows) {
  const auto border = [&](int64_t rank) { return first + rank * count / share.world; };
  for (int64_t row = border(share.rank); row < border(share.rank + 1); ++row) {
    rows->push_back(static_cast<int32_t>(row));
  }
}

}  // namespace

std::vector<int32_t> RowsOfShare(const Plan& plan, const Share& share) {
  std::vector<int32_t> rows;
  rows.reserve(plan.rows.size() / static_cast<size_t>(share.world) + 1);
  AppendPart(0, plan.labelled_rows, share, &rows);
  for (int k = 0; k < plan.views; ++k) {
    AppendPart(plan.labelled_rows + k * plan.unlabelled_rows, plan.unlabelled_rows, share, &rows);
  }
  return rows;
}

}  // namespace mixfeed
