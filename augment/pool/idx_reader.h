#ifndef MIXFEED_AUGMENT_POOL_IDX_READER_H_
#define MIXFEED_AUGMENT_POOL_IDX_READER_H_

#include <string>

#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

// Grey images in IDX files, as MNIST (http://yann.lecun.com/exdb/mnist) and Fashion-MNIST
// (https://github.com/zalandoresearch/fashion-mnist) are published: train-images-idx3-ubyte,
// train-labels-idx1-ubyte and the same with t10k for the test partition, which is empty without
// both. A file may be gzipped, as NAME.gz (NAME is taken where both are there), and be spelt
// train-images.idx3-ubyte. Images may have any size up to kMaxImageSide a side.
// Class names come from class_names.txt in the folder (one a line, in label order); without it they
// are Fashion-MNIST's where the name of the folder, or of the one around it for "raw", has
// "fashion" in it, else "0" to "9".

// The folder with the IDX files: `folder` itself or "raw" in it, which torchvision makes; empty
// when neither has training images.
std::string FindIdxFolder(const std::string& folder);

// Reads what FindIdxFolder found; neither name nor fingerprint are set. Errors name the file and
// the byte offset (in what a .gz holds, but for damage of gzip itself): NotFound (a missing file),
// DataLoss (another kind of file, cut off, longer than its header says, images and labels that do
// not go together, a label that is no class, what ReadGzipStart and ReadClassNames find),
// InvalidArgument (no or too large images).
absl::StatusOr<Dataset> ReadIdx(const std::string& folder);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_IDX_READER_H_
