#ifndef MIXFEED_AUGMENT_POOL_IMAGE_FILE_H_
#define MIXFEED_AUGMENT_POOL_IMAGE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace mixfeed {

// Largest image file that is read.
inline constexpr int64_t kMaxImageFileBytes = int64_t{256} << 20;

// Decodes the image at `path` to 8-bit RGB (grey is repeated, transparency dropped), scales it to
// side x side by area averaging, whatever its aspect, and writes it to `pixels`, [3][side][side].
// Errors name the file, and the offset where it is cut off: NotFound (not readable), DataLoss (cut
// off, not an image), InvalidArgument (more than kMaxImageFileBytes or, refused before it is
// decoded, kMaxImagePixels), ResourceExhausted (no memory).
absl::Status ReadImageFile(const std::string& path, int side, uint8_t* pixels);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_IMAGE_FILE_H_
