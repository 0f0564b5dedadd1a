#ifndef MIXFEED_SERVER_CORE_GUESS_VALIDATOR_H_
#define MIXFEED_SERVER_CORE_GUESS_VALIDATOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/base/mutex.h"
#include "augment/guess/guess_model.h"
#include "augment/guess/guess_stats.h"
#include "augment/guess/guesser.h"
#include "augment/pool/dataset.h"
#include "augment/render/renderer.h"

namespace mixfeed {

// Tries the versions of a model that have guessed for a feed on a fixed slice of the feed's
// validation images, and notes in the feed's statistics what came of it. Nothing here is on the way
// of a batch; but a pass waits in the same line as those of guesses, so it has no more rows than
// one of these. Thread safe; one call tries at a time. Keeps the slice's guesses of one version.
class GuessValidator {
 public:
  static constexpr size_t kMaxImages = 256;

  struct Parts {
    std::shared_ptr<const Dataset> dataset;
    std::shared_ptr<const ResidentPool> pool;  // of the training partition
    Renderer* renderer = nullptr;              // must outlive the validator
    FindModel find_model;
    std::shared_ptr<GuessStats> stats;
    // As the feed's guesses have them. With batch statistics all passes are of exactly so many
    // rows, if there are as many images, and images that are left over are not tried.
    bool batch_statistics = true;
    size_t rows_of_pass = 1;
    bool ema = false;  // a version's moving average guesses
  };

  // `validation`: indices of the images that the split holds out. Those that have a label are
  // spread evenly over the slice, which is all of them up to kMaxImages.
  GuessValidator(Parts parts, const std::vector<int32_t>& validation);

  // Images of the slice; 0: there is nothing to try a model on.
  size_t images() const { return samples_.size(); }

  // Tries the newest versions of the statistics' spans that are newer than what was tried before,
  // at most `most` of them, the oldest first, so that the next one drifts from the one before. A
  // version whose weights are no longer kept is passed over. Cancelled when `stop` says so; else
  // what rendering and the model return.
  absl::Status Validate(size_t most, const std::function<bool()>& stop);

 private:
  struct Version {
    std::string model;
    int64_t version = 0;
  };

  std::vector<Version> NewVersions(size_t most) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Try(const Version& version, GuessModel* model, const std::function<bool()>& stop)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::vector<float>> GuessSlice(GuessModel* model,
                                                const std::function<bool()>& stop) const;
  absl::Status Render(size_t first, const Normalisation& normalisation,
                      std::span<float> views) const;

  const Parts parts_;
  const std::vector<int32_t> samples_;
  const size_t rows_;  // of a pass

  Mutex mu_;  // held while versions are tried
  Version last_ ABSL_GUARDED_BY(mu_);
  std::vector<float> last_guesses_ ABSL_GUARDED_BY(mu_);  // [images][classes]; empty: none yet
};

}  // namespace mixfeed

#endif  // MIXFEED_SERVER_CORE_GUESS_VALIDATOR_H_
