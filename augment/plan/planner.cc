#include "augment/plan/planner.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/plan/pairing.h"
#include "augment/recipe/enum_names.h"

namespace mixfeed {
namespace {

static_assert(kMaxBatch * (kMaxViews + 1) <= 1 << 16, "a Philox counter has 16 bits for the row");

constexpr int64_t kMaxPoolImages = std::numeric_limits<int32_t>::max();

// The list of a pool of the training partition.
std::span<const int32_t> ListOf(const Split& split, PoolId pool) {
  switch (pool) {
    case PoolId::kLabelled:
      return split.labelled;
    case PoolId::kUnlabelled:
      return split.unlabelled;
    default:
      return split.validation;
  }
}

// The pools that a recipe draws from.
std::vector<PoolId> PoolsOf(const Recipe& recipe) {
  switch (recipe.rows) {
    case RowSource::kLabelled:
      return {PoolId::kLabelled};
    case RowSource::kLabelledAndUnlabelled:
      return {PoolId::kLabelled, PoolId::kUnlabelled};
    case RowSource::kOrdered:
      return {recipe.ordered_pool};
  }
  return {};
}

// The split with its lists in the order in which they are drawn from. The unlabelled list comes in
// an order that follows the classes (split.h, kMixMatch), from which a trainer could read hidden
// labels: it is sorted, as are the lists of ordered feeds.
Split InDrawingOrder(Split split, RowSource rows) {
  std::sort(split.unlabelled.begin(), split.unlabelled.end());
  if (rows == RowSource::kOrdered) {
    std::sort(split.labelled.begin(), split.labelled.end());
    std::sort(split.validation.begin(), split.validation.end());
  }
  return split;
}

}  // namespace

Planner::Planner(const FeedSpec& spec, Split split, int64_t test_count)
    : spec_(spec),
      split_(InDrawingOrder(std::move(split), spec.recipe.rows)),
      test_count_(test_count),
      labelled_(split_.labelled, PoolId::kLabelled, spec_.recipe.labelled_sampling, spec_.seed),
      unlabelled_(split_.unlabelled, PoolId::kUnlabelled, spec_.recipe.unlabelled_sampling,
                  spec_.seed),
      lambda_(spec_.recipe.mix.alpha, spec_.recipe.mix.beta) {}

absl::StatusOr<std::unique_ptr<Planner>> Planner::Create(const FeedSpec& spec, Split split,
                                                         int64_t test_count) {
  MIXFEED_RETURN_IF_ERROR(ValidateFeedSpec(spec));
  std::unique_ptr<Planner> planner(new Planner(spec, std::move(split), test_count));
  MIXFEED_RETURN_IF_ERROR(planner->CheckPools());
  return planner;
}

int64_t Planner::PoolSize(PoolId pool) const {
  if (pool == PoolId::kTest) return test_count_;
  return static_cast<int64_t>(ListOf(split_, pool).size());
}

absl::Status Planner::CheckPools() const {
  for (const PoolId pool : PoolsOf(spec_.recipe)) {
    const int64_t size = PoolSize(pool);
    if (size >= 1 && size <= kMaxPoolImages) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the ", NameOf(pool), " pool of dataset \"", spec_.dataset, "\" has ", size,
                     " images; the recipe draws from it and needs 1..", kMaxPoolImages));
  }
  return absl::OkStatus();
}

std::optional<int64_t> Planner::steps() const {
  if (spec_.recipe.rows != RowSource::kOrdered) return std::nullopt;
  return (PoolSize(spec_.recipe.ordered_pool) + spec_.batch - 1) / spec_.batch;
}

absl::Status Planner::CheckStep(int64_t step) const {
  const int64_t last = steps().value_or(kMaxStep + 1) - 1;
  if (step >= 0 && step <= last) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat("step is ", step, "; allowed: 0..", last));
}

absl::StatusOr<Plan> Planner::MakePlan(int64_t step) const {
  MIXFEED_RETURN_IF_ERROR(CheckStep(step));
  Plan plan;
  plan.step = step;
  plan.rows.reserve(static_cast<size_t>(spec_.rows()));
  if (spec_.recipe.rows == RowSource::kOrdered) {
    AddOrderedRows(&plan);
  } else {
    AddLabelledRows(&plan);
  }
  if (spec_.recipe.guesses()) AddUnlabelledRows(&plan);
  Mix(&plan);
  return plan;
}

