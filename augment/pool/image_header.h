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

// Largest image that is decoded, in pixels.
inline constexpr int64_t kMaxImagePixels = 64'000'000;

// The size that an encoded image declares, found without decoding it, so that a small file cannot
// ask for a large allocation. PNG, JPEG, BMP, and binary PGM and PPM. InvalidArgument for more than
// kMaxImagePixels; DataLoss, with the offset, for anything else, and for a file that is cut off:
// "PNG ends at byte N of M" where M is known.
absl::StatusOr<ImageSize> ReadImageSize(std::span<const uint8_t> file);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_IMAGE_HEADER_H_
