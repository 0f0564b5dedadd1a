#include "server/core/plan_rows.h"

namespace mixfeed {

int LabelToShow(const Dataset& dataset, const ViewPlan& view, bool reveal) {
  if (view.pool == PoolId::kUnlabelled && !reveal) return kNoLabel;
  const Partition partition = view.pool == PoolId::kTest ? Partition::kTest : Partition::kTrain;
  return dataset.partition(partition).labels[static_cast<size_t>(view.sample)];
}

}  // namespace mixfeed
