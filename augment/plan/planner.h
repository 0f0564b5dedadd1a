#ifndef MIXFEED_AUGMENT_PLAN_PLANNER_H_
#define MIXFEED_AUGMENT_PLAN_PLANNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/plan/plan.h"
#include "augment/pool/split.h"
#include "augment/recipe/feed_spec.h"

namespace mixfeed {

// Draws plans. A plan is a pure function of (spec, split, step): no state is kept between calls,
// any step costs the same. Thread safe.
class Planner {
 public:
  // `split` holds what MakeSplit gave for the spec; `test_count` is the size of the test partition.
  // Errors: FailedPrecondition when a pool that the recipe draws from is empty; what
  // ValidateFeedSpec refuses.
  static absl::StatusOr<std::unique_ptr<Planner>> Create(const FeedSpec& spec, Split split,
                                                         int64_t test_count);

  // OutOfRange for a negative step or one past the end of an ordered feed.
  absl::StatusOr<Plan> MakePlan(int64_t step) const;

  // Steps of an ordered (eval) feed; nullopt for feeds without end.
  std::optional<int64_t> steps() const;

 private:
  Planner(const FeedSpec& spec, Split split, int64_t test_count);

  const FeedSpec spec_;
  const Split split_;
  const int64_t test_count_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PLANNER_H_
