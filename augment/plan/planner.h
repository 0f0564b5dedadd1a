#ifndef MIXFEED_AUGMENT_PLAN_PLANNER_H_
#define MIXFEED_AUGMENT_PLAN_PLANNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "augment/plan/distributions.h"
#include "augment/plan/plan.h"
#include "augment/plan/sample_stream.h"
#include "augment/pool/split.h"
#include "augment/recipe/feed_spec.h"

namespace mixfeed {

// The last step of a feed without end; enough for a step a microsecond through nine years.
inline constexpr int64_t kMaxStep = int64_t{1} << 48;

// Draws plans. A plan is a pure function of (spec, split, step): no state is kept between calls,
// any step costs the same. Thread safe.
class Planner {
 public:
  // `split` holds what MakeSplit gave for the spec; `test_count` is the size of the test partition.
  // Errors: FailedPrecondition when a pool that the recipe draws from is empty; what
  // ValidateFeedSpec refuses.
  static absl::StatusOr<std::unique_ptr<Planner>> Create(const FeedSpec& spec, Split split,
                                                         int64_t test_count);
  // Its streams point into its split.
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  // OutOfRange for a negative step, one past the end of an ordered feed, or one beyond kMaxStep.
  absl::StatusOr<Plan> MakePlan(int64_t step) const;

  // Steps of an ordered (eval) feed; nullopt for feeds without end.
  std::optional<int64_t> steps() const;

 private:
  Planner(const FeedSpec& spec, Split split, int64_t test_count);

  // Images in a pool.
  int64_t PoolSize(PoolId pool) const;
  absl::Status CheckPools() const;
  absl::Status CheckStep(int64_t step) const;

  void AddOrderedRows(Plan* plan) const;
  void AddLabelledRows(Plan* plan) const;
  void AddUnlabelledRows(Plan* plan) const;
  ViewPlan DrawView(int64_t step, PoolId pool, int32_t sample, int image, int view) const;
  void Mix(Plan* plan) const;
  std::vector<float> DrawLambdas(int64_t step, int count) const;

  const FeedSpec spec_;
  const Split split_;
  const int64_t test_count_;
  const SampleStream labelled_;
  const SampleStream unlabelled_;
  const BetaDistribution lambda_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PLANNER_H_
