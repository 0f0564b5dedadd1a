#ifndef MIXFEED_CLIENT_TRAIN_BATCH_ROWS_H_
#define MIXFEED_CLIENT_TRAIN_BATCH_ROWS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "augment/guess/residual_network.h"
#include "augment/pool/dataset.h"
#include "mixfeed/v1/feed.pb.h"

// What a batch's header says of its rows, for a network to be trained on them. Functions of tensors
// may throw what LibTorch throws.
namespace mixfeed {

// InvalidArgument: images that are not float32 NCHW of `image`, or other classes.
absl::Status CheckImages(const v1::BatchHeader& header, const ImageShape& image, int classes);

// InvalidArgument: rows that are not those of a whole step in groups of `labelled` (0: all are
// labelled, in one group), pairs as targets of unlabelled rows, a hidden layer or a partner in it
// that there is not.
absl::Status CheckRows(const v1::BatchHeader& header, uint32_t labelled);

// Where the row of each place (its index before the interleave) is: int64 [rows].
at::Tensor PositionsOf(const v1::BatchHeader& header);

// Mixes the layer that the step asks for by partner and lambda (manifold mixup); null where it is
// the input, which comes mixed. `positions` as PositionsOf. The header must outlive it.
ResidualNetwork::HiddenMix MixHidden(const v1::BatchHeader& header, const at::Tensor& positions);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_BATCH_ROWS_H_
