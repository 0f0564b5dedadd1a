#ifndef MIXFEED_CLIENT_TRAIN_LOSSES_H_
#define MIXFEED_CLIENT_TRAIN_LOSSES_H_

#include <cstdint>

namespace at {
class Tensor;
}

// Parts of losses: functions of logits [rows][classes] that give a scalar, differentiable by the
// logits. They throw what LibTorch throws.
namespace mixfeed {

// Which distance to the targets is taken.
enum class LossKind : uint8_t { kCrossEntropy, kSquaredError, kBinaryCrossEntropy };

// Mean over rows of -sum_c q_c log softmax(z)_c, for targets q [rows][classes] (MixMatch, equation
// 3; mixup with soft labels).
at::Tensor SoftCrossEntropy(const at::Tensor& logits, const at::Tensor& targets);

// Mean over rows of lambda * CE(z, y_a) + (1 - lambda) * CE(z, y_b), for pairs [rows][3] of y_a,
// y_b and lambda (facebookresearch/mixup-cifar10, mixup_criterion). A class of -1 adds nothing.
at::Tensor PairCrossEntropy(const at::Tensor& logits, const at::Tensor& pairs);

// Mean over rows and classes of (softmax(z) - q)^2 (MixMatch, equation 4).
at::Tensor SquaredError(const at::Tensor& logits, const at::Tensor& targets);

// Mean over rows and classes of the binary cross-entropy between softmax(z) and q, logarithms not
// below -100, as torch.nn.BCELoss (manifold_mixup, supervised/models).
at::Tensor BinaryCrossEntropy(const at::Tensor& logits, const at::Tensor& targets);

// The one of `kind`, of soft targets.
at::Tensor SoftLoss(LossKind kind, const at::Tensor& logits, const at::Tensor& targets);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_LOSSES_H_
