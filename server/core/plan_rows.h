#ifndef MIXFEED_SERVER_CORE_PLAN_ROWS_H_
#define MIXFEED_SERVER_CORE_PLAN_ROWS_H_

#include "augment/plan/plan.h"
#include "augment/pool/dataset.h"
#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed {

// The row's class for people, or kNoLabel where it has none or must not be told: the labels of
// unlabelled images are hidden unless `reveal`.
int LabelToShow(const Dataset& dataset, const ViewPlan& view, bool reveal);

// The plan as GetPlan answers it.
v1::GetPlanResponse PlanToProto(const Plan& plan, const Dataset& dataset, bool reveal);

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_PLAN_ROWS_H_