void Planner::AddOrderedRows(Plan* plan) const {
  const PoolId pool = spec_.recipe.ordered_pool;
  const int64_t begin = plan->step * spec_.batch;
  const int64_t end = std::min(begin + spec_.batch, PoolSize(pool));
  for (int64_t place = begin; place < end; ++place) {
    ViewPlan row;
    row.pool = pool;
    row.sample = pool == PoolId::kTest ? static_cast<int32_t>(place)
                                       : ListOf(split_, pool)[static_cast<size_t>(place)];
    plan->rows.push_back(row);
  }
  plan->labelled_rows = plan->size();
}

void Planner::AddLabelledRows(Plan* plan) const {
  const std::vector<int32_t> samples = labelled_.Draw(plan->step, spec_.batch);
  for (int i = 0; i < spec_.batch; ++i) {
    plan->rows.push_back(
        DrawView(plan->step, PoolId::kLabelled, samples[static_cast<size_t>(i)], i, 0));
  }
  plan->labelled_rows = spec_.batch;
}

void Planner::AddUnlabelledRows(Plan* plan) const {
  const std::vector<int32_t> samples = unlabelled_.Draw(plan->step, spec_.batch);
  for (int k = 0; k < spec_.recipe.views; ++k) {
    for (int i = 0; i < spec_.batch; ++i) {
      plan->rows.push_back(
          DrawView(plan->step, PoolId::kUnlabelled, samples[static_cast<size_t>(i)], i, k));
    }
  }
  plan->unlabelled_rows = spec_.batch;
  plan->views = spec_.recipe.views;
}

ViewPlan Planner::DrawView(int64_t step, PoolId pool, int32_t sample, int image, int view) const {
  const Purpose purpose =
      pool == PoolId::kLabelled ? Purpose::kLabelledView : Purpose::kUnlabelledView;
  PhiloxStream stream(spec_.seed, purpose, static_cast<uint64_t>(step),
                      static_cast<uint32_t>(image), static_cast<uint32_t>(view));
  const auto offsets = static_cast<uint32_t>(2 * spec_.recipe.view.pad + 1);
  ViewPlan row;
  row.sample = sample;
  row.pool = pool;
  row.view = static_cast<uint8_t>(view);
  row.flip = Bernoulli(spec_.recipe.view.flip_probability, &stream) ? 1 : 0;
  row.crop_y = static_cast<int16_t>(UniformInt(offsets, &stream));
  row.crop_x = static_cast<int16_t>(UniformInt(offsets, &stream));
  return row;
}

void Planner::Mix(Plan* plan) const {
  const MixSpec& mix = spec_.recipe.mix;
  const int rows = plan->size();
  if (!mix.enabled) {
    plan->partner.resize(plan->rows.size());
    std::iota(plan->partner.begin(), plan->partner.end(), 0);
    plan->lambda.assign(plan->rows.size(), 1.0f);
    return;
  }
  plan->partner =
      DrawPartners(mix.pairing, rows,
                   PhiloxStream(spec_.seed, Purpose::kPairing, static_cast<uint64_t>(plan->step)));
  if (mix.lambda_scope == DrawScope::kPerBatch) {
    plan->lambda.assign(plan->rows.size(), DrawLambdas(plan->step, 1).front());
  } else {
    plan->lambda = DrawLambdas(plan->step, rows);
  }
}

std::vector<float> Planner::DrawLambdas(int64_t step, int count) const {
  std::vector<PhiloxStream> streams;
  streams.reserve(static_cast<size_t>(count));
  for (int row = 0; row < count; ++row) {
    streams.emplace_back(spec_.seed, Purpose::kLambda, static_cast<uint64_t>(step),
                         static_cast<uint32_t>(row));
  }
  std::vector<double> values(streams.size());
  lambda_.Draw(streams, values);
  const bool floor = spec_.recipe.mix.lambda_floor;
  std::vector<float> lambdas;
  lambdas.reserve(values.size());
  for (const double value : values) {
    lambdas.push_back(static_cast<float>(floor ? std::max(value, 1 - value) : value));
  }
  return lambdas;
}

}  // namespace mixfeed
