#ifndef MIXFEED_CLIENT_LOOK_PLAN_H_
#define MIXFEED_CLIENT_LOOK_PLAN_H_

#include "client/look/look.h"
#include "mixfeed/v1/feed.pb.h"
#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed {

// The plan of one step of `feed`, a line a row: `mixfeed explain`.
Look LookAtPlan(const v1::GetPlanResponse& plan, const v1::OpenFeedResponse& feed);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_PLAN_H_
