#include "augment/guess/guess_model.h"

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"

namespace mixfeed {

absl::Status GuessModel::GuessPasses(std::span<const float> views, int passes, int rows,
                                     bool batch_statistics, std::span<float> probabilities) {
  if (passes < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("guess model ", info().name, ": ", passes, " passes; allowed: at least 1"));
  }
  const size_t view_floats = views.size() / static_cast<size_t>(passes);
  const size_t guess_floats = probabilities.size() / static_cast<size_t>(passes);
  for (size_t pass = 0; pass < static_cast<size_t>(passes); ++pass) {
    MIXFEED_RETURN_IF_ERROR(Guess(views.subspan(view_floats * pass, view_floats), rows,
                                  batch_statistics,
                                  probabilities.subspan(guess_floats * pass, guess_floats)));
  }
  return absl::OkStatus();
}

}  // namespace mixfeed
