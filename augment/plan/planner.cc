#include "augment/plan/planner.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/field_checks.h"
#include "augment/base/status_macros.h"
#include "augment/recipe/enum_names.h"

namespace mixfeed {
namespace {

static_assert(kMaxRows <= 1 << 16, "a Philox counter has 16 bits for the row");

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
  if (recipe.draws_partners() && recipe.mix.partner.source == PartnerSource::kUnlabelledPool) {
    return {PoolId::kLabelled, PoolId::kUnlabelled};
  }
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

// "FIELD is GIVEN" of the field that a pool has its size from.
std::string WhatSizes(PoolId pool, const SplitSpec& split) {
  if (pool == PoolId::kTest) return "recipe.ordered_pool is test";
  if (split.rule == SplitRule::kLists) {
    return absl::StrCat("split.", NameOf(pool), "_list is of ", ListOf(split.lists, pool).size(),
                        " images");
  }
  if (pool == PoolId::kValidation) return absl::StrCat("split.validation is ", split.validation);
  if (split.rule == SplitRule::kAll) return "split.rule is all";
  if (split.rule == SplitRule::kPerClass) {
    return absl::StrCat("split.per_class is ", absl::StrJoin(split.per_class, ", "));
  }
  return absl::StrCat("split.labelled is ", split.labelled);
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

// A batch holds an image twice only when its sampling says so.
absl::Status CheckBatchFits(const char* pool, int images, Sampling sampling, int64_t size) {
  if (sampling == Sampling::kWithReplacement || sampling == Sampling::kTiled || images <= size) {
    return absl::OkStatus();
  }
  return FieldError("batch", absl::StrCat(images, " ", pool, " images a step"),
                    absl::StrCat("1..", size, ", the images of the pool, unless recipe.", pool,
                                 "_sampling is tiled or with_replacement"));
}

absl::Status CheckNoResampling(const WarpSpec& warp, const std::string& images) {
  const struct {
    const char* field;
    double value, none;
  } fields[] = {{"max_rotation", warp.max_rotation, 0},
                {"max_zoom", warp.max_zoom, 1},
                {"max_perspective", warp.max_perspective, 0}};
  for (const auto& [field, value, none] : fields) {
    if (value <= none) continue;
    return FieldError(absl::StrCat("recipe.view.warp.", field), absl::StrCat(value),
                      absl::StrCat(none, images));
  }
  return absl::OkStatus();
}

absl::Status CheckImages(const Recipe& recipe, const ImageShape& shape) {
  const int side = std::min(shape.height, shape.width);
  const std::string images = absl::StrCat(" on images of ", shape.height, "x", shape.width);
  const CutoutSpec& cutout = recipe.view.cutout;
  if (cutout.size > 0 && (side < 2 || cutout.size > side)) {
    return FieldError("recipe.view.cutout.size", absl::StrCat(cutout.size),
                      absl::StrCat("0..", side < 2 ? 0 : side, images));
  }
  if (recipe.mix.enabled && recipe.mix.cutmix.probability > 0 && side < 2) {
    return FieldError("recipe.mix.cutmix.probability", absl::StrCat(recipe.mix.cutmix.probability),
                      absl::StrCat("0", images));
  }
  const CutMixSpec& cutmix = recipe.mix.cutmix;
  // The longest side that BoxSampler draws is one below max_side, unless the two are equal.
  const int longest = std::max(static_cast<int>(cutmix.min_side * side),
                               static_cast<int>(cutmix.max_side * side) - 1);
  if (recipe.mix.enabled && cutmix.probability > 0 && cutmix.box == BoxRule::kMinMax &&
      longest < 1) {
    return FieldError("recipe.mix.cutmix.max_side", absl::StrCat(cutmix.max_side),
                      absl::StrCat(2.0 / side, "..1, for boxes of a pixel and more", images));
  }
  return side < 2 ? CheckNoResampling(recipe.view.warp, images) : absl::OkStatus();
}

absl::Status CheckNeighbours(int neighbours, const PlannerData& data) {
  const bool indexed = data.neighbours != nullptr;
  if (indexed == (neighbours > 0) &&
      (!indexed ||
       (data.neighbours->k() == neighbours &&
        data.neighbours->count() == static_cast<int64_t>(data.split.labelled.size())))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "neighbours: an index of the labelled list with as many neighbours as the recipe has is "
      "needed exactly when it has any");
}

// Whether every labelled image has one of another class to be mixed with.
absl::Status CheckOtherClass(const PlannerData& data) {
  const auto class_of = [&](int32_t sample) { return data.labels[static_cast<size_t>(sample)]; };
  const std::vector<int32_t>& labelled = data.split.labelled;
  const bool one_class = std::all_of(labelled.begin(), labelled.end(), [&](int32_t sample) {
    return class_of(sample) == class_of(labelled[0]);
  });
  if (!one_class) return absl::OkStatus();
  return FieldError("recipe.mix.partner.classes", "other",
                    "any or same where all labelled images are of one class");
}

absl::Status CheckData(const FeedSpec& spec, const PlannerData& data) {
  const Recipe& recipe = spec.recipe;
  MIXFEED_RETURN_IF_ERROR(CheckImages(recipe, data.shape));
  if (!recipe.mix.enabled) return absl::OkStatus();
  const PartnerSpec& partner = recipe.mix.partner;
  if (partner.classes != PartnerClass::kAny && data.labels.empty()) {
    return absl::InvalidArgumentError("labels: needed when partners depend on classes");
  }
  if (partner.classes == PartnerClass::kOther) MIXFEED_RETURN_IF_ERROR(CheckOtherClass(data));
  return CheckNeighbours(partner.neighbours, data);
}

// The pool that partners are drawn from.
PoolId PartnerPoolOf(const Recipe& recipe) {
  return recipe.mix.partner.source == PartnerSource::kUnlabelledPool ? PoolId::kUnlabelled
                                                                     : PoolId::kLabelled;
}

PlannerData InDrawingOrder(PlannerData data, RowSource rows) {
  data.split = InDrawingOrder(std::move(data.split), rows);
  return data;
}

}  // namespace

Planner::Planner(const FeedSpec& spec, PlannerData data)
    : spec_(spec),
      data_(InDrawingOrder(std::move(data), spec.recipe.rows)),
      labelled_(data_.split.labelled, PoolId::kLabelled, spec_.recipe.labelled_sampling,
                spec_.seed),
      unlabelled_(data_.split.unlabelled, PoolId::kUnlabelled, spec_.recipe.unlabelled_sampling,
                  spec_.seed),
      views_(spec_.recipe.view, data_.shape, spec_.seed),
      partners_(spec_.recipe.mix.partner, ListOf(data_.split, PartnerPoolOf(spec_.recipe)),
                data_.labels, data_.neighbours),
      mix_(spec_, data_.shape, data_.labels) {}

absl::StatusOr<std::unique_ptr<Planner>> Planner::Create(const FeedSpec& spec, PlannerData data) {
  MIXFEED_RETURN_IF_ERROR(ValidateFeedSpec(spec));
  MIXFEED_RETURN_IF_ERROR(CheckData(spec, data));
  std::unique_ptr<Planner> planner(new Planner(spec, std::move(data)));
  MIXFEED_RETURN_IF_ERROR(planner->CheckPools());
  MIXFEED_RETURN_IF_ERROR(planner->CheckBatch());
  return planner;
}

int64_t Planner::PoolSize(PoolId pool) const {
  if (pool == PoolId::kTest) return data_.test_count;
  return static_cast<int64_t>(ListOf(data_.split, pool).size());
}

absl::Status Planner::CheckPools() const {
  for (const PoolId pool : PoolsOf(spec_.recipe)) {
    const int64_t size = PoolSize(pool);
    if (size >= 1 && size <= kMaxPoolImages) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        WhatSizes(pool, spec_.split), "; allowed: those with which the ", NameOf(pool),
        " pool of dataset \"", spec_.dataset, "\", which the recipe draws from, has 1..",
        kMaxPoolImages, " images; it has ", size));
  }
  return absl::OkStatus();
}

