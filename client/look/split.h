#ifndef MIXFEED_CLIENT_LOOK_SPLIT_H_
#define MIXFEED_CLIENT_LOOK_SPLIT_H_

#include <string>

#include "client/look/look.h"
#include "mixfeed/v1/inspect.pb.h"

namespace mixfeed {

// A split's index lists: `mixfeed split`.
Look LookAtSplit(const v1::GetSplitResponse& split);

// SHA-256 of the text of LookAtSplit, 64 hex digits: `mixfeed split ... | sha256sum` prints it
// too.
std::string ChecksumOf(const v1::GetSplitResponse& split);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_LOOK_SPLIT_H_
