#ifndef MIXFEED_AUGMENT_POOL_PAD_IMAGES_H_
#define MIXFEED_AUGMENT_POOL_PAD_IMAGES_H_

#include "absl/status/status.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

// Puts every image of `dataset` in the middle of a black one of side x side pixels; where a margin
// cannot be shared equally, the pixel over goes to the right or the bottom. Fingerprint and name
// stay as they are. Errors, which leave the dataset as it is: InvalidArgument for a side that is
// smaller than the images' or larger than kMaxImageSide, ResourceExhausted without memory.
absl::Status PadImages(int side, Dataset* dataset);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_PAD_IMAGES_H_
