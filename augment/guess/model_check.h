#ifndef MIXFEED_AUGMENT_GUESS_MODEL_CHECK_H_
#define MIXFEED_AUGMENT_GUESS_MODEL_CHECK_H_

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "augment/guess/guess_model.h"
#include "augment/guess/network.h"

namespace mixfeed {

// A forward pass and what is found wrong with networks. All but CheckInfo run the network
// and throw what it throws.

// InvalidArgument for sizes below 1 and a normalisation that divides by zero.
absl::Status CheckInfo(const GuessModelInfo& info);

// Softmax of the network's logits for `rows` views, as GuessModel::Guess has it. DataLoss when the
// output is not [rows][classes] of finite floating point numbers.
absl::Status ForwardProbabilities(const GuessModelInfo& info, Network* network,
                                  std::span<const float> views, int rows, bool batch_statistics,
                                  std::span<float> probabilities);

// The network's features of `rows` views, as GuessModel::Features has them. DataLoss when they are
// not [rows][n] of finite floating point numbers.
absl::StatusOr<std::vector<float>> ForwardFeatures(const GuessModelInfo& info, Network* network,
                                                   std::span<const float> views, int rows);

// Runs the network with running statistics on random views, in batches of two sizes.
// InvalidArgument when its output is not what ForwardProbabilities wants.
absl::Status CheckNetwork(const GuessModelInfo& info, Network* network);

// Runs the network with running statistics. FailedPrecondition when the output for an image changes
// with the other images of the batch; InvalidArgument when it changes from one run to the next.
absl::Status CheckRunningStatistics(const GuessModelInfo& info, Network* network);

// Runs the network with batch statistics. FailedPrecondition when the output for an image does not
// change with the other images of the batch, although it changes with the image itself;
// InvalidArgument when it changes from one run to the next.
absl::Status CheckBatchStatistics(const GuessModelInfo& info, Network* network);

}  // namespace mixfeed

#endif  // MIXFEED_AUGMENT_GUESS_MODEL_CHECK_H_
