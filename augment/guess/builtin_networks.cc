// clang 14 needs IValue to be complete before anything else of ATen.
#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "augment/base/status_macros.h"
#include "augment/guess/network.h"

namespace mixfeed {
namespace {

// oneDNN's convolutions take half the time in this layout, batch norm a third (batch 64, 32x32).
constexpr at::MemoryFormat kLayout = at::MemoryFormat::ChannelsLast;

constexpr double kLeakySlope = 0.1;
constexpr double kNormEpsilon = 1e-3;  // of tf.layers.batch_normalization, which MixMatch uses
constexpr int kStemChannels = 16;
constexpr int kScales = 3;
// The two strides of 2 leave at least 2x2 pixels to the pool.
constexpr int kMinSide = 8;

// A wide residual network as in MixMatch's official code (libml/models.py, ResNet): a stem of 16
// channels, three scales of `blocks` pre-activation blocks with `channels`, 2x and 4x channels, and
// a dense layer on the average over the image. How to add one: a line here.
struct Architecture {
  const char* name;
  int blocks;
  int channels;
};
constexpr Architecture kArchitectures[] = {
    {"wrn-28-2", 4, 32},
    {"resnet-small", 1, 16},
};
constexpr auto kNames = [] {
  std::array<const char*, std::size(kArchitectures)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = kArchitectures[i].name;
  return names;
}();

absl::StatusOr<Architecture> FindArchitecture(const std::string& name) {
  for (const Architecture& architecture : kArchitectures) {
    if (name == architecture.name) return architecture;
  }
  return absl::InvalidArgumentError(absl::StrCat("no model kind '", name,
                                                 "'; allowed: ", absl::StrJoin(kNames, ", "), ", ",
                                                 kTorchScriptKind));
}

// The tensors of a network by name, in the order of their use. References stay valid.
class Weights {
 public:
  at::Tensor* Add(std::string name, at::Tensor value) {
    return &tensors_.emplace_back(std::move(name), std::move(value)).second;
  }
  std::deque<std::pair<std::string, at::Tensor>>& tensors() { return tensors_; }
  const std::deque<std::pair<std::string, at::Tensor>>& tensors() const { return tensors_; }

 private:
  std::deque<std::pair<std::string, at::Tensor>> tensors_;
};

// Draws from a generator of its own, so that the process's default one is not disturbed.
class Initialiser {
 public:
  explicit Initialiser(uint64_t seed)
      : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {}

  at::Tensor Normal(at::IntArrayRef shape, double deviation) {
    return at::empty(shape, at::kFloat).normal_(0, deviation, generator_);
  }

 private:
  at::Generator generator_;
};

// Pads both sides alike, as PyTorch does. Where TensorFlow's official code strides by 2, its SAME
// pads even sizes at the end only: its windows lie one pixel further down and right, so that its
// weights give somewhat different outputs here. The network is as good either way.
class Convolution {
 public:
  Convolution(const std::string& name, int in, int out, int kernel, int stride, Initialiser* init,
              Weights* weights)
      : stride_(stride),
        padding_(kernel / 2),
        weight_(weights->Add(
            name + ".weight",
            init->Normal({out, in, kernel, kernel}, std::sqrt(2.0 / (kernel * kernel * out)))
                .contiguous(kLayout))),
        bias_(weights->Add(name + ".bias", at::zeros({out}))) {}

  at::Tensor operator()(const at::Tensor& x) const {
    return at::conv2d(x, *weight_, *bias_, stride_, padding_);
  }

 private:
  int64_t stride_;
  int64_t padding_;
  const at::Tensor* weight_;
  const at::Tensor* bias_;
};

// Batch norm and leaky ReLU.
class NormAndActivation {
 public:
  NormAndActivation(const std::string& name, int channels, Weights* weights)
      : scale_(weights->Add(name + ".weight", at::ones({channels}))),
        shift_(weights->Add(name + ".bias", at::zeros({channels}))),
        mean_(weights->Add(name + ".running_mean", at::zeros({channels}))),
        variance_(weights->Add(name + ".running_var", at::ones({channels}))) {}