absl::Status Planner::CheckBatch() const {
  const Recipe& recipe = spec_.recipe;
  if (recipe.rows == RowSource::kOrdered) return absl::OkStatus();
  MIXFEED_RETURN_IF_ERROR(CheckBatchFits("labelled", spec_.batch, recipe.labelled_sampling,
                                         PoolSize(PoolId::kLabelled)));
  if (!recipe.guesses()) return absl::OkStatus();
  return CheckBatchFits("unlabelled", spec_.unlabelled_rows(), recipe.unlabelled_sampling,
                        PoolSize(PoolId::kUnlabelled));
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

absl::StatusOr<Plan> Planner::MakePlan(int64_t step, int world) const {
  MIXFEED_RETURN_IF_ERROR(CheckStep(step));
  const Recipe& recipe = spec_.recipe;
  Plan plan;
  plan.step = step;
  plan.interleaved = recipe.interleave;
  plan.rows.reserve(static_cast<size_t>(spec_.rows()) * (recipe.draws_partners() ? 2 : 1));
  if (recipe.rows == RowSource::kOrdered) {
    AddOrderedRows(&plan);
  } else {
    AddLabelledRows(&plan);
  }
  if (recipe.guesses()) {
    AddUnlabelledRows(&plan);
    plan.unlabelled_weight = UnlabelledWeightAt(step);
  }
  mix_.Mix(world, &plan);
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
                                       : ListOf(data_.split, pool)[static_cast<size_t>(place)];
    plan->rows.push_back(row);
  }
  plan->labelled_rows = static_cast<int>(plan->rows.size());
}

