#ifndef MIXFEED_AUGMENT_POOL_IMAGE_FOLDER_READER_H_
#define MIXFEED_AUGMENT_POOL_IMAGE_FOLDER_READER_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

// Memory that the images of one folder may take.
inline constexpr int64_t kMaxImageFolderBytes = int64_t{16} << 30;

// Reads a folder of image files (image_file.h), scaled to side x side:
//   folder/train/<class>/*, folder/test/<class>/*   both partitions (test may be missing)
//   folder/<class>/*                                training images only
//   folder/* or folder/train/*                      images without labels, no classes
// Classes are numbered by their names' byte order, images by class and file name. Names that begin
// with a dot are passed over; every other file beside images must be one. Decodes on all hardware
// threads; `progress` (may be empty) is called on the caller's thread. Name and fingerprint are not
// set.
// Errors name the file or folder: NotFound (no images), InvalidArgument (a class without images, a
// test class that training has not, images beside class folders, more than kMaxImageFolderBytes),
// DataLoss (a class name that is not UTF-8), ResourceExhausted (no memory), and those of
// ReadImageFile.
absl::StatusOr<Dataset> ReadImageFolder(const std::string& folder, int side,
                                        const std::function<void(double)>& progress = {});

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_IMAGE_FOLDER_READER_H_
