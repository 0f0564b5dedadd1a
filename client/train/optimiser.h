#ifndef MIXFEED_CLIENT_TRAIN_OPTIMISER_H_
#define MIXFEED_CLIENT_TRAIN_OPTIMISER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "augment/guess/residual_network.h"
#include "augment/weights/state_dict.h"
#include "client/train/variant.h"

namespace mixfeed {

struct OptimiserOptions {
  bool sgd = false;  // with Nesterov momentum 0.9; else Adam with betas 0.9, 0.999, epsilon 1e-8
  double gradient_decay = 0;  // L2 in the gradient (DecayForm::kGradient), from 0
  DecayScope decay_scope = DecayScope::kKernels;  // of which parameters; kAll as kParameters
};

using NamedTensorList = std::vector<std::pair<std::string, at::Tensor>>;

// Whether a tensor of a network decays; a kernel has two dimensions or more.
bool Decays(DecayScope scope, const std::string& name, const at::Tensor& tensor);

// torch::optim's Adam or SGD, over a network's parameters. Functions may throw what LibTorch
// throws.
class Optimiser {
 public:
  // Keeps the parameters' handles; their values change in place.
  Optimiser(const OptimiserOptions& options, NamedTensorList parameters);
  ~Optimiser();

  // One step with this learning rate along the parameters' gradients.
  void Step(double rate);

  // What it remembers of each parameter, "NAME/exp_avg", "NAME/exp_avg_sq" or
  // "NAME/momentum_buffer"; nothing before the first step.
  NamedTensorList State() const;

  // The state that State gave after `steps` steps, found in `state` under `prefix` and its names.
  // InvalidArgument names the tensor that is missing or has another shape.
  absl::Status Restore(const StateDict& state, const std::string& prefix, int64_t steps);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

// tensor *= 1 - share for those of `tensors` that decay: decoupled weight decay.
void DecayWeights(NamedTensors* tensors, DecayScope scope, double share);

}  // namespace mixfeed

#endif  // MIXFEED_CLIENT_TRAIN_OPTIMISER_H_
