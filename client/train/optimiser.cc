#include "client/train/optimiser.h"

// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <type_traits>

#include "absl/strings/str_cat.h"
#include "augment/base/status_macros.h"
#include "augment/guess/torch_weights.h"

namespace mixfeed {
namespace {

using torch::optim::AdamParamState;
using torch::optim::OptimizerParamGroup;
using torch::optim::SGDParamState;
using States = std::decay_t<decltype(std::declval<torch::optim::Optimizer>().state())>;

constexpr double kMomentum = 0.9;

// LibTorch 1.13 keys states by an address as text, 2.x by the address.
template <typename Key = States::key_type>
Key KeyOf(const at::Tensor& parameter) {
  if constexpr (std::is_same_v<Key, std::string>) {
    return c10::guts::to_string(parameter.unsafeGetTensorImpl());
  } else {
    return parameter.unsafeGetTensorImpl();
  }
}

template <typename Options>
std::vector<OptimizerParamGroup> Groups(const OptimiserOptions& options,
                                        const NamedTensorList& parameters,
                                        const Options& defaults) {
  std::vector<at::Tensor> decaying, others;
  for (const auto& [name, tensor] : parameters) {
    (Decays(options.decay_scope, name, tensor) ? decaying : others).push_back(tensor);
  }
  std::vector<OptimizerParamGroup> groups;
  if (!decaying.empty()) {
    auto with_decay = std::make_unique<Options>(defaults);
    with_decay->weight_decay(options.gradient_decay);
    groups.emplace_back(std::move(decaying), std::move(with_decay));
  }
  if (!others.empty()) {
    groups.emplace_back(std::move(others), std::make_unique<Options>(defaults));
  }
  return groups;
}

std::unique_ptr<torch::optim::Optimizer> Make(const OptimiserOptions& options,
                                              const NamedTensorList& parameters) {
  if (options.sgd) {
    const auto defaults = torch::optim::SGDOptions(/*lr=*/0).momentum(kMomentum).nesterov(true);
    return std::make_unique<torch::optim::SGD>(Groups(options, parameters, defaults), defaults);
  }
  const auto defaults = torch::optim::AdamOptions(/*lr=*/0);
  return std::make_unique<torch::optim::Adam>(Groups(options, parameters, defaults), defaults);
}

// The tensor of `state` named so, like `like`.
absl::StatusOr<at::Tensor> Restored(const StateDict& state, const std::string& name,
                                    const at::Tensor& like) {
  const WeightTensor* const given = state.Find(name);
  if (given == nullptr) return MissingWeight(name);
  const at::NoGradGuard no_grad;
  return ConvertWeight(*given, like.detach());
}

}  // namespace

bool Decays(DecayScope scope, const std::string& name, const at::Tensor& tensor) {
  switch (scope) {
    case DecayScope::kKernels:
      return tensor.dim() >= 2;
    case DecayScope::kParameters:
      return !ResidualNetwork::IsStatistic(name);
    case DecayScope::kAll:
      return true;
  }
  return false;
}

struct Optimiser::Impl {
  NamedTensorList parameters;
  bool sgd = false;
  std::unique_ptr<torch::optim::Optimizer> optimiser;
};

Optimiser::Optimiser(const OptimiserOptions& options, NamedTensorList parameters)
    : impl_(std::make_unique<Impl>()) {
  impl_->optimiser = Make(options, parameters);
  impl_->parameters = std::move(parameters);
  impl_->sgd = options.sgd;
}

Optimiser::~Optimiser() = default;

void Optimiser::Step(double rate) {
  for (OptimizerParamGroup& group : impl_->optimiser->param_groups()) group.options().set_lr(rate);
  impl_->optimiser->step();
}

NamedTensorList Optimiser::State() const {
  NamedTensorList tensors;
  auto& states = impl_->optimiser->state();
  for (const auto& [name, parameter] : impl_->parameters) {
    const auto found = states.find(KeyOf(parameter));
    if (found == states.end()) continue;
    if (impl_->sgd) {
      tensors.emplace_back(name + "/momentum_buffer",
                           static_cast<SGDParamState&>(*found->second).momentum_buffer());
    } else {
      const auto& state = static_cast<AdamParamState&>(*found->second);
      tensors.emplace_back(name + "/exp_avg", state.exp_avg());
      tensors.emplace_back(name + "/exp_avg_sq", state.exp_avg_sq());
    }
  }
  return tensors;
}

absl::Status Optimiser::Restore(const StateDict& state, const std::string& prefix, int64_t steps) {
  if (steps == 0) return absl::OkStatus();
  for (const auto& [name, parameter] : impl_->parameters) {
    const std::string base = absl::StrCat(prefix, name);
    if (impl_->sgd) {
      auto restored = std::make_unique<SGDParamState>();
      MIXFEED_ASSIGN_OR_RETURN(at::Tensor buffer,
                               Restored(state, base + "/momentum_buffer", parameter));
      restored->momentum_buffer(std::move(buffer));
      impl_->optimiser->state()[KeyOf(parameter)] = std::move(restored);
      continue;
    }
    auto restored = std::make_unique<AdamParamState>();
    restored->step(steps);
    MIXFEED_ASSIGN_OR_RETURN(at::Tensor first, Restored(state, base + "/exp_avg", parameter));
    MIXFEED_ASSIGN_OR_RETURN(at::Tensor second, Restored(state, base + "/exp_avg_sq", parameter));
    restored->exp_avg(std::move(first));
    restored->exp_avg_sq(std::move(second));
    impl_->optimiser->state()[KeyOf(parameter)] = std::move(restored);
  }
  return absl::OkStatus();
}

void DecayWeights(NamedTensors* tensors, DecayScope scope, double share) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : *tensors) {
    if (Decays(scope, name, tensor)) tensor.mul_(1 - share);
  }
}

}  // namespace mixfeed
