#ifndef MIXFEED_CLIENT_LOOK_STEP_TO_SHOW_H_
#define MIXFEED_CLIENT_LOOK_STEP_TO_SHOW_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "client/feed_client.h"
#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed {

inline constexpr uint64_t kStepsTried = 64;

// Whether mixing is to be seen on a contact sheet of `rows` rows: one of them shows another image,
// and has a lambda of 0.3 to 0.7. No where a hidden layer is mixed. The plan has a row for each
// that is sent.
bool IsVisiblyMixed(const v1::GetPlanResponse& plan, uint32_t rows);

// The step that a picture shows where nobody says which, by the feed's plans: the first of
// kStepsTried that is visibly mixed, else 0. Always 0 where a picture of a later step would not be
// made, or change what a trainer gets: of a feed whose weights are of the trainer's updates
// (lockstep, delayed), and of one that guesses with the newest, but in a run of its own
// (`new_run`). Internal: a plan of the server's that lacks rows.
absl::StatusOr<uint64_t> StepToShow(Feed* feed, uint32_t rows, bool new_run);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_STEP_TO_SHOW_H_
