#include "client/train/losses.h"

// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>

namespace mixfeed {
namespace {

// log softmax(z)_y of each row; 0 where y is -1.
at::Tensor LogLikelihood(const at::Tensor& log_softmax, const at::Tensor& classes) {
  const at::Tensor index = classes.to(at::kLong);
  const at::Tensor picked = log_softmax.gather(1, index.clamp_min(0).unsqueeze(1)).squeeze(1);
  return picked * index.ge(0).to(picked.scalar_type());
}

}  // namespace

at::Tensor SoftCrossEntropy(const at::Tensor& logits, const at::Tensor& targets) {
  return -(targets * at::log_softmax(logits, 1)).sum(1).mean();
}

at::Tensor PairCrossEntropy(const at::Tensor& logits, const at::Tensor& pairs) {
  const at::Tensor log_softmax = at::log_softmax(logits, 1);
  const at::Tensor lambda = pairs.select(1, 2);
  return -(lambda * LogLikelihood(log_softmax, pairs.select(1, 0)) +
           (1 - lambda) * LogLikelihood(log_softmax, pairs.select(1, 1)))
              .mean();
}

at::Tensor SquaredError(const at::Tensor& logits, const at::Tensor& targets) {
  return (at::softmax(logits, 1) - targets).square().mean();
}

at::Tensor BinaryCrossEntropy(const at::Tensor& logits, const at::Tensor& targets) {
  return at::binary_cross_entropy(at::softmax(logits, 1), targets);
}

at::Tensor SoftLoss(LossKind kind, const at::Tensor& logits, const at::Tensor& targets) {
  switch (kind) {
    case LossKind::kCrossEntropy:
      return SoftCrossEntropy(logits, targets);
    case LossKind::kSquaredError:
      return SquaredError(logits, targets);
    case LossKind::kBinaryCrossEntropy:
      return BinaryCrossEntropy(logits, targets);
  }
  return {};
}

}  // namespace mixfeed
