#ifndef MIXFEED_TESTS_AUGMENT_GUESS_REFERENCE_NETWORK_H_
#define MIXFEED_TESTS_AUGMENT_GUESS_REFERENCE_NETWORK_H_

#include <map>
#include <string>
#include <vector>

#include "augment/pool/dataset.h"

namespace mixfeed::testing {

using NamedWeights = std::map<std::string, std::vector<float>>;

// The wide residual network of MixMatch's official code (libml/models.py, ResNet), in plain loops
// and double precision, on as many blocks as `weights` has. `views` is [rows][C][H][W]; returns the
// softmax of the logits, [rows][classes].
std::vector<double> ReferenceResidualNetwork(const NamedWeights& weights, const ImageShape& shape,
                                             const std::vector<float>& views, int rows,
                                             bool batch_statistics);

}  // namespace mixfeed::testing

#endif  // MIXFEED_TESTS_AUGMENT_GUESS_REFERENCE_NETWORK_H_
