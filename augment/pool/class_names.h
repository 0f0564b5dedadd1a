#ifndef MIXFEED_AUGMENT_POOL_CLASS_NAMES_H_
#define MIXFEED_AUGMENT_POOL_CLASS_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mixfeed {

// DataLoss that begins with `path`, where the names come from, when one is not UTF-8 (the wire's
// texts must be) or there twice.
absl::Status CheckClassNames(const std::string& path, const std::vector<std::string>& names);

// The names in the text file at `path`, one a line, in label order; empty lines are passed over.
// Errors: DataLoss for a file without names, and as CheckClassNames; those of ReadLines.
absl::StatusOr<std::vector<std::string>> ReadClassNames(const std::string& path);

// The same of a dataset, called `title`, that has as many classes as `known` names them: these are
// the names where there is no file. DataLoss for another number of names.
absl::StatusOr<std::vector<std::string>> ReadClassNames(const std::string& path,
                                                        const std::string& title,
                                                        const std::vector<std::string>& known);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_CLASS_NAMES_H_
