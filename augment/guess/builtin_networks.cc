// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/guess/network.h"
#include "augment/guess/residual_network.h"
#include "augment/guess/torch_weights.h"

namespace mixfeed {
namespace {

class BuiltinNetwork : public Network {
 public:
  explicit BuiltinNetwork(std::unique_ptr<ResidualNetwork> network)
      : network_(std::move(network)) {}

  at::Tensor Forward(const at::Tensor& views, bool batch_statistics) override {
    return network_->Forward(views, {.batch_statistics = batch_statistics});
  }
  at::Tensor Features(const at::Tensor& views) override { return network_->Features(views); }
  bool IsThreadSafe() const override { return true; }

  absl::StatusOr<std::unique_ptr<Network>> CloneWith(const StateDict& weights,
                                                     bool whole) const override {
    MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<ResidualNetwork> clone,
                             network_->CloneWith(weights, whole));
    return std::make_unique<BuiltinNetwork>(std::move(clone));
  }

  absl::StatusOr<std::string> Weights() const override { return network_->Weights(); }

  bool WouldWrite(const StateDict& weights) const override {
    const NamedTensors& tensors = network_->tensors();
    return AreInFormOf({tensors.begin(), tensors.end()}, weights);
  }

  absl::StatusOr<std::string> Average(const StateDict& average, double decay) const override {
    const NamedTensors& tensors = network_->tensors();
    std::set<std::string> parameters;
    for (const auto& [name, tensor] : tensors) {
      if (!ResidualNetwork::IsStatistic(name)) parameters.insert(name);
    }
    return WriteAverage({tensors.begin(), tensors.end()}, parameters, average, decay);
  }

 private:
  const std::unique_ptr<ResidualNetwork> network_;
};

absl::StatusOr<std::unique_ptr<ResidualNetwork>> MakeNetwork(const ModelSource& source) {
  return ResidualNetwork::Create(source.info.kind, source.info.input, source.info.classes,
                                 source.init_seed);
}

absl::Status CheckWeight(const std::string& name, const at::Tensor& given,
                         const at::Tensor& wanted) {
  if (given.sizes() != wanted.sizes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("weights: ", name, " has shape [", absl::StrJoin(given.sizes(), ", "),
                     "]; the network's has [", absl::StrJoin(wanted.sizes(), ", "), "]"));
  }
  if (!at::isFloatingType(given.scalar_type())) {
    return absl::InvalidArgumentError(absl::StrCat("weights: ", name, " holds ",
                                                   c10::toString(given.scalar_type()),
                                                   "; allowed: floating point numbers"));
  }
  if (!given.isfinite().all().item<bool>()) {
    return absl::InvalidArgumentError(
        absl::StrCat("weights: ", name, " has values that are not finite"));
  }
  return absl::OkStatus();
}

using Dictionary = c10::Dict<c10::IValue, c10::IValue>;

absl::Status CheckNoUnknown(const Dictionary& given, const NamedTensors& weights) {
  size_t known = 0;
  for (const auto& [name, tensor] : weights) known += given.contains(name) ? 1 : 0;
  if (known == given.size()) return absl::OkStatus();
  for (const auto& entry : given) {
    if (!entry.key().isString()) return absl::InvalidArgumentError("weights: a name is no text");
    const std::string& name = entry.key().toStringRef();
    const bool wanted = std::any_of(weights.begin(), weights.end(),
                                    [&](const auto& tensor) { return tensor.first == name; });
    if (!wanted && !ResidualNetwork::IsIgnored(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("weights: unknown tensor '", name, "'; is this another network's file?"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadWeights(const std::string& archive, NamedTensors* weights) {
  const c10::IValue value =
      torch::jit::pickle_load(std::vector<char>(archive.begin(), archive.end()));
  if (!value.isGenericDict()) {
    return absl::InvalidArgumentError(
        "weights: the file holds no dictionary of tensors; save dict(model.state_dict())");
  }
  const Dictionary given = value.toGenericDict();
  for (auto& [name, tensor] : *weights) {
    const auto found = given.find(name);
    if (found == given.end() || !found->value().isTensor()) {
      return absl::InvalidArgumentError(absl::StrCat("weights: no tensor '", name, "'"));
    }
    const at::Tensor values = found->value().toTensor();
    MIXFEED_RETURN_IF_ERROR(CheckWeight(name, values, tensor));
    tensor.copy_(values);
    MIXFEED_RETURN_IF_ERROR(CheckStillFinite(name, values, tensor));
  }
  return CheckNoUnknown(given, *weights);
}

}  // namespace

std::span<const char* const> BuiltinNetworks() { return ResidualNetwork::Names(); }

absl::StatusOr<std::unique_ptr<Network>> LoadBuiltinNetwork(const ModelSource& source) {
  MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<ResidualNetwork> network, MakeNetwork(source));
  if (!source.archive.empty()) {
    MIXFEED_RETURN_IF_ERROR(ReadWeights(source.archive, &network->tensors()));
  }
  return std::make_unique<BuiltinNetwork>(std::move(network));
}

absl::StatusOr<std::string> WriteInitialWeights(const ModelSource& source) {
  MIXFEED_ASSIGN_OR_RETURN(const std::unique_ptr<ResidualNetwork> network, MakeNetwork(source));
  c10::Dict<std::string, at::Tensor> tensors;
  for (const auto& [name, tensor] : network->tensors()) tensors.insert(name, tensor);
  const std::vector<char> bytes = torch::jit::pickle_save(tensors);
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace mixfeed
