#ifndef MIXFEED_AUGMENT_GUESS_MODEL_TRIAL_H_
#define MIXFEED_AUGMENT_GUESS_MODEL_TRIAL_H_

#include <cstdint>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "augment/guess/torch_runtime.h"

namespace mixfeed {

struct ModelTrialOptions {
  // The program `mixfeed-try-model` (augment/guess/try_model_main.cc).
  std::string program;
  int64_t deadline_ms = 60'000;
  int64_t memory_limit_bytes = int64_t{8} << 30;  // RLIMIT_AS of the child; 0: none
  std::stop_token stop = {};                      // ends the trial with Cancelled
};

// Loads and checks `source` in a child process, so that an archive that hangs, crashes or takes all
// memory hurts nobody else. OK when the child found nothing wrong; its own finding otherwise;
// DeadlineExceeded, ResourceExhausted or FailedPrecondition ("ended by signal 11") when it died.
absl::Status TryModelInChild(const ModelSource& source, const ModelTrialOptions& options);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_MODEL_TRIAL_H_
