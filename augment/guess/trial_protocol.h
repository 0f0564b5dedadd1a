#ifndef MIXFEED_AUGMENT_GUESS_TRIAL_PROTOCOL_H_
#define MIXFEED_AUGMENT_GUESS_TRIAL_PROTOCOL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/guess/torch_runtime.h"

namespace mixfeed {

// What the two processes of a model trial say to each other: the parent a model source, the child
// its finding. Both are of one build, so numbers go as they lie in memory. Decoding refuses
// (DataLoss) what is too short or too long.

std::string EncodeModelSource(const ModelSource& source);
absl::StatusOr<ModelSource> DecodeModelSource(const std::string& bytes);

struct TrialFinding {
  absl::Status status;
};
std::string EncodeFinding(const TrialFinding& finding);
absl::StatusOr<TrialFinding> DecodeFinding(const std::string& bytes);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_TRIAL_PROTOCOL_H_
