#ifndef MIXFEED_AUGMENT_GUESS_NOT_YET_H_
#define MIXFEED_AUGMENT_GUESS_NOT_YET_H_

#include <string_view>

#include "absl/status/status.h"

namespace mixfeed {

// What waits for weights that a trainer has yet to push, or for a model elsewhere to answer again:
// neither done nor failed, so to be tried again when they may have come. The code is Unavailable;
// `message` says what is missing.
absl::Status NotYetError(std::string_view message);

// Whether `status` is such a one, and no other Unavailable.
bool IsNotYet(const absl::Status& status);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_NOT_YET_H_
