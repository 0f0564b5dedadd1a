#ifndef MIXFEED_AUGMENT_PLAN_PLANNER_H_
#define MIXFEED_AUGMENT_PLAN_PLANNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "augment/neighbour/neighbour_index.h"
#include "augment/plan/mix_planner.h"
#include "augment/plan/partner_pool.h"
#include "augment/plan/plan.h"
#include "augment/plan/sample_stream.h"
#include "augment/plan/view_sampler.h"
#include "augment/pool/dataset.h"
#include "augment/pool/split.h"
#include "augment/recipe/feed_spec.h"

namespace mixfeed {

// The last step of a feed without end; enough for a step a microsecond through nine years.
inline constexpr int64_t kMaxStep = int64_t{1} << 48;

// What a planner knows of a dataset.
struct PlannerData {
  Split split = {};        // what MakeSplit gave for the spec
  int64_t test_count = 0;  // images of the test partition
  ImageShape shape = {};
  // Of the training partition, by sample; must outlive the planner. Needed when the recipe's
  // partners depend on classes.
  std::span<const int16_t> labels = {};
  // Of the places of split.labelled; needed exactly when the recipe has neighbours.
  std::shared_ptr<const NeighbourIndex> neighbours = nullptr;
};

// Draws plans. A plan is a pure function of (spec, data, step): no state is kept between calls, any
// step costs the same. Thread safe.
class Planner {
 public:
  // Errors: FailedPrecondition when a pool that the recipe draws from is empty; InvalidArgument for
  // what ValidateFeedSpec refuses, a batch larger than its pool, views or boxes that the images are
  // too small for, and data that do not fit the spec.
  static absl::StatusOr<std::unique_ptr<Planner>> Create(const FeedSpec& spec, PlannerData data);
  // Its streams point into its split.
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  // OutOfRange for a negative step, one past the end of an ordered feed, or one beyond kMaxStep.
  // `world`: see MixPlanner::Mix; it makes a difference to steps that mix a hidden layer only.
  absl::StatusOr<Plan> MakePlan(int64_t step, int world = 1) const;

  // Steps of an ordered (eval) feed; nullopt for feeds without end.
  std::optional<int64_t> steps() const;

 private:
  Planner(const FeedSpec& spec, PlannerData data);

  // Images in a pool.
  int64_t PoolSize(PoolId pool) const;
  absl::Status CheckPools() const;
  absl::Status CheckBatch() const;
  absl::Status CheckStep(int64_t step) const;

  void AddOrderedRows(Plan* plan) const;
  void AddLabelledRows(Plan* plan) const;
  void AddUnlabelledRows(Plan* plan) const;
  double UnlabelledWeightAt(int64_t step) const;

  const FeedSpec spec_;
  const PlannerData data_;
  const SampleStream labelled_;
  const SampleStream unlabelled_;
  const ViewSampler views_;
  const PartnerPool partners_;
  const MixPlanner mix_;
};

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_PLAN_PLANNER_H_
