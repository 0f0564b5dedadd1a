#ifndef MIXFEED_AUGMENT_POOL_IMAGE_FILE_H_
#define MIXFEED_AUGMENT_POOL_IMAGE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace mixfeed {

// Largest image that is decoded, in pixels.
inline constexpr int64_t kMaxImagePixels = 64'000'000;

// Decodes the image at `path` to 8-bit RGB (grey is repeated, transparency dropped), scales it to
// side x side by area averaging, whatever its aspect, and writes it to `pixels`, [3][side][side].
// Errors name the file: NotFound (not readable), DataLoss (cut off, not an image), InvalidArgument
// (more than kMaxImagePixels, refused before it is decoded).
absl::Status ReadImageFile(const std::string& path, int side, uint8_t* pixels);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_IMAGE_FILE_H_
