#ifndef MIXFEED_AUGMENT_POOL_CIFAR_READER_H_
#define MIXFEED_AUGMENT_POOL_CIFAR_READER_H_

#include <string>

#include "absl/status/statusor.h"
#include "augment/pool/dataset.h"

namespace mixfeed {

// The binary version of CIFAR-10 and CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html): files
// of records, each one or two label bytes (CIFAR-100: coarse, then fine) and 3 x 32 x 32 pixel
// bytes. Partitions are as large as the files say. All training files must be there; without the
// test file the test partition is empty. Class names come from the folder's text files, or from a
// table where it has none.

enum class CifarKind { kCifar10, kCifar100Fine, kCifar100Coarse };

// The folder with the .bin files of `kind`: `folder` itself, or the folder inside it that the
// published archive unpacks to; empty when neither has any.
std::string FindCifarFolder(const std::string& folder, CifarKind kind);

// Reads what FindCifarFolder found; neither name nor fingerprint are set. Errors name the file and
// the byte offset: NotFound (a missing training file), DataLoss (empty or no whole number of
// records, label out of range, wrong number of class names, names that are
// not UTF-8 or there twice).
absl::StatusOr<Dataset> ReadCifar(const std::string& folder, CifarKind kind);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_POOL_CIFAR_READER_H_
