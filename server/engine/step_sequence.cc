#include "server/engine/step_sequence.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {
namespace {

absl::Status CheckStep(const char* field, int64_t step, int64_t end) {
  if (step >= 0 && step < end) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(field, " is ", step, "; allowed: 0..", end - 1));
}

// Past the last step, without overflow.
int64_t Plus(int64_t step, int64_t distance, int64_t end) {
  return distance < end - step ? step + distance : end;
}

int64_t EndOf(std::optional<int64_t> steps) {
  return steps.value_or(std::numeric_limits<int64_t>::max());
}

}  // namespace

absl::StatusOr<StepSequence> StepSequence::Create(const StreamSpec& spec,
                                                  std::optional<int64_t> steps) {
  const int64_t end = EndOf(steps);
  MIXFEED_RETURN_IF_ERROR(CheckStep("from_step", spec.from_step, end));
  if (spec.sharing != Sharing::kRoundRobin) return StepSequence(spec.from_step, 1, end);
  const int64_t behind = (spec.from_step - spec.rank) % spec.world;
  const int64_t ahead = behind == 0 ? 0 : (behind < 0 ? -behind : spec.world - behind);
  return StepSequence(Plus(spec.from_step, ahead, end), spec.world, end);
}

absl::StatusOr<StepSequence> StepSequence::Single(int64_t step, std::optional<int64_t> steps) {
  MIXFEED_RETURN_IF_ERROR(CheckStep("step", step, EndOf(steps)));
  return StepSequence(step, 1, step + 1);
}

int64_t StepSequence::Take() {
  const int64_t step = next_;
  next_ = Plus(next_, stride_, end_);
  return step;
}

}  // namespace mixfeed
