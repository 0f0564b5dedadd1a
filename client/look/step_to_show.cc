#include "client/look/step_to_show.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

constexpr float kLowest = 0.3f;
constexpr float kHighest = 0.7f;

// Whether a picture of any step can be made and leaves the guesses that others get alone.
bool MayShowAnyStep(const v1::Recipe& recipe, bool new_run) {
  if (recipe.rows() != v1::Recipe::LABELLED_AND_UNLABELLED) return true;
  const v1::Guess::Policy policy = recipe.guess().policy();
  return policy == v1::Guess::PINNED || (policy == v1::Guess::NEWEST && new_run);
}

}  // namespace

bool IsVisiblyMixed(const v1::GetPlanResponse& plan, uint32_t rows) {
  if (plan.layer() != 0) return false;
  const auto sent = static_cast<uint64_t>(plan.order_size());
  const uint64_t shown = std::min<uint64_t>(sent, rows);
  for (uint64_t i = 0; i < shown; ++i) {
    const uint64_t index = i * sent / shown;  // spread as the sheet's rows
    const v1::PlanRow& row = plan.rows(static_cast<int>(index));
    if (row.partner() != index && row.lambda() >= kLowest && row.lambda() <= kHighest) return true;
  }
  return false;
}

absl::StatusOr<uint64_t> StepToShow(Feed* feed, uint32_t rows, bool new_run) {
  const v1::Recipe& recipe = feed->info().spec().recipe();
  if (!recipe.mix().enabled() || !MayShowAnyStep(recipe, new_run)) return 0;
  for (uint64_t step = 0; step < kStepsTried; ++step) {
    MIXFEED_ASSIGN_OR_RETURN(const v1::GetPlanResponse plan, feed->GetPlan(step));
    if (plan.order_size() > plan.rows_size()) {
      return absl::InternalError(absl::StrCat("plan: of step ", step, " the server sends ",
                                              plan.order_size(), " rows, and plans ",
                                              plan.rows_size()));
    }
    if (IsVisiblyMixed(plan, rows)) return step;
  }
  return 0;
}

}  // namespace mixfeed
