#ifndef MIXFEED_AUGMENT_POOL_RECORD_CHECKS_H_
#define MIXFEED_AUGMENT_POOL_RECORD_CHECKS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mixfeed {

// DataLoss, with the offset of what is cut off, unless `bytes`, the size of the file at `path`, is
// that of one or more whole records of the dataset called `title`.
inline absl::Status CheckWholeRecords(const std::string& path, const std::string& title,
                                      int64_t bytes, int64_t record_bytes) {
  if (bytes > 0 && bytes % record_bytes == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      path, ": has ", bytes, " bytes, not a whole number of ", title, " records of ", record_bytes,
      "; the record at byte ", bytes - bytes % record_bytes, " is cut off"));
}

// The labels that a file may have, both included.
struct LabelRange {
  int first;
  int last;
};

// DataLoss for a label, read from byte `at` of the file at `path`, that is out of range.
inline absl::Status CheckLabel(const std::string& path, int64_t at, int label,
                               const LabelRange& allowed) {
  if (label >= allowed.first && label <= allowed.last) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, ": label ", label, " at byte ", at,
                                          "; allowed are ", allowed.first, " to ", allowed.last));
}

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_RECORD_CHECKS_H_
