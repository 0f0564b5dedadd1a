#ifndef MIXFEED_AUGMENT_POOL_CLASS_NAMES_H_
#define MIXFEED_AUGMENT_POOL_CLASS_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace mixfeed {

// DataLoss that begins with `path`, where the names come from, when one is not UTF-8 (the wire's
// texts must be) or there twice.
absl::Status CheckClassNames(const std::string& path, const std::vector<std::string>& names);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_CLASS_NAMES_H_