  // Batch statistics leave the running ones alone: the operator is not given them.
  at::Tensor operator()(const at::Tensor& x, bool batch_statistics) const {
    const at::Tensor none;
    at::Tensor y = at::batch_norm(x, *scale_, *shift_, batch_statistics ? none : *mean_,
                                  batch_statistics ? none : *variance_, batch_statistics,
                                  /*momentum=*/0, kNormEpsilon, /*cudnn_enabled=*/false);
    return at::leaky_relu_(y, kLeakySlope);
  }

 private:
  const at::Tensor* scale_;
  const at::Tensor* shift_;
  const at::Tensor* mean_;
  const at::Tensor* variance_;
};

class Block {
 public:
  // `first`: the network's first block, whose shortcut starts behind the activation.
  Block(const std::string& name, int in, int out, int stride, bool first, Initialiser* init,
        Weights* weights)
      : first_(first),
        norm1_(name + ".norm1", in, weights),
        conv1_(name + ".conv1", in, out, 3, stride, init, weights),
        norm2_(name + ".norm2", out, weights),
        conv2_(name + ".conv2", out, out, 3, 1, init, weights) {
    if (in != out) shortcut_.emplace(name + ".shortcut", in, out, 1, stride, init, weights);
  }

  at::Tensor operator()(const at::Tensor& x, bool batch_statistics) const {
    const at::Tensor active = norm1_(x, batch_statistics);
    const at::Tensor& from = first_ ? active : x;
    at::Tensor y = conv2_(norm2_(conv1_(active), batch_statistics));
    return y.add_(shortcut_ ? (*shortcut_)(from) : from);
  }

 private:
  bool first_;
  NormAndActivation norm1_;
  Convolution conv1_;
  NormAndActivation norm2_;
  Convolution conv2_;
  std::optional<Convolution> shortcut_;
};

class ResidualNetwork : public Network {
 public:
  ResidualNetwork(const Architecture& architecture, int input_channels, int classes, uint64_t seed);

  at::Tensor Forward(const at::Tensor& views, bool batch_statistics) override;
  at::Tensor Features(const at::Tensor& views) override { return Pooled(views, false); }

  Weights& weights() { return weights_; }

 private:
  at::Tensor Pooled(const at::Tensor& views, bool batch_statistics) const;

  Weights weights_;
  Initialiser init_;
  Convolution stem_;
  std::vector<Block> blocks_;
  std::optional<NormAndActivation> norm_;
  at::Tensor* head_weight_;
  at::Tensor* head_bias_;
};

ResidualNetwork::ResidualNetwork(const Architecture& architecture, int input_channels, int classes,
                                 uint64_t seed)
    : init_(seed), stem_("stem", input_channels, kStemChannels, 3, 1, &init_, &weights_) {
  int channels = kStemChannels;
  for (int scale = 0; scale < kScales; ++scale) {
    const int out = architecture.channels << scale;
    for (int block = 0; block < architecture.blocks; ++block) {
      const int stride = scale > 0 && block == 0 ? 2 : 1;
      blocks_.emplace_back(absl::StrCat("blocks.", blocks_.size()), channels, out, stride,
                           blocks_.empty(), &init_, &weights_);
      channels = out;
    }
  }
  norm_.emplace("norm", channels, &weights_);
  head_weight_ = weights_.Add(
      "head.weight", init_.Normal({classes, channels}, std::sqrt(2.0 / (channels + classes))));
  head_bias_ = weights_.Add("head.bias", at::zeros({classes}));
}

at::Tensor ResidualNetwork::Pooled(const at::Tensor& views, bool batch_statistics) const {
  at::Tensor x = stem_(views.contiguous(kLayout));
  for (const Block& block : blocks_) x = block(x, batch_statistics);
  return (*norm_)(x, batch_statistics).mean({2, 3});
}

at::Tensor ResidualNetwork::Forward(const at::Tensor& views, bool batch_statistics) {
  return at::linear(Pooled(views, batch_statistics), *head_weight_, *head_bias_);
}

absl::Status ValidateSource(const ModelSource& source) {
  const ImageShape& input = source.info.input;
  const bool known_channels = input.channels == 1 || input.channels == 3;
  if (known_channels && std::min(input.height, input.width) >= kMinSide &&
      source.info.classes >= 1) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      source.info.kind, ": input is ", input.channels, "x", input.height, "x", input.width,
      " with ", source.info.classes, " classes; allowed: 1 or 3 channels, sides from ", kMinSide,
      ", classes from 1"));
}