void Planner::AddLabelledRows(Plan* plan) const {
  const std::vector<DrawnSample> samples = labelled_.Draw(plan->step, spec_.batch);
  ViewPlace place{.purpose = Purpose::kLabelledView, .step = plan->step};
  for (place.image = 0; place.image < spec_.batch; ++place.image) {
    plan->rows.push_back(views_.Draw(place, PoolId::kLabelled,
                                     samples[static_cast<size_t>(place.image)], &plan->effects));
  }
  plan->labelled_rows = spec_.labelled_rows();
  if (!spec_.recipe.draws_partners()) return;
  place.purpose = Purpose::kPartnerView;
  for (place.image = 0; place.image < spec_.batch; ++place.image) {
    PhiloxStream stream(spec_.seed, Purpose::kPartner, static_cast<uint64_t>(plan->step),
                        static_cast<uint32_t>(place.image));
    const DrawnSample partner = partners_.Draw(samples[static_cast<size_t>(place.image)], &stream);
    plan->rows.push_back(views_.Draw(place, PartnerPoolOf(spec_.recipe), partner, &plan->effects));
  }
}

void Planner::AddUnlabelledRows(Plan* plan) const {
  const int images = spec_.unlabelled_rows();
  const std::vector<DrawnSample> samples = unlabelled_.Draw(plan->step, images);
  ViewPlace place{.purpose = Purpose::kUnlabelledView, .step = plan->step};
  for (place.view = 0; place.view < spec_.recipe.views; ++place.view) {
    for (place.image = 0; place.image < images; ++place.image) {
      plan->rows.push_back(views_.Draw(place, PoolId::kUnlabelled,
                                       samples[static_cast<size_t>(place.image)], &plan->effects));
    }
  }
  plan->unlabelled_rows = images;
  plan->views = spec_.recipe.views;
}

double Planner::UnlabelledWeightAt(int64_t step) const {
  const UnlabelledWeight& weight = spec_.recipe.weight;
  if (weight.ramp == RampUnit::kNone) return weight.value;
  const auto steps = static_cast<double>(step);
  const double progress = weight.ramp == RampUnit::kImages ? steps * spec_.batch : steps;
  return weight.value * std::clamp(progress / weight.ramp_length, 0.0, 1.0);
}

}  // namespace mixfeed
