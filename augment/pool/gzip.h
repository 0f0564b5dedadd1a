#ifndef MIXFEED_AUGMENT_POOL_GZIP_H_
#define MIXFEED_AUGMENT_POOL_GZIP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mixfeed {

// Largest gzip file that is read.
inline constexpr int64_t kMaxGzipBytes = int64_t{1} << 30;

// The first `max_bytes` of what the gzip file (RFC 1952) at `path` holds, or all when that is less.
// No more is inflated, whatever the file holds or claims. Where all of it was less than max_bytes,
// its checksum is right and nothing follows it.
// Errors name the file and an offset in it: DataLoss (damaged, cut off, something after the
// compressed data, which a second gzip member is too), and those of ReadWholeFile.
absl::StatusOr<std::vector<uint8_t>> ReadGzipStart(const std::string& path, int64_t max_bytes);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_GZIP_H_