absl::StatusOr<std::unique_ptr<ResidualNetwork>> MakeNetwork(const ModelSource& source) {
  MIXFEED_ASSIGN_OR_RETURN(const Architecture architecture, FindArchitecture(source.info.kind));
  MIXFEED_RETURN_IF_ERROR(ValidateSource(source));
  return std::make_unique<ResidualNetwork>(architecture, source.info.input.channels,
                                           source.info.classes, source.init_seed);
}

// PyTorch counts the batches that a norm has seen; nothing here uses it.
bool IsIgnored(const std::string& name) { return name.ends_with(".num_batches_tracked"); }

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

using NamedTensors = c10::Dict<c10::IValue, c10::IValue>;

absl::Status CheckNoUnknown(const NamedTensors& given, const Weights& weights) {
  size_t known = 0;
  for (const auto& [name, tensor] : weights.tensors()) known += given.contains(name) ? 1 : 0;
  if (known == given.size()) return absl::OkStatus();
  for (const auto& entry : given) {
    if (!entry.key().isString()) return absl::InvalidArgumentError("weights: a name is no text");
    const std::string& name = entry.key().toStringRef();
    const auto& tensors = weights.tensors();
    const bool wanted = std::any_of(tensors.begin(), tensors.end(),
                                    [&](const auto& tensor) { return tensor.first == name; });
    if (!wanted && !IsIgnored(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("weights: unknown tensor '", name, "'; is this another network's file?"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadWeights(const std::string& archive, Weights* weights) {
  const c10::IValue value =
      torch::jit::pickle_load(std::vector<char>(archive.begin(), archive.end()));
  if (!value.isGenericDict()) {
    return absl::InvalidArgumentError(
        "weights: the file holds no dictionary of tensors; save dict(model.state_dict())");
  }
  const NamedTensors given = value.toGenericDict();
  for (auto& [name, tensor] : weights->tensors()) {
    const auto found = given.find(name);
    if (found == given.end() || !found->value().isTensor()) {
      return absl::InvalidArgumentError(absl::StrCat("weights: no tensor '", name, "'"));
    }
    MIXFEED_RETURN_IF_ERROR(CheckWeight(name, found->value().toTensor(), tensor));
    tensor.copy_(found->value().toTensor());
  }
  return CheckNoUnknown(given, *weights);
}

}  // namespace

std::span<const char* const> BuiltinNetworks() { return kNames; }

absl::StatusOr<std::unique_ptr<Network>> LoadBuiltinNetwork(const ModelSource& source) {
  MIXFEED_ASSIGN_OR_RETURN(std::unique_ptr<ResidualNetwork> network, MakeNetwork(source));
  if (!source.archive.empty()) {
    MIXFEED_RETURN_IF_ERROR(ReadWeights(source.archive, &network->weights()));
  }
  return network;
}

absl::StatusOr<std::string> WriteInitialWeights(const ModelSource& source) {
  MIXFEED_ASSIGN_OR_RETURN(const std::unique_ptr<ResidualNetwork> network, MakeNetwork(source));
  c10::Dict<std::string, at::Tensor> tensors;
  for (const auto& [name, tensor] : network->weights().tensors()) tensors.insert(name, tensor);
  const std::vector<char> bytes = torch::jit::pickle_save(tensors);
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace mixfeed
