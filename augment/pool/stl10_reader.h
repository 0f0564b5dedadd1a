#ifndef MIXFEED_AUGMENT_POOL_STL10_READER_H_
#define MIXFEED_AUGMENT_POOL_STL10_READER_H_

#include <string>

#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

// The binary version of STL-10 (https://cs.stanford.edu/~acoates/stl10): 3 x 96 x 96 pixel bytes an
// image, each plane column by column, in train_X.bin and test_X.bin, and labels 1 to 10, a byte
// each, in train_y.bin and test_y.bin. The images of unlabeled_X.bin, which may be missing, follow
// the labelled ones in the training partition with kNoLabel; without the test files the test
// partition is empty. Partitions are as large as the files say. Class names come from
// class_names.txt, or from a table without it.

// The folder with the files: `folder` itself, or the folder inside it that the published archive
// unpacks to; empty when neither has training images.
std::string FindStl10Folder(const std::string& folder);

// Reads what FindStl10Folder found; neither name nor fingerprint are set. Errors name the file and
// the byte offset: NotFound (a missing file), DataLoss (empty or no whole number of images, another
// number of labels, label out of range, and what ReadClassNames finds).
absl::StatusOr<Dataset> ReadStl10(const std::string& folder);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_STL10_READER_H_
