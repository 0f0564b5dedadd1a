#ifndef MIXFEED_AUGMENT_POOL_IMAGE_HEADER_H_
#define MIXFEED_AUGMENT_POOL_IMAGE_HEADER_H_

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"

namespace mixfeed {

struct ImageSize {
  int64_t width = 0;
  int64_t height = 0;
};

// The size that an encoded image declares, found without decoding it, so that a small file cannot
// ask for a large allocation. PNG, JPEG, BMP, and binary PGM and PPM; a JPEG is also checked to be
// complete, which its decoder does not. DataLoss, with the offset, for anything else.
absl::StatusOr<ImageSize> ReadImageSize(std::span<const uint8_t> file);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_IMAGE_HEADER_H_
